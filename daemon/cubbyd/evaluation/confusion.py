"""Which categories are taken for which others, and what that costs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cubbyd.evaluation.metric import Integers
from cubbyd.evaluation.score import Judged
from cubbyd.taxonomy import CategoryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Mails of one category that another was chosen for."""

    right: CategoryId
    chosen: CategoryId
    mails: int
    filed: int
    """How many of them would be filed wrong without a person looking: these cost most, as nobody notices."""
    rows: tuple[int, ...]
    """The rows of the mails, the surest mistake first."""
    confidences: tuple[float, ...]
    """The probabilities that the wrong category was given, in the same order."""


def confusion_counts(judged: Judged) -> Integers:
    """Count mails by right category (rows) and chosen category (columns), shape (categories, categories).

    Where a mail has several categories, each that was missed is counted with each that was wrongly chosen.
    """
    size = len(judged.answers.categories)
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (judged.hits[1], judged.hits[1]), 1)
    for _, right, chosen in _mistakes(judged):
        counts[right, chosen] += 1
    return counts


def costliest(judged: Judged, *, count: int = 10) -> list[Confusion]:
    """Find the costliest confusions: first by mails that would be filed wrong unseen, then by mails, then by how sure."""
    categories, probabilities = judged.answers.categories, judged.answers.probabilities
    rows_of: dict[tuple[int, int], list[int]] = {}
    for row, right, chosen in _mistakes(judged):
        rows_of.setdefault((right, chosen), []).append(row)
    found = []
    for (right, chosen), rows in rows_of.items():
        ordered = sorted(rows, key=lambda row: -probabilities[row, chosen])
        found.append(
            Confusion(
                right=categories[right],
                chosen=categories[chosen],
                mails=len(rows),
                filed=int(judged.filed[rows].sum()),
                rows=tuple(ordered),
                confidences=tuple(float(probabilities[row, chosen]) for row in ordered),
            )
        )
    found.sort(key=lambda one: (-one.filed, -one.mails, -sum(one.confidences)))
    return found[:count]


def _mistakes(judged: Judged) -> list[tuple[int, int, int]]:
    """Give row, right category and wrongly chosen category of every mistake that is a confusion."""
    hits = set(zip(*(part.tolist() for part in judged.hits), strict=True))
    missed: dict[int, list[int]] = {}
    for row, column in zip(*(part.tolist() for part in judged.wanted), strict=True):
        if (row, column) not in hits:
            missed.setdefault(row, []).append(column)
    return [
        (row, right, column)
        for row, column in zip(*(part.tolist() for part in judged.chosen), strict=True)
        if (row, column) not in hits
        for right in missed.get(row, ())
    ]
