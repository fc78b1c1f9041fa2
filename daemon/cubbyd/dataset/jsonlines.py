"""JSON lines of many makes: ours, anybody's keys, prompt and completion, chat messages. A line says by its keys what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cubbyd.dataset.column import Roles, find_roles, make_example, read_values
from cubbyd.dataset.example import Example, body_of
from cubbyd.dataset.reading import Reading
from cubbyd.errors import InputFileError

SEPARATORS: Final = ("\n\n###\n\n", "\n\n##\n\n", "\n\n---\n\n", "\n\n=>\n\n", "\n\n->\n\n", " ->", "->", "\n###\n", "###")
"""What usually ends a prompt of the completion format, the longest first."""

ENDINGS: Final = (" END", "\nEND", "###", "<|endoftext|>", "END")
"""What usually ends a completion."""

_SUBJECT: Final = re.compile(r"\s*(?:<mail>\s*)?(?:Subject|Betreff)\s?:[ \t]*([^\n]*)(?:\n|$)", re.IGNORECASE)
_QUOTED: Final = re.compile(r"\n<quoted>\n(.*)\n</quoted>(?=\s*(?:</mail>)?\s*$)", re.DOTALL)
_ANSWER_KEYS: Final = ("category", "categories", "label", "labels", "intent")


def read_json_lines(file: Path, reading: Reading) -> Iterator[Example]:
    """Read a file of JSON lines, lazily. What is no JSON or has no text is skipped. Raises InputFileError for a whole file."""
    roles: dict[frozenset[str], Roles] = {}
    try:
        with file.open(encoding=reading.columns.encoding, newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip() and (record := _object(line, reading, number)) is not None:
                    example = _read(file, record, roles, reading, number)
                    if example is not None:
                        yield example
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputFileError(file, f"is not {error.encoding}; give another with --encoding, such as cp1252") from error


def _object(line: str, reading: Reading, number: int) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        reading.skips.skip("no JSON", number)
        return None
    if not isinstance(record, dict):
        reading.skips.skip("no JSON object", number)
        return None
    return record


def _read(
    file: Path, record: dict[str, Any], roles: dict[frozenset[str], Roles], reading: Reading, number: int
) -> Example | None:
    if "messages" in record:
        return _read_chat(record, reading, number)
    if "prompt" in record and "completion" in record:
        return _read_completion(record, reading, number)
    keys = frozenset(record)
    if keys not in roles:
        if len(roles) > 1000:  # noqa: PLR2004  (lines that all differ: no memory for each)
            roles.clear()
        try:
            roles[keys] = find_roles(file, sorted(keys), reading.columns, line=number)
        except InputFileError:
            if not roles:
                raise  # the first line: the file is of another make, or the user's key is wrong
            reading.skips.skip("no key of the text", number)
            return None
    return make_example(record, roles[keys], reading, number)


# --- prompt and completion ---------------------------------------------------------------------------------------------


def _read_completion(record: Mapping[str, Any], reading: Reading, number: int) -> Example | None:
    prompt, completion = record["prompt"], record["completion"]
    if isinstance(completion, int) and not isinstance(completion, bool):
        completion = str(completion)
    if not (isinstance(prompt, str) and isinstance(completion, str)):
        reading.skips.skip("prompt and completion are not both strings", number)
        return None
    text = _cut_end(prompt, (reading.separator,) if reading.separator else SEPARATORS)
    answer = _cut_end(completion.strip(), (reading.ending.strip(),) if reading.ending else ENDINGS)
    return _make(text, [answer.strip()], reading, number)


def _cut_end(text: str, ends: tuple[str, ...]) -> str:
    for end in ends:
        if text.endswith(end):
            return text[: -len(end)]
    return text


def _make(text: str, values: list[str], reading: Reading, number: int) -> Example | None:
    subject, body = _take_subject(text)
    if not (subject.strip() or body.strip()):
        reading.skips.skip("no words", number)
        return None
    labels = reading.labels(values, number)
    if not labels:
        reading.skips.skip("no label in the answer", number)
        return None
    return Example(subject=subject, body=body, labels=labels, line=number, origin=reading.origin)


def _take_subject(text: str) -> tuple[str, str]:
    """Tell "Subject: …" in the first line from the rest, and take our own frame off."""
    match = _SUBJECT.match(text)
    subject, rest = (match[1].strip(), text[match.end() :]) if match else ("", text)
    if match and text.lstrip().startswith("<mail>"):
        rest = rest.partition("\n")[2] if rest.startswith("\n") else rest.partition("\n\n")[2]  # attachments, marks
    rest = _QUOTED.sub(lambda quoted: "\n\n" + body_of("", quoted[1]), rest)
    return subject, rest.strip().removesuffix("</mail>").strip()


# --- chat messages -----------------------------------------------------------------------------------------------------


def _read_chat(record: Mapping[str, Any], reading: Reading, number: int) -> Example | None:
    asked = _last(record["messages"], "user")
    answered = _last(record["messages"], "assistant")
    if asked is None or answered is None:
        reading.skips.skip("no message of a user with text, or none of the assistant", number)
        return None
    if answered.get("weight") == 0:
        reading.skips.skip("the answer has weight 0", number)
        return None
    values = _read_answer(str(answered["content"]))
    if values is None:
        reading.skips.skip("no label in the answer", number)
        return None
    return _make(str(asked["content"]), values, reading, number)


def _last(messages: object, role: str) -> Mapping[str, Any] | None:
    """Find the last message of a role that has text."""
    for message in reversed(messages) if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("role") == role and isinstance(message.get("content"), str):
            return message
    return None


def _read_answer(text: str) -> list[str] | None:
    """Give the labels of an answer: the text itself, or what stands in its JSON."""
    if not text.lstrip().startswith("{"):
        return [text.strip()] if text.strip() else None
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    key = next((key for key in _ANSWER_KEYS if key in answer), None) if isinstance(answer, dict) else None
    return (read_values(answer[key]) or None) if key else None
