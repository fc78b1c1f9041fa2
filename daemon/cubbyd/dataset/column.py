"""Columns of a table and keys of an object: which of them is the subject, the text, the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cubbyd.dataset.example import Example, parse_date, read_seconds
from cubbyd.dataset.pseudonym import pseudonym
from cubbyd.dataset.reading import Columns, Reading
from cubbyd.errors import InputFileError

USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "subject": ("subject", "title", "betreff", "asunto", "objet", "oggetto", "onderwerp", "headline"),
    "body": (
        *("body", "text", "message", "content", "query", "mail", "utterance", "sentence", "question", "description"),
        *("email", "email_text", "comment", "nachricht", "inhalt", "cuerpo", "corps", "testo", "bericht"),
    ),
    "label": (
        *("label", "labels", "category", "intent", "intents", "class", "target", "tag", "topic", "folder", "categories"),
        *("kategorie", "ordner", "categoría", "categoria", "catégorie", "etiqueta", "y"),
    ),
    "id": ("id", "message_id", "message-id", "uid"),
    "group": ("group", "thread", "thread_id", "conversation", "conversation_id"),
    "origin": ("origin",),
    "sender": ("sender", "from", "from_address", "absender"),
    "date": ("date", "datetime", "timestamp", "sent", "received", "datum", "fecha"),
}
"""What columns are usually called, likeliest first; upper and lower case are alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The column that plays each part; empty where there is none."""

    subject: str = ""
    body: str = ""
    label: str = ""
    id: str = ""
    group: str = ""
    origin: str = ""
    sender: str = ""
    date: str = ""

    @property
    def used(self) -> frozenset[str]:
        """The columns that play a part."""
        return frozenset(getattr(self, part) for part in USUAL) - {""}


def find_roles(file: Path, names: Sequence[str], columns: Columns, *, line: int | None = None) -> Roles:
    """Find the columns: those that the user named, else by their usual names. Raises InputFileError where no text is found."""
    folded = {name.strip().casefold(): name for name in reversed(names)}
    found: dict[str, str] = {}
    for part, usual in USUAL.items():
        wanted = getattr(columns, part, "")
        if wanted and wanted.strip().casefold() not in folded:
            raise InputFileError(file, f"has no column {wanted!r}; there are: {_list(names)}", line=line)
        candidates = [wanted.strip().casefold()] if wanted else usual
        taken = set(found.values())
        found[part] = next((folded[name] for name in candidates if name in folded and folded[name] not in taken), "")
    if not (found["subject"] or found["body"]):
        raise InputFileError(file, f"no column looks like the text; name it with --body; there are: {_list(names)}", line=line)
    return Roles(**found)


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:20])
    return f"{shown}, and {len(names) - 20} more" if len(names) > 20 else shown  # noqa: PLR2004


def make_example(record: Mapping[str, Any], roles: Roles, reading: Reading, line: int) -> Example | None:
    """Make an example of one row; None, and a reason in reading.skips, where it cannot be used."""
    subject, body = _text(record.get(roles.subject)), _text(record.get(roles.body))
    if subject is None or body is None:
        reading.skips.skip("the text is no string", line)
        return None
    if not (subject.strip() or body.strip()):
        reading.skips.skip("no words", line)
        return None
    values = read_values(record.get(roles.label))
    if values is None:
        reading.skips.skip("the label is neither a string nor a number nor a list of them", line)
        return None
    return Example(
        subject=subject,
        body=body,
        labels=reading.labels(values, line),
        line=line,
        id=_name(record.get(roles.id)),
        origin=_name(record.get(roles.origin)) or reading.origin,
        group=_name(record.get(roles.group)),
        sender=_sender(_name(record.get(roles.sender))),
        date=_date(record.get(roles.date), reading, line),
    )


def read_values(value: object) -> list[str] | None:
    """Give the labels of a cell as strings; empty where there is none, None where they are of another type."""
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in values):
        return None
    return [str(one) for one in values]


def _text(value: object) -> str | None:
    return "" if value is None else value if isinstance(value, str) else None


def _name(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _sender(value: str) -> str:
    """Hide an address; what is a pseudonym already stays."""
    return value if value.startswith("s-") and "@" not in value else pseudonym("s", value.casefold())


def _date(value: object, reading: Reading, line: int) -> datetime | None:
    """Read ISO 8601 or seconds since 1970; a time without a zone is in UTC."""
    if value is None or value == "":
        return None
    text = value.strip() if isinstance(value, str) else ""
    moment = parse_date(text) if text and not _is_number(text) else read_seconds(float(text) if text else value)
    if moment is not None:
        return moment
    reading.skips.note("date that cannot be read, left out", line)
    return None


def _is_number(value: str) -> bool:
    return value.strip().lstrip("-").replace(".", "", 1).isdigit()
