"""Measures of a classifier: how often it is right, how far its probabilities can be believed, what it can be trusted with.

Pure, on numpy arrays. `confidence` is a probability for each answer, `right` whether that answer was right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

BINS: Final = 15

Floats: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The answers whose confidence is in one interval of equal width."""

    low: float
    high: float
    count: int
    confidence: float
    """The mean confidence of these answers."""
    accuracy: float
    """The share of them that is right."""


def reliability(confidence: Floats, right: Truths, bins: int = BINS) -> list[Bin]:
    """Sort answers into bins of equal width by confidence, 0 to 1; bins without an answer are left out."""
    places = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    found = []
    for place in np.unique(places):
        inside = places == place
        found.append(
            Bin(
                low=float(place / bins),
                high=float((place + 1) / bins),
                count=int(inside.sum()),
                confidence=float(confidence[inside].mean()),
                accuracy=float(right[inside].mean()),
            )
        )
    return found


def calibration_error(confidence: Floats, right: Truths, bins: int = BINS) -> float:
    """Give the expected calibration error (ECE), 0 to 1: the mean gap between confidence and accuracy over the bins.

    Bins of equal width, weighted by their answers (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2).
    """
    return sum(one.count * abs(one.confidence - one.accuracy) for one in reliability(confidence, right, bins)) / len(right)


def macro_f1(predicted: Integers, labels: Integers) -> float:
    """Give the mean F1 over the categories that occur among the labels."""
    scores = []
    for category in np.unique(labels):
        hits = int(((predicted == category) & (labels == category)).sum())
        scores.append(2 * hits / int((predicted == category).sum() + (labels == category).sum()))
    return float(np.mean(scores))


def accuracy_at_coverage(confidence: Floats, right: Truths, coverage: float) -> float:
    """Give the accuracy over the most confident share of answers; at least one answer counts."""
    count = max(1, math.floor(coverage * len(right)))
    return float(right[np.argsort(-confidence, kind="stable")[:count]].mean())


def auroc(inside: Floats, outside: Floats) -> float:
    """Give how often a value of `inside` is greater than one of `outside`; equals count half."""
    ordered = np.sort(outside)
    below, not_above = ordered.searchsorted(inside, "left"), ordered.searchsorted(inside, "right")
    return float((below + not_above).mean() / 2 / len(outside))


def lower_bound(right: Integers, asked: Integers, confidence: float) -> Floats:
    """Give the lower confidence bound of each share right/asked: the truth is below it in at most 1 - confidence of cases.

    One-sided and exact (Clopper and Pearson 1934), so that it holds for few answers too; 0 where none was right.
    """
    from scipy.special import betaincinv  # the daemon asks for no bound

    safe = np.maximum(right, 1)
    return np.where(right > 0, betaincinv(safe, asked - safe + 1, 1 - confidence), 0.0)


def right_in_a_row(precision: float, confidence: float) -> int:
    """Give how many answers, all of them right, it takes for the lower bound to reach a precision below 1."""
    return math.ceil(math.log(1 - confidence) / math.log(precision))
