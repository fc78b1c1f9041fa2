"""Mails in files: mbox, Maildir, folders of .eml. The folder, or the mbox file's name, is the label."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from cubbyd.dataset.example import Example
from cubbyd.dataset.mail import mail_to_example
from cubbyd.dataset.reading import Reading
from cubbyd.errors import InputFileError

LARGEST_MAIL: Final = 25 * 1024 * 1024
"""Bytes of one mail that are read."""

UNFILED: Final = frozenset(("", "inbox", "new", "cur"))
"""Folders that say nothing of what is in them."""


def read_mbox(file: Path, reading: Reading) -> Iterator[Example]:
    """Read an mbox file (RFC 4155), one mail in memory at a time; the place of a mail is its number in the file."""
    label = "" if file.stem.casefold() in UNFILED else file.stem
    try:
        with file.open("rb") as stream:
            for number, raw in enumerate(_split_mbox(file, stream), start=1):
                yield from _make(raw, label, reading, f"mail {number}", number)
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error


def _split_mbox(file: Path, stream: BinaryIO) -> Iterator[bytes]:
    """Cut at lines that begin with "From " behind an empty line; take one > off what was escaped (mboxrd)."""
    first = stream.readline()
    if not first.startswith(b"From "):
        raise InputFileError(file, 'is no mbox: it does not begin with "From "', line=1)
    lines: list[bytes] = []
    size, after_blank = 0, False
    for line in stream:
        if after_blank and line.startswith(b"From "):
            yield b"".join(lines)
            lines, size = [], 0
            continue
        after_blank = line in (b"\n", b"\r\n")
        if size <= LARGEST_MAIL:
            lines.append(line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line)
            size += len(line)
    yield b"".join(lines)


def read_mail_folders(folder: Path, reading: Reading) -> Iterator[Example]:
    """Read a Maildir (with its subfolders, in either layout) or a tree of .eml files; the folder is the label."""
    for file in _walk(folder):
        label = _label(folder, file)
        try:
            with file.open("rb") as stream:
                raw = stream.read(LARGEST_MAIL)
        except OSError as error:
            reading.skips.skip(f"cannot be read: {error.strerror}", file)
            continue
        yield from _make(raw, label, reading, file)


def _walk(folder: Path) -> Iterator[Path]:
    """Give the files that are mails, in the order of their names; links are not followed, dot folders are Maildir's own."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputFileError(folder, f"cannot be read: {error.strerror}") from error
    is_maildir = folder.name in ("cur", "new")
    for entry in entries:
        if entry.is_symlink():
            continue
        if entry.is_dir():
            if entry.name != "tmp":
                with suppress(PermissionError):
                    yield from _walk(entry)
        elif entry.suffix.lower() == ".eml" or (is_maildir and not entry.name.startswith((".", "dovecot"))):
            yield entry


def _label(root: Path, file: Path) -> str:
    """Name the folder: without Maildir's cur and new; of Maildir++ without the dot before it."""
    levels = [level for level in file.relative_to(root).parts[:-1] if level not in ("cur", "new")]
    name = "/".join(level.lstrip(".").replace(".", "/") if level.startswith(".") else level for level in levels)
    return "" if name.casefold() in UNFILED else name


def read_mail_file(file: Path, reading: Reading) -> Iterator[Example]:
    """Read one .eml; its label is that of everything, or none."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(LARGEST_MAIL)
    except OSError as error:
        raise InputFileError(file, f"cannot be read: {error.strerror}") from error
    yield from _make(raw, "", reading, file)


def _make(raw: bytes, label: str, reading: Reading, place: object, number: int = 0) -> Iterator[Example]:
    if not raw.strip():
        reading.skips.skip("empty", place)
        return
    labels = reading.labels([label], place) if label or reading.label else ()
    example = mail_to_example(raw, labels, origin=reading.origin, line=number)
    if example is None:
        reading.skips.skip("no words in subject and text", place)
        return
    yield example
