"""The table of events is what the code logs and what the documentation explains: all three say the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from tests.conftest import ROOT

from cubbyd.service.event import EVENTS, NOTHING, as_table, unknown_fields

DAEMON = ROOT / "daemon" / "cubbyd"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A line of code that logs; its event may have a * where only the running program knows."""

    place: str
    level: str
    event: str
    fields: frozenset[str]


def logging_calls(file: Path) -> Iterator[Call]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "_log" | "logger"), attr=level)) if level in LEVELS:
                place = f"{file.relative_to(ROOT)}:{node.lineno}"
                fields = frozenset(keyword.arg for keyword in node.keywords if keyword.arg)
                for event in phrases(node.args[1 if level == "log" else 0]):
                    yield Call(place=place, level=level, event=event, fields=fields)


def phrases(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from (*phrases(one), *phrases(other))
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else "*" for part in parts)  # type: ignore[misc]
        case _:
            yield f"no fixed phrase: {ast.unparse(node)}"


CALLS = [call for file in sorted(DAEMON.rglob("*.py")) for call in logging_calls(file)]


def known(call: Call) -> list[str]:
    return [name for name in EVENTS if fnmatchcase(name, call.event)]


def test_every_event_in_the_code_is_in_the_table_with_its_fields() -> None:
    missing = [f"{call.place}: {call.event!r} is not in cubbyd.service.event" for call in CALLS if not known(call)]
    missing += [
        f"{call.place}: {name!r} has no field {', '.join(sorted(unknown))} in cubbyd.service.event"
        for call in CALLS
        for name in known(call)
        if (unknown := unknown_fields(name, call.fields))
    ]

    assert missing == []
    assert len(CALLS) > 30, "the search finds nothing any more"


def test_every_event_in_the_table_is_in_the_code_at_its_level() -> None:
    for name, event in EVENTS.items():
        calls = [call for call in CALLS if name in known(call)]
        assert calls, f"nothing logs {name!r}; take it out of cubbyd.service.event"
        fixed = {"error" if call.level == "exception" else call.level for call in calls} - {"log"}
        assert fixed <= set(event.level.split(", ")), name


def test_the_documentation_has_the_table_of_the_code() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert as_table() in page, "put the table into docs/operations.md: .venv/bin/python -m docs.events"


def test_whoever_is_warned_is_told_what_to_do() -> None:
    quiet = {"the cache of vectors is damaged and begun anew", "the losses are lost"}
    idle = {name for name, event in EVENTS.items() if event.level in ("warning", "error") and event.action == NOTHING}

    assert idle == quiet, "these two mend themselves, or cannot be mended"


@pytest.mark.parametrize("name", EVENTS)
def test_no_event_has_a_field_for_what_people_write(name: str) -> None:
    assert not EVENTS[name].fields & {"subject", "sender", "from", "to", "body", "text", "snippet", "attachment", "message_id"}
