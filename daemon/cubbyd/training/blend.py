"""Weighs heads against each other on held-out scores, and makes probabilities of their sum.

One category a mail: p = softmax(sum of w x score). The weights are those with the least log loss, none below 0; their common
size is the temperature (Guo et al. 2017, "On Calibration of Modern Neural Networks"), so that one small convex search finds
both. Several categories: p = sigmoid(a x sum of w x score + b), with a and b for each category (Platt 1999), held near those of
all categories together as long as there are few examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.logit import sigmoid, softmax
from cubbyd.config import Labels
from cubbyd.training.head import Scores, Targets

MOST_WEIGHT: Final = 200.0
EVIDENCE: Final = 3.0
"""How much the usual weights count: as the doubt of so many examples; a few hundred examples outweigh it."""
HOLD: Final = 2.0
"""How many examples' worth of evidence stands for the slope and shift of all categories together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """How to make logits of the heads' scores."""

    weights: NDArray[np.float64]
    """Shape (heads,)."""
    slopes: NDArray[np.float64]
    """Shape (categories,); all 1 where a mail has one category."""
    shifts: NDArray[np.float64]
    """Shape (categories,); all 0 where a mail has one category."""

    def logits(self, scores: Sequence[Scores]) -> Scores:
        """Give the logits, (mails, categories)."""
        total = np.tensordot(self.weights, np.stack(scores), axes=1)
        return np.asarray(total * self.slopes + self.shifts)


def to_probabilities(logits: Scores, labels: Labels) -> Scores:
    """Make probabilities: of all categories together, or of each alone."""
    return sigmoid(logits) if labels is Labels.MANY else softmax(logits)


def fit_blend(scores: Sequence[Scores], targets: Targets, labels: Labels, usual: Sequence[float]) -> Blend:
    """Find the weights, and for several categories the slope and shift of each.

    `usual` has a weight for each head that holds where there are too few examples to say better.
    """
    categories = targets.shape[1]
    if labels is Labels.ONE:
        ones = np.ones(categories)
        return Blend(weights=_fit_one(scores, targets, np.array(usual, dtype=float)), slopes=ones, shifts=np.zeros(categories))
    weights, shift = _fit_shared(scores, targets, np.array(usual, dtype=float))
    total = Blend(weights=weights, slopes=np.ones(categories), shifts=np.full(categories, shift)).logits(scores)
    places = [_fit_category(total[:, place], targets[:, place]) for place in range(categories)]
    slopes, shifts = np.array([slope for slope, _ in places]), np.array([shift for _, shift in places])
    return Blend(weights=weights, slopes=slopes, shifts=shifts + slopes * shift)


def _fit_one(scores: Sequence[Scores], targets: Targets, usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the weights with the least log loss; targets are a little below 1, as in Platt's scaling."""
    doubt = 1 / (len(targets) + 2)
    wanted = (1 - doubt) * targets + doubt / targets.shape[1]
    stacked, hold = np.stack(scores), EVIDENCE / len(targets)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.tensordot(weights, stacked, axes=1)
        logits -= logits.max(axis=1, keepdims=True)
        totals = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        gaps = np.exp(logits - totals) - wanted
        value = -(wanted * (logits - totals)).sum() / len(targets) + hold * float(((weights - usual) ** 2).sum())
        slopes = np.tensordot(stacked, gaps, axes=([1, 2], [0, 1])) / len(targets)
        return float(value), slopes + 2 * hold * (weights - usual)

    return _search(loss, usual, [(0.0, MOST_WEIGHT)] * len(scores))


def _fit_shared(scores: Sequence[Scores], targets: Targets, usual: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Find the weights and one shift for all categories, for probabilities of each alone."""
    stacked, wanted, hold = np.stack(scores), _soften(targets), EVIDENCE / targets.size

    def loss(found: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.tensordot(found[:-1], stacked, axes=1) + found[-1]
        gaps = (sigmoid(logits) - wanted) / targets.size
        away = found[:-1] - usual
        value = (np.logaddexp(0, logits) - wanted * logits).mean() + hold * float(away @ away)
        slopes = np.tensordot(stacked, gaps, axes=([1, 2], [0, 1])) + 2 * hold * away
        return float(value), np.append(slopes, gaps.sum())

    found = _search(loss, np.append(usual, 0.0), [(0.0, MOST_WEIGHT)] * len(scores) + [(-50.0, 50.0)])
    return np.asarray(found[:-1]), float(found[-1])


def _fit_category(logits: NDArray[np.float64], targets: NDArray[np.bool_]) -> tuple[float, float]:
    """Find slope and shift of one category, held near 1 and 0."""
    wanted = _soften(targets)

    def loss(found: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        moved = found[0] * logits + found[1]
        away = found - np.array([1.0, 0.0])
        gaps = sigmoid(moved) - wanted
        value = (np.logaddexp(0, moved) - wanted * moved).sum() + HOLD * float(away @ away)
        return float(value), np.array([gaps @ logits, gaps.sum()]) + 2 * HOLD * away

    slope, shift = _search(loss, np.array([1.0, 0.0]), [(0.05, 20.0), (-20.0, 20.0)])
    return float(slope), float(shift)


def _soften(targets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give Platt's targets: a little below 1 and above 0, the less the more examples there are."""
    positive = targets.sum(axis=0)
    negative = len(targets) - positive
    return np.asarray(np.where(targets, (positive + 1) / (positive + 2), 1 / (negative + 2)))


def _search(
    loss: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]],
    start: NDArray[np.float64],
    bounds: Sequence[tuple[float, float]],
) -> NDArray[np.float64]:
    from scipy.optimize import minimize  # training alone needs it

    found: NDArray[np.float64] = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found
