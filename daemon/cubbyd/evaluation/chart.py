"""The pictures of a report, drawn as SVG: confusion matrix, lines with bands, reliability, bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cubbyd.evaluation.markup import Markup, tag
from cubbyd.evaluation.metric import Bin, Integers
from cubbyd.evaluation.score import CategoryScore, Estimate

INK, FAINT, LINE, MARK, BAD = "#1d2733", "#5c6876", "#dde3ea", "#2767a8", "#b4501e"

MOST_NAMED: Final = 40
"""Categories that a confusion matrix names; more are drawn as a texture without names."""
MOST_COUNTED: Final = 26
"""Categories up to which a matrix has numbers in its cells."""
LETTER: Final = 7
"""Pixels that a letter takes at most, on the average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A plot area with two axes; x and y of data go from 0 to 1 unless said otherwise."""

    width: float = 460
    height: float = 300
    left: float = 56
    top: float = 12
    lowest: float = 0.0
    """What y begins with."""

    def x(self, share: float) -> float:
        """Find the place of an x."""
        return self.left + share * self.width

    def y(self, share: float) -> float:
        """Find the place of a y."""
        return self.top + (1 - (share - self.lowest) / (1 - self.lowest)) * self.height

    def axes(self, below: str, beside: str, *, x_labels: Sequence[tuple[float, str]] = ()) -> list[Markup]:
        """Draw grid, ticks and names of the axes."""
        shapes = []
        for step in range(6):
            share = self.lowest + step / 5 * (1 - self.lowest)
            shapes.append(tag("path", d=f"M{self.left:g} {self.y(share):.1f}H{self.left + self.width:g}", stroke=LINE))
            shapes.append(label(self.left - 7, self.y(share) + 4, f"{share:.0%}", anchor="end"))
        for share, said in x_labels or [(step / 5, f"{step / 5:.0%}") for step in range(6)]:
            shapes.append(label(self.x(share), self.top + self.height + 18, said, anchor="middle"))
        shapes.append(label(self.x(0.5), self.top + self.height + 38, below, anchor="middle"))
        turned = f"translate(13 {self.top + self.height / 2:g}) rotate(-90)"
        shapes.append(tag("text", beside, transform=turned, text_anchor="middle", fill=FAINT))
        return shapes


def label(x: float, y: float, said: object, *, anchor: str = "start", fill: str = FAINT, weight: str | None = None) -> Markup:
    """Write a word."""
    return tag("text", said, x=x, y=y, text_anchor=anchor, fill=fill, font_weight=weight)


def picture(width: float, height: float, shapes: Sequence[Markup], *, said: str) -> Markup:
    """Put shapes into a picture; `said` tells those who cannot see it what it shows."""
    size = {"viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}"}
    return tag("svg", *shapes, xmlns="http://www.w3.org/2000/svg", role="img", aria_label=said, **size)


def draw_matrix(names: Sequence[str], counts: Integers) -> Markup:
    """Draw a confusion matrix: right category down, chosen one across; color is the share of a row, numbers are mails."""
    size, named = len(names), len(names) <= MOST_NAMED
    cell = max(3.0, min(44.0, 760 / size)) if named else max(2.0, 700 / size)
    short = [name if len(name) <= 18 else name[:17] + "…" for name in names]  # noqa: PLR2004
    left = 30 + (LETTER * max(map(len, short)) if named else 0)
    top = 30 + (0.72 * LETTER * max(map(len, short)) if named else 0)
    shapes = [tag("rect", x=left, y=top, width=size * cell, height=size * cell, fill="#f6f8fa")]
    sums = counts.sum(axis=1)
    for row, column in zip(*counts.nonzero(), strict=True):
        share, count = float(counts[row, column] / sums[row]), int(counts[row, column])
        x, y = left + column * cell, top + row * cell
        color = MARK if row == column else BAD
        title = tag("title", f"{names[row]} → {names[column]}: {count} of {int(sums[row])} mails ({share:.0%})")
        opacity = 0.12 + 0.88 * share
        gap = 1 if named else 0
        box = {"x": x, "y": y, "width": cell - gap, "height": cell - gap, "fill": color}
        shapes.append(tag("rect", title, **box, fill_opacity=round(opacity, 2)))
        if size <= MOST_COUNTED:
            fill = "#fff" if opacity > 0.55 else INK  # noqa: PLR2004
            shapes.append(label(x + cell / 2, y + cell / 2 + 4, count, anchor="middle", fill=fill))
    if named:
        for place, name in enumerate(short):
            middle = (place + 0.5) * cell
            shapes.append(label(left - 6, top + middle + 4, name, anchor="end", fill=INK))
            turned = f"translate({left + middle + 3:.1f} {top - 6:.1f}) rotate(-45)"
            shapes.append(tag("text", name, transform=turned, fill=INK))
    width = left + size * cell + (0.72 * LETTER * len(short[-1]) if named else 0) + 10
    shapes.append(
        label(left, top + size * cell + 18, "down: right, across: chosen; blue: chosen rightly, brown: taken for another")
    )
    return picture(max(width, left + 520), top + size * cell + 26, shapes, said="Confusion matrix")


def draw_reliability(bins: Sequence[Bin]) -> Markup:
    """Draw how often answers of a probability are right, against that probability; paler bars stand on fewer mails."""
    frame, most = Frame(width=340, height=340), max((one.count for one in bins), default=1)
    shapes = frame.axes("probability given", "share that is right")
    for one in bins:
        title = tag("title", f"{one.low:.0%} to {one.high:.0%}: {one.accuracy:.0%} of {one.count} are right")
        opacity = round(0.2 + 0.7 * one.count / most, 2)
        x, wide, y = frame.x(one.low) + 1, (one.high - one.low) * frame.width - 2, frame.y(one.accuracy)
        shapes.append(
            tag("rect", title, x=x, y=y, width=wide, height=max(1.0, frame.y(0) - y), fill=MARK, fill_opacity=opacity)
        )
    diagonal = f"M{frame.x(0):g} {frame.y(0):g}L{frame.x(1):g} {frame.y(1):g}"
    shapes.append(tag("path", d=diagonal, stroke=INK, stroke_dasharray="5 4", fill="none"))
    return picture(frame.x(1) + 20, frame.y(0) + 46, shapes, said="Reliability diagram")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place on a line, with the interval of its y where there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    said: str = ""


def draw_line(
    points: Sequence[Point], *, below: str, beside: str, mark: Point | None = None, x_labels: Sequence[tuple[float, str]] = ()
) -> Markup:
    """Draw a line from left to right, with whiskers where points have intervals, and one marked point."""
    seen = [one.y if one.low is None else one.low for one in (*points, *([mark] if mark else []))]
    lowest = max(0.0, min(0.8, int(min(seen, default=0.0) * 10 - 1e-9) / 10))
    frame = Frame(lowest=lowest)
    shapes = frame.axes(below, beside, x_labels=x_labels)
    path = "L".join(f"{frame.x(one.x):.1f} {frame.y(one.y):.1f}" for one in points)
    shapes.append(tag("path", d=f"M{path}", stroke=MARK, stroke_width=2, fill="none"))
    for one in points:
        if one.low is not None and one.high is not None:
            shapes.append(tag("path", d=f"M{frame.x(one.x):.1f} {frame.y(one.low):.1f}V{frame.y(one.high):.1f}", stroke=MARK))
            shapes.append(tag("circle", tag("title", one.said), cx=frame.x(one.x), cy=frame.y(one.y), r=4, fill=MARK))
    if mark is not None:
        x, y = frame.x(mark.x), frame.y(mark.y)
        shapes.append(tag("path", d=f"M{x:.1f} {frame.y(lowest):.1f}V{y:.1f}", stroke=BAD, stroke_dasharray="4 3"))
        shapes.append(tag("circle", cx=x, cy=y, r=6, fill=BAD, stroke="#fff", stroke_width=2))
        side, anchor = (x - 10, "end") if mark.x > 0.5 else (x + 10, "start")  # noqa: PLR2004
        height = y + 22 if y < frame.top + frame.height - 40 else y - 12
        shapes.append(label(side, height, mark.said, anchor=anchor, fill=BAD, weight="600"))
    return picture(frame.x(1) + 30, frame.y(lowest) + 46, shapes, said=f"{beside} against {below}")


def draw_interval(estimate: Estimate | None) -> Markup | str:
    """Draw a number between 0 and 1 with its interval as a small line, for a cell of a table."""
    if estimate is None:
        return ""
    x, low, high = (4 + 92 * max(0.0, min(1.0, one)) for one in (estimate.value, estimate.low, estimate.high))
    shapes = [
        tag("path", d="M4 9H96", stroke=LINE, stroke_width=2),
        tag("path", d=f"M{low:.1f} 9H{max(high, low + 1):.1f}", stroke=MARK, stroke_width=4, stroke_opacity=0.45),
        tag("circle", cx=x, cy=9, r=4, fill=MARK),
    ]
    return picture(100, 18, shapes, said=f"{estimate.value:.2f}")


def draw_shares(scores: Sequence[CategoryScore], mails: int) -> Markup:
    """Draw, for each category, its share of the mail and its share of the answers, as two bars."""
    left = 24 + LETTER * max(len(one.category) for one in scores)
    widest = max(max(one.wanted, one.chosen) for one in scores) / mails
    row, room = 38, 420
    shapes = []
    for number, one in enumerate(scores):
        y = 26 + number * row
        shapes.append(label(left - 8, y + 16, one.category, anchor="end", fill=INK))
        for shift, count, color in ((0, one.wanted, "#9aa7b4"), (13, one.chosen, MARK)):
            wide = max(1.0, room * count / mails / widest)
            shapes.append(tag("rect", x=left, y=y + shift, width=wide, height=11, fill=color))
            shapes.append(label(left + wide + 5, y + shift + 10, f"{count / mails:.1%}"))
    shapes.append(label(left, 14, "■ share of the mail", fill="#7b8794", weight="600"))
    shapes.append(label(left + 140, 14, "■ share of the answers", fill=MARK, weight="600"))
    return picture(left + room + 60, 30 + len(scores) * row, shapes, said="Shares of mail and of answers")
