"""The picture of a map: two plots of the same mails, categories by shape and color, and what the shapes mean. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from cubbyd.evaluation.atlas import NEIGHBORS, Atlas, Side
from cubbyd.evaluation.chart import FAINT, LINE, picture
from cubbyd.evaluation.markup import Markup, table, tag

SIZE: Final = 460
MARGIN: Final = 14

COLORS: Final = ("#0072b2", "#d55e00", "#009e73", "#b5478f", "#5b4fc4", "#8a6d00", "#3f4a56")
"""Dark enough on white, and told apart by most eyes; where not, the shape tells."""
SHAPES: Final = (
    "m-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0z",  # circle
    "m0 -4.9l4.6 8.4h-9.2z",  # triangle
    "m-3.7 -3.7h7.4v7.4h-7.4z",  # square
    "m0 4.9l4.6 -8.4h-9.2z",  # triangle on its head
    "m0 -5.4l4.4 5.4l-4.4 5.4l-4.4 -5.4z",  # diamond
    "m-1.5 -5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z",  # cross
)
"""As paths from a middle. Seven colors and six shapes make 42 pairs, and neighbors in the list share neither."""
MOST_TOLD: Final = len(COLORS) * len(SHAPES)
OTHERS: Final = ("#aab4be", "m-2 0a2 2 0 1 0 4 0a2 2 0 1 0 -4 0z")


def draw_atlas(atlas: Atlas) -> Iterator[Markup]:
    """Draw both sides, the numbers of each, and the legend."""
    limits = _limits(atlas)
    yield tag("div", *(_panel(atlas, side, name, limits) for name, side in _sides(atlas)), class_="maps")
    yield _legend(atlas)
    rows = [
        (name, side.what, f"{side.silhouette:+.3f}", f"{side.purity:.1%}", f"{side.shown:.0%}") for name, side in _sides(atlas)
    ]
    columns = ("", "places of", "silhouette", f"of {NEIGHBORS} neighbors, own category", "differences shown")
    yield table(columns, rows, words=2)


def _sides(atlas: Atlas) -> tuple[tuple[str, Side], tuple[str, Side]]:
    return ("before", atlas.before), ("after", atlas.after)


def _limits(atlas: Atlas) -> tuple[np.typing.NDArray[np.float64], float]:
    """Give the middle and the half width of a square that holds both sides."""
    both = np.vstack([atlas.before.points, atlas.after.points])
    low, high = both.min(axis=0), both.max(axis=0)
    return (low + high) / 2, max(float((high - low).max()) / 2, np.finfo(float).tiny)


def _panel(atlas: Atlas, side: Side, name: str, limits: tuple[np.typing.NDArray[np.float64], float]) -> Markup:
    middle, half = limits
    room = SIZE / 2 - MARGIN
    spots = (side.points - middle) / half * room * (1, -1) + SIZE / 2
    shapes = [tag("rect", x=0.5, y=0.5, width=SIZE - 1, height=SIZE - 1, fill="#fff", stroke=LINE)]
    for place, category in enumerate(atlas.categories):
        own = spots[atlas.labels == place]
        color, shape = _look(place)
        path = "".join(f"M{x:.1f} {y:.1f}{shape}" for x, y in own)
        title = tag("title", f"{category}: {len(own)} mails")
        shapes.append(tag("path", title, d=path, fill=color, fill_opacity=0.8, stroke="#fff", stroke_width=0.6))
    said = f"{name}: silhouette {side.silhouette:+.2f}, purity {side.purity:.0%}"
    heading = tag("h3", f"{name.capitalize()}: {side.what}")
    return tag("div", heading, picture(SIZE, SIZE, shapes, said=f"Map of the mails {said}"), class_="pair")


def _look(place: int) -> tuple[str, str]:
    return (COLORS[place % len(COLORS)], SHAPES[place % len(SHAPES)]) if place < MOST_TOLD else OTHERS


def _legend(atlas: Atlas) -> Markup:
    shown = [(str(category), *_look(place)) for place, category in enumerate(atlas.categories[:MOST_TOLD])]
    if (more := len(atlas.categories) - MOST_TOLD) > 0:
        shown.append((f"{more} other categories", *OTHERS))
    return tag("p", *(_key(name, color, shape) for name, color, shape in shown), class_="legend")


def _key(name: str, color: str, shape: str) -> Markup:
    path = tag("path", d=f"M7 7{shape}", fill=color)
    mark = tag("svg", path, viewBox="0 0 14 14", width=14, height=14, aria_hidden="true", stroke=FAINT, stroke_width=0)
    return tag("span", mark, name)
