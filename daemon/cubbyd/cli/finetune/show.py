"""How `cubbyd finetune` shows progress and losses: a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

import click
from rich.console import Console
from rich.live import Live

from cubbyd.cli.output import console, say_json, table
from cubbyd.errors import InputFileError
from cubbyd.training.finetune.curve import Curves, draw
from cubbyd.training.finetune.watch import Progress, Tell

COLUMNS = ("job", "epochs", "state", "step", "loss", "validation", "minutes left")


class Display(Tell, Protocol):
    """Shows how jobs are doing."""


class Lines:
    """A line for each change: words for people, or JSON."""

    def __init__(self, *, as_json: bool) -> None:
        """Begin with nothing told."""
        self._as_json = as_json
        self._told: dict[str, Progress] = {}

    def progress(self, progress: Progress) -> None:
        """Print a job's state where it is another than before; time alone is no change."""
        without_time = replace(progress, minutes_left=None)
        if self._told.get(progress.job) == without_time:
            return
        self._told[progress.job] = without_time
        if self._as_json:
            say_json(asdict(progress))
        else:
            click.echo(say(progress))

    def trouble(self, reason: str, wait_seconds: float) -> None:
        """Say on standard error why a look failed."""
        click.echo(_say_trouble(reason, wait_seconds), err=True)


class Screen:
    """A table that is redrawn in place."""

    def __init__(self, live: Live) -> None:
        """Take the place."""
        self._live = live
        self._known: dict[str, Progress] = {}
        self._trouble = ""

    def progress(self, progress: Progress) -> None:
        """Draw a job's state."""
        self._known[progress.job] = progress
        self._trouble = ""
        self._draw()

    def trouble(self, reason: str, wait_seconds: float) -> None:
        """Draw why a look failed, below the table."""
        self._trouble = _say_trouble(reason, wait_seconds)
        self._draw()

    def _draw(self) -> None:
        rows = [
            [one.job, one.epochs or "auto", one.status, _step(one), _loss(one.train_loss), _loss(one.valid_loss), _left(one)]
            for one in self._known.values()
        ]
        drawn = table("", COLUMNS, rows)
        is_paused = any(one.status == "paused" for one in self._known.values())
        drawn.caption = self._trouble or (PAUSED if is_paused else None)
        drawn.caption_justify = "left"
        self._live.update(drawn, refresh=True)


PAUSED = "paused at the vendor: it goes on once it is resumed there, or end it with `cubbyd finetune cancel`"


def say(progress: Progress) -> str:
    """Say a job's state in a line."""
    parts = [f"{progress.job or 'a job without an id'}: {PAUSED if progress.status == 'paused' else _state(progress)}"]
    if progress.step is not None:
        parts.append(f"step {_step(progress)}")
    if progress.train_loss is not None:
        parts.append(f"training loss {_loss(progress.train_loss)}")
    if progress.valid_loss is not None:
        parts.append(f"validation loss {_loss(progress.valid_loss)}")
    if progress.minutes_left is not None:
        parts.append(f"about {_left(progress)} minutes left")
    if progress.model:
        parts.append(f"model {progress.model}")
    return ", ".join(parts)


@contextmanager
def opened_display(*, as_json: bool) -> Iterator[Display]:
    """Open the display that fits where the output goes."""
    screen = Console()
    if as_json or not screen.is_terminal:
        yield Lines(as_json=as_json)
        return
    with Live(console=screen, auto_refresh=False) as live:
        yield Screen(live)


def print_curves(curves: Sequence[Curves], *, as_json: bool) -> None:
    """Print the last losses of each job, and where its validation loss was least."""
    if as_json:
        for job in curves:
            say_json({"job": job.title.partition(",")[0], "train_loss": job.train, "valid_loss": job.valid})
        return
    rows = []
    for job in curves:
        best = job.best_valid
        last = [_loss(points[-1][1]) if points else "" for points in (job.train, job.valid)]
        least = f"{_loss(best[1])} at step {best[0]}" if best else ""
        rows.append([*job.title.split(", "), job.train[-1][0] if job.train else "", *last, least])
    console().print(table("", ["job", "", "steps", "training loss", "validation loss", "its least"], rows))
    if any(job.valid and job.best_valid != job.valid[-1] for job in curves):
        click.echo("Where the validation loss rises again the model learns its examples by heart: take fewer epochs.")


def write_picture(file: Path, curves: Sequence[Curves]) -> None:
    """Draw the losses into a file. Raises InputFileError."""
    try:
        file.write_text(draw(curves), encoding="utf-8")
    except OSError as error:
        raise InputFileError(file, f"cannot be written: {error.strerror}") from error


def _say_trouble(reason: str, wait_seconds: float) -> str:
    return f"{reason}; the next look is in {wait_seconds:.2g} seconds"


def _state(progress: Progress) -> str:
    return f"{progress.status} ({progress.error_code})" if progress.error_code else progress.status


def _step(progress: Progress) -> str:
    if progress.step is None:
        return ""
    return f"{progress.step} of {progress.steps}" if progress.steps else str(progress.step)


def _loss(loss: float | None) -> str:
    return "" if loss is None else f"{loss:.4f}"


def _left(progress: Progress) -> str:
    return "" if progress.minutes_left is None else f"{progress.minutes_left:.0f}"
