"""Examples: texts with their labels, one JSON object a line; what training and evaluation read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cubbyd.errors import InputFileError
from cubbyd.taxonomy import CategoryId

ALLOWED_KEYS = frozenset({"subject", "body", "text", "label", "labels", "id", "origin", "group", "sender", "date"})

_DATE: Final = "date must be as 2026-11-21T08:30:00+00:00, or seconds since 1970"

SYNTHETIC: Final = "synthetic"
"""The origin of an example that a machine wrote; also with more behind it, as in "synthetic:gpt"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One text with its labels; labels is empty where the text is to be classified, or belongs nowhere."""

    subject: str
    body: str
    labels: tuple[CategoryId, ...] = ()
    line: int = 0
    """The line in its file, from 1."""
    id: str = ""
    """What it is known by; empty where the file does not say, as with everything below."""
    origin: str = ""
    """Where it comes from: "real", "synthetic", the name of a mailbox."""
    group: str = ""
    """The thread, or whatever else must not be torn apart by a split."""
    sender: str = ""
    """A pseudonym of who wrote it: equal for equal senders, and no address."""
    date: datetime | None = None
    """When it was written, aware."""

    @property
    def is_synthetic(self) -> bool:
        """Tell whether a machine wrote it: such an example never measures anything."""
        return self.origin.partition(":")[0] == SYNTHETIC


def read_examples(file: Path) -> Iterator[Example]:
    """Read a file of JSON lines, lazily; empty lines are passed over.

    A line has `subject` and `body` (or `text` for both), and `label` or `labels`; it may have `id`, `origin`, `group`,
    `sender` and `date` (ISO 8601, in UTC where no zone is given, or seconds since 1970). Raises InputFileError that names
    the line.
    """
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield read_line(file, number, line)
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputFileError(file, "is not UTF-8; save it as UTF-8 and try again") from error


def read_line(file: Path, number: int, line: str) -> Example:
    """Read one line of a file of examples. Raises InputFileError that names it."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputFileError(file, f"is no JSON ({error}); write one object a line", line=number) from error
    if not isinstance(record, dict):
        raise InputFileError(file, 'holds no JSON object; write {"subject": …, "body": …, "label": …}', line=number)
    if unknown := set(record) - ALLOWED_KEYS:
        raise InputFileError(file, f"unknown key {min(unknown)!r}; allowed: {', '.join(sorted(ALLOWED_KEYS))}", line=number)
    if "body" in record and "text" in record:
        raise InputFileError(file, "has both body and text; keep one", line=number)
    subject, body = _text(file, number, record, "subject"), _text(file, number, record, "body" if "body" in record else "text")
    if not (subject.strip() or body.strip()):
        raise InputFileError(file, "has no words: give subject and body, or text", line=number)
    return Example(
        subject=subject,
        body=body,
        labels=_labels(file, number, record),
        line=number,
        id=_name(file, number, record, "id"),
        origin=_name(file, number, record, "origin"),
        group=_name(file, number, record, "group"),
        sender=_name(file, number, record, "sender"),
        date=_date(file, number, record.get("date")),
    )


def example_to_json(example: Example) -> dict[str, Any]:
    """Give what a line of a file holds, without what is not known; read_line makes the same example of it."""
    labels: dict[str, Any] = {"labels": list(example.labels)} if len(example.labels) > 1 else {}
    if len(example.labels) == 1:
        labels = {"label": example.labels[0]}
    named = {key: getattr(example, key) for key in ("id", "origin", "group", "sender") if getattr(example, key)}
    date = {"date": example.date.isoformat()} if example.date else {}
    return {"subject": example.subject, "body": example.body, **labels, **named, **date}


def body_of(text: str, quoted: str) -> str:
    """Put text and quoted mail together so that reading tells them apart again."""
    marked = "\n".join(f"> {line}" for line in quoted.split("\n")) if quoted else ""
    return "\n\n".join(filter(None, (text, marked)))


def parse_date(text: str) -> datetime | None:
    """Read an ISO 8601 time, or a day, which is its midnight; without a zone it is in UTC. None where it is neither."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_seconds(value: object) -> datetime | None:
    """Read seconds since 1970; None where it is no number, or no date of the calendar."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    try:
        return datetime.fromtimestamp(value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def digest_examples(examples: Iterable[Example]) -> str:
    """Give the SHA-256 of subjects, bodies and labels, in order: the name of a set of examples in a model file."""
    digest = sha256()
    for example in examples:
        digest.update(json.dumps([example.subject, example.body, example.labels]).encode() + b"\n")
    return digest.hexdigest()


def _text(file: Path, number: int, record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputFileError(file, f"{key} must be a string", line=number)
    return value


def _name(file: Path, number: int, record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputFileError(file, f"{key} must be a string or a whole number", line=number)
    return str(value)


def _date(file: Path, number: int, value: object) -> datetime | None:
    if value is None or value == "":
        return None
    moment = parse_date(value) if isinstance(value, str) else read_seconds(value)
    if moment is None:
        raise InputFileError(file, f"{_DATE}, and not {value!r:.40}", line=number)
    return moment


def _labels(file: Path, number: int, record: dict[str, Any]) -> tuple[CategoryId, ...]:
    if "label" in record and "labels" in record:
        raise InputFileError(file, "has both label and labels; keep one", line=number)
    labels = record.get("labels", [record["label"]] if record.get("label") is not None else [])
    if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
        raise InputFileError(file, "label must be a category's id, labels a list of ids", line=number)
    return tuple(dict.fromkeys(CategoryId(label) for label in labels))
