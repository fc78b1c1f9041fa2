"""Files that hold mail text: readable by their owner alone, and in their place only when they are whole."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from cubbyd.dataset.example import Example, example_to_json
from cubbyd.errors import InputFileError

OWNER_ALONE = 0o600

_HALF = re.compile("[\ud800-\udfff]")


@contextmanager
def open_new(file: Path, *, mark: bool = False) -> Iterator[TextIO]:
    """Open a text file that takes its name when the block ends well, and leaves nothing behind otherwise; mode 0600.

    mark: begin with a byte order mark. Raises InputFileError where it cannot be written.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ALONE)
        with os.fdopen(handle, "w", encoding="utf-8-sig" if mark else "utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as error:
        raise InputFileError(file, f"cannot be written: {error.strerror}; choose another file or folder") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def spell_line(example: Example) -> str:
    """Give an example as a line of a file, its end included."""
    return spell_json(example_to_json(example))


def spell_json(value: Mapping[str, Any]) -> str:
    """Give an object as a line of a file; half a character, which UTF-8 cannot hold, stays an escape."""
    line = json.dumps(value, ensure_ascii=False)
    if not line.isascii() and _HALF.search(line):
        line = json.dumps(value)
    return line + "\n"


def write_examples(file: Path, examples: Iterable[Example]) -> int:
    """Write examples as JSON lines, as they come; give how many. Raises InputFileError."""
    count = 0
    with open_new(file) as stream:
        for count, example in enumerate(examples, start=1):  # noqa: B007  (it is the count)
            stream.write(spell_line(example))
    return count
