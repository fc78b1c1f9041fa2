"""A map of the test mail before and after training, with two numbers that do not depend on its two dimensions. Pure.

The map is a principal component analysis: of many dimensions it shows the two along which the mails differ most. Where both
sides are places in one space, one analysis of both together gives both the same axes; each side counts alike and is seen from
its own middle, or the first axis would show no more than how far training moved or stretched the whole. Where they are not,
each side has an analysis of its own, and the second is turned and mirrored to lie as like the first as can be (orthogonal
Procrustes: Schönemann 1966). Each side is brought to the same size, all distances in it in proportion. Silhouette (Rousseeuw
1987) and purity of neighbors are measured in the full spaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.place import Coordinates, Places, Placing
from cubbyd.evaluation.kept import Sheet
from cubbyd.evaluation.metric import Integers
from cubbyd.message import render_text
from cubbyd.taxonomy import CategoryId

MOST: Final = 1000
"""Mails on a map; of more, so many are drawn at random. The tables of distances have the square of it."""
FEWEST: Final = 20
NEIGHBORS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One half of a map."""

    what: str
    """What the mails' places are made of."""
    points: Coordinates
    """Shape (mails, 2)."""
    shown: float
    """The share of the mails' differences (of the variance) that two dimensions can show."""
    silhouette: float
    """From -1 to 1: how much nearer a mail is to its own category than to the next one; mean over the mails."""
    purities: NDArray[np.float64]
    """Shape (mails,), from 0 to 1: how many of each mail's NEIGHBORS nearest are of its own category."""

    @property
    def purity(self) -> float:
        """The mean over the mails."""
        return float(self.purities.mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """The same mails before and after."""

    categories: tuple[CategoryId, ...]
    """The categories that occur, the most frequent first."""
    labels: Integers
    """Shape (mails,): the place of each mail's category among them."""
    before: Side
    after: Side
    is_shared: bool
    """Both sides are of one space, and of one analysis."""
    chance: float
    """The purity that mails strewn at random would have."""
    of: int
    """How many mails the test set has, of which these are a part."""

    @property
    def gain(self) -> tuple[float, float]:
        """The 95 % interval of how much purer neighborhoods became, from the differences of the mails (normal)."""
        moved = self.after.purities - self.before.purities
        room = 1.96 * float(moved.std(ddof=1)) / len(moved) ** 0.5
        return float(moved.mean()) - room, float(moved.mean()) + room

    @property
    def sentence(self) -> str:
        """What the two numbers say."""
        low, high = self.gain
        verb = (
            "mixes the categories" if high < 0 else "draws the categories apart" if low > 0 else "changes nothing that is sure"
        )
        return (
            f"Of the {NEIGHBORS} nearest neighbors of a mail, {self.before.purity:.0%} are of its own category before and "
            f"{self.after.purity:.0%} after (by chance {self.chance:.0%}); the silhouette goes from "
            f"{self.before.silhouette:+.2f} to {self.after.silhouette:+.2f}: training {verb}."
        )


def make_atlas(classifier: object, sheet: Sheet, *, seed: int = 0) -> Atlas | None:
    """Ask a classifier where the mails of a test set lie, and draw the map; None where it cannot say, or there are too few.

    A mail with several categories counts for the first of them. Raises ClassifierError.
    """
    known = np.flatnonzero(sheet.answers.truths.any(axis=1))
    if not isinstance(classifier, Placing) or len(known) < FEWEST:
        return None
    if len(known) > MOST:
        known = np.sort(np.random.default_rng(seed).choice(known, MOST, replace=False))
    mails = [sheet.mails[row] for row in known]
    places = classifier.place([render_text(mail.subject, mail.body) for mail in mails])
    labels = [mails[row].labels[0] for row in places.rows]
    if len(labels) < FEWEST or len(set(labels)) < 2:  # noqa: PLR2004
        return None
    return draw_atlas(places, labels, of=len(sheet.mails))


def draw_atlas(places: Places, labels: Sequence[CategoryId], *, of: int) -> Atlas:
    """Draw the map of mails whose places and categories are known; there are two categories or more."""
    names, numbers, counts = np.unique(np.array(labels, dtype=object).astype(str), return_inverse=True, return_counts=True)
    order = np.lexsort((names, -counts))
    own = np.argsort(order)[numbers]
    shares = counts[order]
    points, shown = _flatten(places)
    sides = [
        Side(what=what, points=flat, shown=share, silhouette=silhouette(apart, own), purities=purities(apart, own))
        for what, flat, share, apart in zip(
            (places.before_is, places.after_is), points, shown, map(distances, (places.before, places.after)), strict=True
        )
    ]
    return Atlas(
        categories=tuple(CategoryId(str(names[place])) for place in order),
        labels=own,
        before=sides[0],
        after=sides[1],
        is_shared=places.is_shared,
        chance=float((shares * (shares - 1)).sum() / (len(own) * (len(own) - 1))),
        of=of,
    )


def distances(points: Coordinates) -> NDArray[np.float64]:
    """Give the Euclidean distance of each pair, shape (mails, mails)."""
    lengths = (points**2).sum(axis=1)
    squares = lengths[:, None] + lengths - 2 * points @ points.T
    np.fill_diagonal(squares, 0)
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def silhouette(apart: NDArray[np.float64], labels: Integers) -> float:
    """Give the mean silhouette, (b - a) / max(a, b), of distances; a category's only mail counts 0, as Rousseeuw has it."""
    counts = np.bincount(labels)
    there = np.flatnonzero(counts)
    sums = np.stack([apart[:, labels == place].sum(axis=1) for place in there], axis=1)
    own = np.searchsorted(there, labels)
    rows = np.arange(len(labels))
    inside = sums[rows, own] / np.maximum(counts[labels] - 1, 1)
    means = sums / counts[there]
    means[rows, own] = np.inf
    nearest = means.min(axis=1)
    widest = np.maximum(np.maximum(inside, nearest), np.finfo(float).tiny)
    return float(np.where(counts[labels] > 1, (nearest - inside) / widest, 0.0).mean())


def purities(apart: NDArray[np.float64], labels: Integers, neighbors: int = NEIGHBORS) -> NDArray[np.float64]:
    """Give, for each mail, the share of its nearest neighbors that are of its category; the first among equally near ones."""
    others = apart.copy()
    np.fill_diagonal(others, np.inf)
    nearest = np.argsort(others, axis=1, kind="stable")[:, : min(neighbors, len(labels) - 1)]
    return np.asarray((labels[nearest] == labels[:, None]).mean(axis=1))


def _flatten(places: Places) -> tuple[tuple[Coordinates, Coordinates], tuple[float, float]]:
    """Bring both sides to two dimensions; give the share of the differences that each still shows."""
    before, after = (_even(points) for points in (places.before, places.after))
    if places.is_shared:
        flat = _project(np.vstack([before, after]))
        sides = flat[: len(before)], flat[len(before) :]
    else:
        sides = _project(before), _project(after)
    shown = float((sides[0] ** 2).sum()), float((sides[1] ** 2).sum())
    before, after = (_even(points) for points in sides)
    if not places.is_shared:
        left, _, right = np.linalg.svd(after.T @ before)
        after = np.asarray(after @ left @ right)
    return (before, after), shown


def _even(points: Coordinates) -> Coordinates:
    """Move the middle to 0, and bring the sum of squares to 1; places that are all one stay 0."""
    centered = points - points.mean(axis=0)
    size = float(np.linalg.norm(centered))
    return np.asarray(centered / size if size else centered)


def _project(centered: Coordinates) -> Coordinates:
    """Project on the two directions of the largest variance; each points to where its largest part is positive."""
    left, sizes, right = np.linalg.svd(centered, full_matrices=False)
    flat = np.zeros((len(centered), 2))
    kept = min(2, len(sizes))
    signs = np.sign(right[np.arange(kept), np.abs(right[:kept]).argmax(axis=1)])
    flat[:, :kept] = left[:, :kept] * sizes[:kept] * signs
    return flat


def facts(atlas: Atlas) -> dict[str, Any]:
    """Give the numbers as an object for programs; no places, and no text of a mail."""

    def side(one: Side) -> dict[str, Any]:
        return {
            "of": one.what,
            "silhouette": round(one.silhouette, 4),
            "neighbor_purity": round(one.purity, 4),
            "variance_shown": round(one.shown, 4),
        }

    return {
        "mails": len(atlas.labels),
        "neighbors": NEIGHBORS,
        "purity_by_chance": round(atlas.chance, 4),
        "same_space": atlas.is_shared,
        "before": side(atlas.before),
        "after": side(atlas.after),
        "purity_gain": {"low": round(atlas.gain[0], 4), "high": round(atlas.gain[1], 4)},
        "sentence": atlas.sentence,
    }
