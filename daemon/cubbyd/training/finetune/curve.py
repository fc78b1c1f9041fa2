"""Loss curves: from a job's result file to numbers, and from numbers to a picture. Pure.

A result file is CSV with a row for each step: step, train_loss, and where there was a validation file valid_loss (of a batch)
and full_valid_loss (of the whole file, now and then). Some vendors pack it in base64. Other columns are left alone.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

STEP: Final = "step"
TRAIN: Final = "train_loss"
VALID: Final = ("full_valid_loss", "valid_loss")
"""The first that the file has."""

WIDTH: Final = 720
PANEL: Final = 260
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 44, 44
TRAIN_COLOR: Final = "#1f5fa8"
VALID_COLOR: Final = "#b5480f"
GRID: Final = "#d9d9d9"
MOST_TICKS: Final = 5
MOST_DOTS: Final = 40
"""A curve of more points is a line alone."""

Points = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """The losses of one job: (step, loss), in the order of the steps."""

    title: str
    train: Points
    valid: Points

    @property
    def best_valid(self) -> tuple[int, float] | None:
        """The step with the least validation loss; after it a model learns its examples by heart."""
        return min(self.valid, key=lambda point: point[1], default=None)


def read_curves(title: str, content: bytes) -> Curves:
    """Read a result file, packed in base64 or not. Raises ValueError, for people, where it is none."""
    try:
        text = _unpacked(content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("the result file is no text") from error
    rows = list(csv.DictReader(io.StringIO(text)))
    columns = set(rows[0]) if rows else set()
    if not {STEP, TRAIN} <= columns:
        raise ValueError(f"the result file has no columns {STEP} and {TRAIN}")
    valid = next((column for column in VALID if column in columns and _points(rows, column)), "")
    return Curves(title=title, train=_points(rows, TRAIN), valid=_points(rows, valid) if valid else ())


def _unpacked(content: bytes) -> bytes:
    try:
        return base64.b64decode(content.strip(), validate=True)
    except (binascii.Error, ValueError):
        return content


def _points(rows: Sequence[dict[str, str]], column: str) -> Points:
    found = []
    for row in rows:
        try:
            point = (int(float(row[STEP])), float(row[column]))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue  # most rows have no full_valid_loss
        if math.isfinite(point[1]):
            found.append(point)
    return tuple(sorted(found))


def draw(jobs: Sequence[Curves]) -> str:
    """Draw a panel for each job, all on the same scale, as one SVG that needs nothing else."""
    points = [point for job in jobs for point in (*job.train, *job.valid)]
    highest = max((loss for _, loss in points), default=0.0) or 1.0
    tick = _round_tick(highest / MOST_TICKS)
    ticks = math.ceil(highest / tick - 1e-9)
    last = max((step for step, _ in points), default=1) or 1
    height = PANEL * len(jobs) + 8
    panels = "".join(_panel(job, place * PANEL, last, tick, ticks) for place, job in enumerate(jobs))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="Loss by step">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>{panels}</svg>\n'
    )


def _round_tick(least: float) -> float:
    """Give the least round number that is not below this one: 1, 2 or 5 and zeros."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(size * power for size in (1, 2, 5, 10) if size * power >= least * (1 - 1e-9))


def _panel(job: Curves, top: int, last: int, tick: float, ticks: int) -> str:
    width, height = WIDTH - LEFT - RIGHT, PANEL - TOP - BOTTOM

    def place(point: tuple[int, float]) -> tuple[float, float]:
        return LEFT + width * point[0] / last, top + TOP + height * (1 - point[1] / (tick * ticks))

    parts = [f'<text x="{LEFT}" y="{top + 20}" font-weight="600">{escape(job.title)}</text>']
    for count in range(ticks + 1):
        loss, y = tick * count, place((0, tick * count))[1]
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{GRID}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#444">{loss:.3g}</text>')
    base = top + TOP + height
    parts.append(f'<text x="{LEFT}" y="{base + 18}" fill="#444">0</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{base + 18}" text-anchor="end" fill="#444">step {last}</text>')
    parts.append(_line([place(point) for point in job.train], TRAIN_COLOR, dash=""))
    parts.append(_line([place(point) for point in job.valid], VALID_COLOR, dash="6 4"))
    named = [(TRAIN_COLOR, "training loss", "")] + ([(VALID_COLOR, "validation loss", "6 4")] if job.valid else [])
    for number, (color, name, dash) in enumerate(named):
        x = WIDTH - RIGHT - 260 + number * 130
        parts.append(_stroke([(x, top + 16), (x + 22, top + 16)], color, dash))
        parts.append(f'<text x="{x + 28}" y="{top + 20}" fill="{color}">{name}</text>')
    return "".join(parts)


def _line(points: Sequence[tuple[float, float]], color: str, *, dash: str) -> str:
    if not points:
        return ""
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points)
    return _stroke(points, color, dash) + (dots if len(points) <= MOST_DOTS else "")


def _stroke(points: Sequence[tuple[float, float]], color: str, dash: str) -> str:
    listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{listed}" fill="none" stroke="{color}" stroke-width="2"{dashed}/>'
