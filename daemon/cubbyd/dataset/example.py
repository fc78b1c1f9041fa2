"""Examples: texts with their labels, one JSON object a line; what training and evaluation read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cubbyd.errors import InputFileError
from cubbyd.taxonomy import CategoryId

ALLOWED_KEYS = frozenset({"subject", "body", "text", "label", "labels", "id", "origin", "group", "date"})

_DATE = "date must be as 2026-11-21T08:30:00+00:00, or seconds since 1970"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One text with its labels; labels is empty where the text is to be classified, or belongs nowhere."""

    subject: str
    body: str
    labels: tuple[CategoryId, ...] = ()
    line: int = 0
    """The line in its file, from 1."""
    origin: str = ""
    """Where it comes from: "real", "synthetic", the name of a mailbox."""
    group: str = ""
    """What it belongs together with, such as its thread; empty where its file does not say."""
    date: float | None = None
    """When the mail was received, in seconds since 1970 (UTC); None where its file does not say."""


def read_examples(file: Path) -> Iterator[Example]:
    """Read a file of JSON lines, lazily; empty lines are passed over.

    A line has `subject` and `body` (or `text` for both), and `label` or `labels`. Raises InputFileError that names the line.
    """
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _read_line(file, number, line)
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputFileError(file, "is not UTF-8; save it as UTF-8 and try again") from error


def digest_examples(examples: Iterable[Example]) -> str:
    """Give the SHA-256 of subjects, bodies and labels, in order: the name of a set of examples in a model file."""
    digest = sha256()
    for example in examples:
        digest.update(json.dumps([example.subject, example.body, example.labels]).encode() + b"\n")
    return digest.hexdigest()


def _read_line(file: Path, number: int, line: str) -> Example:
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
        origin=_text(file, number, record, "origin"),
        group=_group(file, number, record),
        date=_date(file, number, record),
    )


def _text(file: Path, number: int, record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputFileError(file, f"{key} must be a string", line=number)
    return value


def _group(file: Path, number: int, record: dict[str, Any]) -> str:
    value = record.get("group")
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InputFileError(file, "group must be a string or a whole number", line=number)
    return str(value)


def _date(file: Path, number: int, record: dict[str, Any]) -> float | None:
    """Read a date: seconds since 1970, or ISO 8601; one without a zone is in UTC."""
    value = record.get("date")
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except (ValueError, OverflowError) as error:
        raise InputFileError(file, f"{_DATE}, and not {value!r:.40}", line=number) from error
    raise InputFileError(file, f"{_DATE}, and not {value!r:.40}", line=number)


def _labels(file: Path, number: int, record: dict[str, Any]) -> tuple[CategoryId, ...]:
    if "label" in record and "labels" in record:
        raise InputFileError(file, "has both label and labels; keep one", line=number)
    labels = record.get("labels", [record["label"]] if record.get("label") is not None else [])
    if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
        raise InputFileError(file, "label must be a category's id, labels a list of ids", line=number)
    return tuple(dict.fromkeys(CategoryId(label) for label in labels))
