"""Every exception is a sentence, knows the exit code of the command that it ends, and can be told from the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import ROOT

from cubbyd import __main__ as main
from cubbyd import errors
from cubbyd.errors import ConfigError, CubbydError, InputFileError, MailboxUnavailable, Problem, UnknownKind


def kinds(of: type[CubbydError] = CubbydError) -> Iterator[type[CubbydError]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


OURS = [kind for kind in dict.fromkeys(kinds()) if kind.__module__ == errors.__name__]
NEED_DATA = ("ConfigError", "InputFileError", "ModelFileError", "ModelStoreError", "SecretHidden", "UnknownKind")


def test_every_exception_of_the_module_is_of_one_family() -> None:
    raised = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]

    assert set(raised) == set(OURS)
    assert len(raised) > 15


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_the_first_line_of_the_docstring_is_a_sentence_and_the_message_where_none_is_given(kind: type[CubbydError]) -> None:
    sentence = (kind.__doc__ or "").partition("\n")[0]

    assert sentence.endswith(".")
    if kind.__name__ not in NEED_DATA:
        assert str(kind()) == sentence
        assert str(kind("something else")) == "something else"


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_every_exit_code_is_one_of_those_in_the_docs(kind: type[CubbydError]) -> None:
    assert kind.exit_code in (1, 69, 75, 77, 78)


def test_one_problem_of_the_configuration_is_one_line() -> None:
    problem = Problem(key="filing.action", found="'x'", allowed="input should be 'move'")

    error = ConfigError("cubbyd.toml", (problem,))

    assert str(error) == "cubbyd.toml: filing.action: found 'x'; input should be 'move'"
    assert (error.file, error.problems) == (Path("cubbyd.toml"), (problem,))
    assert str(ConfigError("c", (problem, Problem(key="a", found="", allowed="is missing")))).splitlines() == [
        "c: 2 problems",
        "  filing.action: found 'x'; input should be 'move'",
        "  a: is missing",
    ]


def test_an_input_file_is_named_with_its_line_where_there_is_one() -> None:
    assert str(InputFileError("a.jsonl", "is no JSON", line=3)) == "a.jsonl, line 3: is no JSON"
    assert str(InputFileError("a.eml", "cannot be read")) == "a.eml: cannot be read"


def test_an_unknown_kind_names_those_that_are_known() -> None:
    assert str(UnknownKind("oracle", ["local", "words"])) == "classifier.kind: found 'oracle'; allowed: local, words"


def test_a_pause_is_carried_beside_the_message() -> None:
    assert MailboxUnavailable("throttled", retry_after_seconds=5).retry_after_seconds == 5
    assert MailboxUnavailable().retry_after_seconds is None


def test_the_documentation_explains_every_exit_code() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("## Exit codes")[2].partition("\n## ")[0]
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    ours = {value for module in (errors, main) for name, value in vars(module).items() if name.startswith("EXIT_")}

    assert ours | {0, 2} <= explained
    assert explained - ours == {0, 2, 243}, "done, click's own, systemd's own"
