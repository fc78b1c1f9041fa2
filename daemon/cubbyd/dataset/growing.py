"""A file of examples that grows answer by answer, and is its own memory of how far the work has come.

Each line is on the disk before the next question is asked; a line that was cut off by a crash is taken away when the file is
opened again. Undoing takes the last line away.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from cubbyd.dataset.example import Example, read_line
from cubbyd.dataset.writer import OWNER_ALONE, spell_line
from cubbyd.errors import InputFileError

_BEGINS = b'{"subject": '
"""How spell_line begins every line."""


def text_key(example: Example) -> str:
    """Name an example by its words: equal for equal subjects and bodies, whatever their labels."""
    return sha256(json.dumps([example.subject, example.body]).encode()).hexdigest()[:16]


class GrowingFile:
    """A file of examples, open for adding to its end; one process at a time."""

    def __init__(self, file: Path) -> None:
        """Open it, or make it with mode 0600, and read what it holds. Raises InputFileError."""
        self._file = file
        self._handle = -1
        try:
            self._handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ALONE)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._ends, self.examples = self._read()
        except BlockingIOError as error:
            self.close()
            raise InputFileError(file, "is being written by another cubbyd; wait for its end, or choose another") from error
        except OSError as error:
            self.close()
            raise InputFileError(file, f"cannot be used: {error.strerror}; choose another --out") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Give the file."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the file; everything is written already."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def add(self, example: Example) -> None:
        """Write an example at the end, through to the disk. Raises InputFileError."""
        line, begin = spell_line(example).encode(), self._end
        try:
            written = 0
            while written < len(line):
                written += os.pwrite(self._handle, line[written:], begin + written)
            os.fsync(self._handle)
        except OSError as error:
            raise InputFileError(self._file, f"cannot be written: {error.strerror}") from error
        self._ends.append(begin + len(line))
        self.examples.append(example)

    def undo(self) -> Example | None:
        """Take the last example away, and give it; None where there is none. Raises InputFileError."""
        if not self.examples:
            return None
        self._ends.pop()
        try:
            os.ftruncate(self._handle, self._end)
            os.fsync(self._handle)
        except OSError as error:
            raise InputFileError(self._file, f"cannot be written: {error.strerror}") from error
        return self.examples.pop()

    @property
    def _end(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _read(self) -> tuple[list[int], list[Example]]:
        ends: list[int] = []
        examples: list[Example] = []
        position = 0
        with os.fdopen(os.dup(self._handle), "rb") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n"):
                    if self._is_torn(line):
                        os.ftruncate(self._handle, position)
                        break
                    self._parse(number, line)  # what is no example is left as it is, to the byte
                    os.pwrite(self._handle, b"\n", position + len(line))
                    position += 1
                position += len(line)
                if line.strip():
                    examples.append(self._parse(number, line))
                    ends.append(position)
        return ends, examples

    @staticmethod
    def _is_torn(line: bytes) -> bool:
        """Tell whether a last line is one of ours that a crash cut off, and nothing that somebody else wrote."""
        try:
            json.loads(line)
        except ValueError:
            return line.startswith(_BEGINS) or _BEGINS.startswith(line)
        return False

    def _parse(self, number: int, line: bytes) -> Example:
        try:
            return read_line(self._file, number, line.decode())
        except UnicodeDecodeError as error:
            raise InputFileError(self._file, "is not UTF-8; choose another --out", line=number) from error


def left_over(examples: Iterable[Example], done: Iterable[Example]) -> list[Example]:
    """Give the examples that are not done yet, in order; of equal texts as many are left as are missing."""
    counts = Counter(text_key(example) for example in done)
    left = []
    for example in examples:
        key = text_key(example)
        if counts[key]:
            counts[key] -= 1
        else:
            left.append(example)
    return left
