"""Mail files that a command is given."""

from __future__ import annotations

from pathlib import Path

from cubbyd.errors import InputFileError

LARGEST_FILE = 25 * 1024 * 1024
"""Bytes of one .eml; no server takes a larger mail."""


def read_mail(file: Path) -> bytes:
    """Read a mail file, at most LARGEST_FILE of it. Raises InputFileError."""
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST_FILE)
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error
