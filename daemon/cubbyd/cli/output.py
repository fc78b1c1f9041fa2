"""How commands speak: tables for people, one JSON object a line for programs, times in the reader's own zone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cubbyd.service.duration import age, span

if TYPE_CHECKING:
    from cubbyd.config import Config

__all__ = [
    "age",
    "console",
    "local_time",
    "log_warnings",
    "printable",
    "printable_path",
    "say_json",
    "say_threshold",
    "span",
    "table",
]

NARROWEST = 132
"""Columns that a table may use where the output is no terminal."""


class _Console(Console):
    """A console that leaves it to us what a closed pipe means; rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Open standard output for tables."""
    made = _Console(highlight=False)
    return made if made.is_terminal else _Console(highlight=False, width=max(made.width, NARROWEST))


def log_warnings(config: Config) -> None:
    """Let a backend's warnings go to standard error, so that they do not stand among the results."""
    from cubbyd.config import LogLevel
    from cubbyd.service.log import configure_logging

    configure_logging(config.log.model_copy(update={"level": LogLevel.WARNING}))


def say_json(value: Mapping[str, Any]) -> None:
    """Print one object on one line."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return str(value)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """Make a table; cells are plain text, so that nothing in a mail is taken for markup."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column)
    for row in rows:
        made.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
    return made


def printable(text: str, *, lines: bool = False) -> str:
    """Keep control characters of a mail from a terminal; the length stays. lines: line ends may pass."""
    return "".join(letter if letter.isprintable() or (lines and letter == "\n") else " " for letter in text)


def printable_path(file: Path) -> str:
    """Spell a file's name so that it can be printed, also one from an archive in another encoding."""
    return str(file).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def say_threshold(value: float | None) -> str:
    """Say a threshold, rounded up so that it never promises more than it keeps; at 1 or None no model reaches it."""
    return "never" if value is None or value >= 1 else f"{math.ceil(value * 1000 - 1e-9) / 1000:.3f}"


def local_time(moment: datetime | None) -> str:
    """Say a time as a person reads it."""
    return "never" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
