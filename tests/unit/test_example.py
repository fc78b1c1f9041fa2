"""Examples: what a line may be, and a fault named with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cubbyd.dataset import read_examples
from cubbyd.dataset.example import Example
from cubbyd.errors import EXIT_FAILED, InputFileError

GOOD = '{"subject": "Invoice", "body": "Please see above.", "label": "billing"}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "examples.jsonl"


def read(file: Path, *lines: str) -> list[Example]:
    file.write_text("\n".join(lines), encoding="utf-8")
    return list(read_examples(file))


def test_a_line_has_subject_body_and_label(file: Path) -> None:
    assert read(file, GOOD) == [Example(subject="Invoice", body="Please see above.", labels=("billing",), line=1)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "subject", "body", "labels"),
    [
        ('{"text": "Ill today"}', "", "Ill today", ()),
        ('{"subject": "Ill", "text": "today"}', "Ill", "today", ()),
        ('{"subject": "Ill"}', "Ill", "", ()),
        ('{"body": "Ill", "subject": null, "label": null}', "", "Ill", ()),
        ('{"text": "x", "labels": ["a", "b", "a"]}', "", "x", ("a", "b")),
        ('{"text": "x", "labels": []}', "", "x", ()),
        ('{"text": "x", "id": 3, "origin": "o", "group": "g", "date": "2026-11-21", "label": "a"}', "", "x", ("a",)),
        ('{"text": "Kündigung 🎈 \\u00fc"}', "", "Kündigung 🎈 ü", ()),
    ],
)
def test_a_line_may_leave_things_out(file: Path, line: str, subject: str, body: str, labels: tuple[str, ...]) -> None:
    (example,) = read(file, line)

    assert (example.subject, example.body, example.labels) == (subject, body, labels)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ('"2026-11-21T08:30:00+00:00"', 1795249800.0),
        ('"2026-11-21T09:30:00+01:00"', 1795249800.0),
        ('"2026-11-21T08:30:00"', 1795249800.0),
        ("1795249800", 1795249800.0),
        ("1012542254.5", 1012542254.5),
        ("null", None),
        ('""', None),
    ],
)
def test_a_date_is_read_as_a_moment(file: Path, given: str, seconds: float | None) -> None:
    (example,) = read(file, f'{{"text": "x", "date": {given}}}')

    assert (example.date and example.date.timestamp()) == seconds


@pytest.mark.parametrize("given", ['"yesterday"', "true", "[2026]", "NaN", '"2026-13-01"'])
def test_what_is_no_date_is_named(file: Path, given: str) -> None:
    with pytest.raises(InputFileError, match=r"line 1: date must be as 2026-11-21T08:30:00\+00:00, or seconds since 1970"):
        read(file, f'{{"text": "x", "date": {given}}}')


@pytest.mark.parametrize(("given", "group"), [('"thread-7"', "thread-7"), ("7", "7"), ("null", "")])
def test_a_group_is_a_name_or_a_number(file: Path, given: str, group: str) -> None:
    assert read(file, f'{{"text": "x", "group": {given}}}')[0].group == group


def test_a_group_of_another_shape_is_refused(file: Path) -> None:
    with pytest.raises(InputFileError, match="group must be a string or a whole number"):
        read(file, '{"text": "x", "group": ["a"]}')


def test_empty_lines_are_passed_over_and_counted(file: Path) -> None:
    assert [example.line for example in read(file, "", GOOD, "   ", GOOD, "")] == [2, 4]


def test_an_empty_file_holds_no_examples(file: Path) -> None:
    assert read(file) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is no JSON"),
        ("subject: Invoice", "write one object a line"),
        ("[1, 2]", "holds no JSON object"),
        ('"text"', "holds no JSON object"),
        ("null", "holds no JSON object"),
        ('{"subjct": "Invoice", "body": "x"}', "unknown key 'subjct'; allowed: body, date, group"),
        ('{"subject": ["Invoice"], "body": "x"}', "subject must be a string"),
        ('{"subject": "x", "body": 7}', "body must be a string"),
        ('{"text": {"a": 1}}', "text must be a string"),
        ('{"label": "billing"}', "has no words"),
        ('{"subject": " ", "body": "\\n", "label": "billing"}', "has no words"),
        ('{"text": "x", "label": "a", "labels": ["b"]}', "has both label and labels; keep one"),
        ('{"text": "x", "label": 4}', "label must be a category's id, labels a list of ids"),
        ('{"text": "x", "label": ["a"]}', "label must be a category's id"),
        ('{"text": "x", "labels": "a"}', "labels a list of ids"),
        ('{"text": "x", "labels": ["a", 3]}', "labels a list of ids"),
        ('{"text": "x", "labels": [""]}', "labels a list of ids"),
        ('{"text": "x", "labels": null}', "labels a list of ids"),
    ],
)
def test_a_fault_is_named_with_its_file_and_line(file: Path, line: str, said: str) -> None:
    with pytest.raises(InputFileError) as caught:
        read(file, GOOD, "", line, GOOD)

    assert (caught.value.file, caught.value.line) == (file, 3)
    assert str(caught.value).startswith(f"{file}, line 3: ")
    assert said in str(caught.value)
    assert caught.value.exit_code == EXIT_FAILED


@pytest.mark.parametrize(
    "line",
    [
        '{"subject": false, "body": "x"}',
        '{"subject": 0, "body": "x"}',
        '{"subject": "x", "body": []}',
        '{"text": "x", "label": 0}',
        '{"text": "x", "label": false}',
        '{"text": "x", "label": ""}',
        '{"text": "this is lost", "body": "x"}',
    ],
)
def test_a_wrong_value_is_not_silently_dropped(file: Path, line: str) -> None:
    """`"label": 0` would be an example without a label: it would be passed over, and nobody would know."""
    with pytest.raises(InputFileError, match="line 1"):
        read(file, line)


def test_a_line_of_endless_brackets_is_no_json(file: Path) -> None:
    with pytest.raises(InputFileError, match="line 2"):
        read(file, GOOD, "[" * 100_000)


def test_the_examples_before_a_fault_are_given(file: Path) -> None:
    """The file is read as it is asked for, however long it is."""
    file.write_text(f"{GOOD}\n{{\n")
    examples = read_examples(file)

    assert next(examples).subject == "Invoice"
    with pytest.raises(InputFileError):
        next(examples)


def test_what_cannot_be_read_is_said(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot be read: No such file or directory"):
        list(read_examples(file))
    with pytest.raises(InputFileError, match="cannot be read: Is a directory"):
        list(read_examples(tmp_path))


def test_another_encoding_is_refused(file: Path) -> None:
    file.write_bytes('{"text": "Kündigung"}'.encode("latin-1"))

    with pytest.raises(InputFileError, match="is not UTF-8; save it as UTF-8"):
        list(read_examples(file))


def test_utf8_as_windows_saves_it_is_read(file: Path) -> None:
    """Notepad and PowerShell put a byte order mark before the first line."""
    file.write_text(GOOD, encoding="utf-8-sig")

    assert [example.subject for example in read_examples(file)] == ["Invoice"]
