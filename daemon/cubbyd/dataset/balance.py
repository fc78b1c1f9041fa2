"""What to do about large and small categories: weights and sampling first; examples are taken away on request alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from cubbyd.dataset.example import Example
from cubbyd.dataset.near import Signatures, sign
from cubbyd.dataset.stats import EVEN
from cubbyd.taxonomy import CategoryId

MOST_REPEATS: Final = 5.0
"""A text that is shown more often is learned by heart."""

SKEWED: Final = 10.0
"""From here weights alone no longer help a category that has few examples as well."""
ENOUGH: Final = 50
"""Examples of a category from which more of them help little; a learning curve tells better."""

MOST_COMPARISONS: Final = 20_000_000
"""Texts times texts kept: a larger category is thinned out at random before the most varied are sought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """For one category."""

    category: CategoryId
    examples: int
    synthetic: int
    weight: float
    """What an error counts in training: all examples / (categories x its examples), as scikit-learn's "balanced"."""
    repeats: float
    """How many times an example would be drawn in one epoch, for every category to be seen as often as the median one."""
    missing: int
    """Examples that are missing for ENOUGH."""


def advise(categories: Mapping[CategoryId, int], synthetic: Mapping[CategoryId, int]) -> list[Advice]:
    """Give weights and sampling for each category, the largest first."""
    if not categories:
        return []
    total, middle = sum(categories.values()), median(categories.values())
    return [
        Advice(
            category=id_,
            examples=count,
            synthetic=synthetic.get(id_, 0),
            weight=total / (len(categories) * count),
            repeats=min(MOST_REPEATS, middle / count),
            missing=max(0, ENOUGH - count),
        )
        for id_, count in sorted(categories.items(), key=lambda item: (-item[1], item[0]))
    ]


def recommend(advice: Sequence[Advice]) -> str:
    """Say in a sentence or two what follows from the counts."""
    if len(advice) < 2:  # noqa: PLR2004
        return "There is one category or none; nothing to balance."
    ratio = advice[0].examples / advice[-1].examples
    thin = [one for one in advice if one.missing]
    need = f" Collect or synthesize more of {', '.join(one.category for one in thin[-3:][::-1])}." if thin else ""
    if ratio <= EVEN:
        return f"The largest category has {ratio:.1f} times the examples of the smallest: leave them as they are.{need}"
    if ratio < SKEWED:
        return (
            f"The largest category has {ratio:.1f} times the examples of the smallest: weigh the categories, which "
            f"`cubbyd train` does by itself, and take nothing away.{need}"
        )
    return (
        f"The largest category has {ratio:.1f} times the examples of the smallest: weights make up for a part of it "
        f"(`cubbyd train` sets them by itself); compare the evaluation with and without trimming (--at-most) before you "
        f"trust either.{need}"
    )


class Trimmer:
    """Chooses which examples of too large categories to keep: the most varied, real ones first. Two passes of the caller."""

    def __init__(self, at_most: int, *, seed: int = 0) -> None:
        """at_most: examples of each category, by the first label of an example."""
        self._at_most, self._seed = at_most, seed
        self._places: dict[str, list[int]] = {}
        self._signatures: dict[str, list[Signatures]] = {}
        self._synthetic: set[int] = set()
        self._count = 0

    def add(self, example: Example) -> None:
        """Take note of an example."""
        label = example.labels[0] if example.labels else ""
        if label:  # what has no label is no category's, and stays
            self._places.setdefault(label, []).append(self._count)
            self._signatures.setdefault(label, []).append(sign(f"{example.subject}\n{example.body}"))
        if example.is_synthetic:
            self._synthetic.add(self._count)
        self._count += 1

    def finish(self) -> tuple[bytes, Counter[str]]:
        """Give 1 or 0 for each example, in order, and how many each category loses."""
        keep, lost = bytearray(b"\1" * self._count), Counter[str]()
        for label, places in self._places.items():
            if len(places) <= self._at_most:
                continue
            kept = self._choose(places, np.stack(self._signatures[label]))
            for place in places:
                keep[place] = place in kept
            lost[label] = len(places) - len(kept)
        return bytes(keep), lost

    def _choose(self, places: list[int], signatures: Signatures) -> set[int]:
        is_real = np.array([place not in self._synthetic for place in places])
        real, made = np.flatnonzero(is_real), np.flatnonzero(~is_real)
        if len(real) >= self._at_most:
            chosen = most_varied(signatures, real, self._at_most, self._seed)
        else:
            chosen = [*real.tolist(), *most_varied(signatures, made, self._at_most - len(real), self._seed)]
        return {places[place] for place in chosen}


def most_varied(signatures: Signatures, candidates: np.ndarray, count: int, seed: int) -> list[int]:
    """Choose candidates one by one, each the one least like any that was chosen before (Gonzalez 1985, farthest first)."""
    generator = np.random.default_rng(seed)
    room = max(count, math.floor(MOST_COMPARISONS / max(1, count)))
    if len(candidates) > room:
        candidates = np.sort(generator.choice(candidates, room, replace=False))
    if count >= len(candidates):
        return [int(place) for place in candidates]
    some = signatures[candidates]
    chosen = [int(generator.integers(len(candidates)))]
    closest = np.zeros(len(candidates))
    while len(chosen) < count:
        closest = np.maximum(closest, (some == some[chosen[-1]]).mean(axis=1))
        closest[chosen[-1]] = 2.0  # never again
        chosen.append(int(closest.argmin()))
    return [int(candidates[place]) for place in chosen]


def count_categories(examples: Iterable[Example]) -> tuple[Counter[CategoryId], Counter[CategoryId]]:
    """Count the examples of each category, and those of them that a machine wrote."""
    counts, synthetic = Counter[CategoryId](), Counter[CategoryId]()
    for example in examples:
        counts.update(example.labels)
        if example.is_synthetic:
            synthetic.update(example.labels)
    return counts, synthetic
