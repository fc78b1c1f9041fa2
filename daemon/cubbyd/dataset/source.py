"""What a source is, and who reads it: the readers are imported when one of their kind is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias, cast

from cubbyd.dataset.example import Example
from cubbyd.dataset.reading import Reading
from cubbyd.errors import InputFileError


class SourceKind(StrEnum):
    """The kinds of files that can be read."""

    JSONL = "jsonl"  # JSON lines: ours, anybody's keys, prompt and completion, chat messages
    CSV = "csv"  # a table, also with tabs or semicolons, also one-hot
    MBOX = "mbox"  # many mails in a file
    MAILS = "mails"  # a Maildir, or a tree of .eml files
    EML = "eml"  # one mail


Reader: TypeAlias = Callable[[Path, Reading], Iterator[Example]]

_READERS: Final = {
    SourceKind.JSONL: ("jsonlines", "read_json_lines"),
    SourceKind.CSV: ("table", "read_table"),
    SourceKind.MBOX: ("mailfile", "read_mbox"),
    SourceKind.MAILS: ("mailfile", "read_mail_folders"),
    SourceKind.EML: ("mailfile", "read_mail_file"),
}
_SUFFIXES: Final = {
    ".jsonl": SourceKind.JSONL,
    ".ndjson": SourceKind.JSONL,
    ".json": SourceKind.JSONL,
    ".csv": SourceKind.CSV,
    ".tsv": SourceKind.CSV,
    ".mbox": SourceKind.MBOX,
    ".eml": SourceKind.EML,
}


def tell_kind(source: Path) -> SourceKind:
    """Tell what a source is, by its name, else by how it begins. Raises InputFileError where nothing reads it."""
    if source.is_dir():
        return SourceKind.MAILS
    if kind := _SUFFIXES.get(source.suffix.lower()):
        return kind
    try:
        with source.open("rb") as stream:
            start = stream.read(5)
    except OSError as error:
        raise InputFileError(source, f"cannot be read: {error.strerror}") from error
    if start == b"From ":
        return SourceKind.MBOX
    if start.lstrip(b"\xef\xbb\xbf").startswith(b"{"):
        return SourceKind.JSONL
    kinds = ", ".join(SourceKind)
    raise InputFileError(source, f"cannot tell what this is; say it with --format, one of {kinds}")


def read_source(source: Path, reading: Reading, kind: SourceKind | None = None) -> Iterator[Example]:
    """Read a source, lazily; what it skips goes into reading.skips. Raises InputFileError."""
    module, name = _READERS[kind or tell_kind(source)]
    reader = cast("Reader", getattr(import_module(f"cubbyd.dataset.{module}"), name))
    return reader(source, reading)
