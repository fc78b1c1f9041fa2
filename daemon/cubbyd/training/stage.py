"""Training in two stages: a linear model learns from one set of examples and then goes on with another.

To go on with a linear model means to hold its weights near what the first set taught: the second training is punished for how
far it leaves those weights, where an ordinary one is punished for how far it leaves 0 (Chelba and Acero 2004, "Adaptation of
Maximum Entropy Capitalizer: Little Data Can Help a Lot"). A plain warm start would forget where it began: the loss has one
lowest point, and a solver finds it from anywhere. Losses, strengths and weights of examples are those of scikit-learn's
LinearSVC and LogisticRegression, so that with weights of 0 to begin with the outcome is theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.feature import Floats
from cubbyd.classify.logit import softmax
from cubbyd.training.head import Targets

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_Doubles: TypeAlias = NDArray[np.float64]
_Objective: TypeAlias = Callable[[_Doubles], tuple[float, _Doubles]]

MOST_STEPS: Final = 300
FLAT: Final = 1e-4
"""How steep the loss may still be where the search ends."""


def separate_further(
    features: csr_array, targets: Targets, start: tuple[Floats, Floats], *, strength: float
) -> tuple[Floats, Floats]:
    """Go on with support vector machines, one a category against the rest, with the squared hinge loss.

    `features`, (mails, columns), and `targets`, (mails, categories), one true in a row, are those of the second stage;
    `start` has the weights, (columns, categories), and bias, (categories,), of the first. Categories weigh as in "balanced".
    One that the second stage has no example of stays as it was. Gives weights and bias as `start` has them.
    """
    weights, bias = (part.astype(np.float64) for part in start)
    weighing = _weigh(targets)
    for place in np.flatnonzero(targets.any(axis=0)):
        own = targets[:, place]
        signs, costs = np.where(own, 1.0, -1.0), strength * np.where(own, weighing[place], 1.0)
        begin = np.append(weights[:, place], bias[place])
        found = _search(_hinge(features, signs, costs, begin), begin)
        weights[:, place], bias[place] = found[:-1], found[-1]
    return weights.astype(np.float32), bias.astype(np.float32)


def regress_further(
    features: csr_array, targets: Targets, start: tuple[Floats, Floats], *, strength: float
) -> tuple[Floats, Floats]:
    """Go on with logistic regression of all categories together that the second stage has examples of; else the same."""
    weights, bias = (part.astype(np.float64) for part in start)
    there = np.flatnonzero(targets.any(axis=0))
    costs = _weigh(targets)[targets.argmax(axis=1)] * strength
    begin = np.vstack([weights[:, there], bias[there]])
    found = _search(_surprise(features, targets[:, there], costs, begin), begin.ravel()).reshape(begin.shape)
    weights[:, there], bias[there] = found[:-1], found[-1]
    return weights.astype(np.float32), bias.astype(np.float32)


def _weigh(targets: Targets) -> _Doubles:
    """Weigh each category: all examples / (categories that occur x its examples)."""
    counts = targets.sum(axis=0)
    return np.asarray(len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1)))


def _hinge(features: csr_array, signs: _Doubles, costs: _Doubles, begin: _Doubles) -> _Objective:
    """Make the loss of one category, with its slope, at weights with the bias behind them, which is held near too."""

    def measure(at: _Doubles) -> tuple[float, _Doubles]:
        moved = at - begin
        short = np.maximum(0.0, 1 - signs * (features @ at[:-1] + at[-1]))
        pull = -2 * costs * short * signs
        slope = moved + np.append(features.T @ pull, pull.sum())
        return float(moved @ moved / 2 + costs @ short**2), slope

    return measure


def _surprise(features: csr_array, targets: Targets, costs: _Doubles, begin: _Doubles) -> _Objective:
    """Make the loss of all categories together, with its slope, at weights with a last row for the bias, which is free."""

    def measure(flat: _Doubles) -> tuple[float, _Doubles]:
        at = flat.reshape(begin.shape)
        moved = at - begin
        moved[-1] = 0
        shares = softmax(features @ at[:-1] + at[-1])
        logs = np.log(shares[targets] + np.finfo(float).tiny)
        pull = (shares - targets) * costs[:, None]
        slope = moved + np.vstack([features.T @ pull, pull.sum(axis=0)])
        return float((moved**2).sum() / 2 - costs @ logs), slope.ravel()

    return measure


def _search(objective: _Objective, begin: _Doubles) -> _Doubles:
    """Find the lowest point (L-BFGS)."""
    from scipy.optimize import minimize  # training alone needs it

    found = minimize(objective, begin, jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS, "gtol": FLAT})
    return np.asarray(found.x)
