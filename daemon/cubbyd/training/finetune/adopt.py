"""The tuned model's name into the configuration: two lines of one table change, comments and all else stay.

The edit is by line and careful, and it is not trusted: the text that comes out is read as TOML and must differ from the old one
in these keys alone; then the whole file is checked as the daemon would. Else nothing is written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cubbyd.config import load_config
from cubbyd.errors import InputFileError

TABLE: Final = "classifier.openai"
_HEADER: Final = re.compile(r"\s*\[\s*classifier\s*\.\s*openai\s*\]\s*(?:#.*)?")
_ANY_HEADER: Final = re.compile(r"\s*\[")
_KEY: Final = re.compile(r"(?P<before>\s*(?P<name>[A-Za-z_]+)\s*=\s*)(?P<value>\"[^\"\\]*\"|'[^']*')(?P<after>\s*(?:#.*)?)")


def toml_lines(changes: Mapping[str, str]) -> list[str]:
    """Give the lines to put into the table by hand."""
    return [f"[{TABLE}]", *(f"{key} = {json.dumps(value)}" for key, value in changes.items())]


def edit(text: str, changes: Mapping[str, str]) -> str:
    """Set texts in the table [classifier.openai]. Raises ValueError where it is not spelled so that lines can be changed."""
    lines = text.splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if _HEADER.fullmatch(line.rstrip("\r\n"))), None)
    if start is None:
        raise ValueError(f"has no line [{TABLE}]")
    end = next((number for number in range(start + 1, len(lines)) if _ANY_HEADER.match(lines[number])), len(lines))
    left = dict(changes)
    for number in range(start + 1, end):
        body = lines[number].rstrip("\r\n")
        found = _KEY.fullmatch(body)
        if found and found["name"] in left:
            value = json.dumps(left.pop(found["name"]), ensure_ascii=False)
            lines[number] = f"{found['before']}{value}{found['after']}{lines[number][len(body) :]}"
    ending = "\r\n" if lines[start].endswith("\r\n") else "\n"
    if not lines[start].endswith("\n"):
        lines[start] += ending
    lines[start + 1 : start + 1] = [f"{key} = {json.dumps(value, ensure_ascii=False)}{ending}" for key, value in left.items()]
    changed = "".join(lines)
    if _read(changed) != _wanted(text, changes):
        raise ValueError("cannot be changed by line without changing something else")
    return changed


def write(file: Path, changes: Mapping[str, str]) -> None:
    """Change the file, once what comes out is a right configuration. Raises InputFileError, ConfigError."""
    file = file.resolve()
    beside = file.with_name(f".{file.name}.new")
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            changed = edit(stream.read(), changes)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(changed)
        load_config(beside)
        shutil.copymode(file, beside)
        owner = file.stat()
        with suppress(PermissionError):
            os.chown(beside, owner.st_uid, owner.st_gid)
        beside.replace(file)
    except ValueError as error:
        raise InputFileError(file, f"{error}; change these lines by hand: {', '.join(toml_lines(changes))}") from error
    except OSError as error:
        raise InputFileError(file, f"cannot be changed: {error.strerror}; nothing was written") from error
    finally:
        beside.unlink(missing_ok=True)


def _wanted(text: str, changes: Mapping[str, str]) -> dict[str, Any]:
    values = _read(text)
    table = values["classifier"]["openai"]
    table |= changes
    return values


def _read(text: str) -> dict[str, Any]:
    return tomllib.loads(text)
