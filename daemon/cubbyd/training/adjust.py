"""What is done to the margins of trained classifiers before they are probabilities, and how good the result is.

One category a mail: from each margin a share of the logarithm of the category's own share of the examples is taken away, so
that a large category does not draw what is doubtful (Menon et al. 2021, "Long-tail learning via logit adjustment"); then one
temperature makes probabilities of them (Guo et al. 2017, "On Calibration of Modern Neural Networks"). Several categories: a
slope and a shift for each (cubbyd.training.blend). All of it is fitted on margins of examples that were held out.

scikit-learn and scipy are imported by the functions that need them: the daemon never loads them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.local import sigmoid, softmax
from cubbyd.classify.modelfile import Quality
from cubbyd.config import Labels
from cubbyd.evaluation.metric import calibration_error, macro_f1
from cubbyd.training.blend import fit_blend

SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How much of the prior to take away, to choose from."""

TEMPERATURES: Final = (0.01, 10.0)
"""The bounds of the search; the margins of a support vector machine want about 0.1."""

USUAL_SLOPE: Final = 8.0
"""What a margin counts where a mail can have several categories and too few examples say how much."""
YES: Final = 0.5
"""From this probability on a category counts as given, where quality is measured with several categories."""
PARTS: Final = 5
"""Into how many parts held-out examples are dealt, so that slopes and shifts are measured on others than they are fitted on."""

Integers: TypeAlias = NDArray[np.int64]
Logits: TypeAlias = NDArray[np.float64]
Targets: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Makes logits of margins: (margins x slopes + shifts) / temperature."""

    slopes: Logits
    """Shape (categories,)."""
    shifts: Logits
    """Shape (categories,)."""
    temperature: float
    quality: Quality
    loss: float
    """What choosing goes by, in nats; less is better."""


def adjust(margins: Logits, targets: Targets, counts: Integers, labels: Labels) -> Adjustment:
    """Find the best adjustment for the margins of held-out examples, (examples, categories), and what was right.

    `counts` says how many examples of each category the model is trained on.
    """
    if labels is Labels.MANY:
        return _adjust_each(margins, targets)
    truth = targets.argmax(axis=1)
    return min((_take_share(margins, truth, counts, share) for share in SHARES), key=lambda found: found.loss)


def _take_share(margins: Logits, truth: Integers, counts: Integers, share: float) -> Adjustment:
    """Take a share of the prior away; the loss is the mean of those of all examples and of all categories alike.

    By the loss of examples alone the large categories would decide, by that of categories alone the handful of the smallest.
    """
    prior = np.log(counts / counts.sum())
    scale, _ = fit_temperature(margins, truth)
    shifts = -scale * share * (prior - prior.mean())
    temperature, loss = fit_temperature(margins + shifts, truth)
    probabilities = softmax((margins + shifts) / temperature)
    losses = -np.log(probabilities[np.arange(len(truth)), truth] + np.finfo(float).tiny)
    by_category = [losses[truth == category].mean() for category in np.unique(truth)]
    quality = Quality(
        examples=len(truth),
        accuracy=float((probabilities.argmax(axis=1) == truth).mean()),
        macro_f1=macro_f1(probabilities.argmax(axis=1), truth),
        calibration_error=expected_calibration_error(probabilities, truth),
    )
    return Adjustment(
        slopes=np.ones(len(counts)),
        shifts=shifts,
        temperature=temperature,
        quality=quality,
        loss=(loss + float(np.mean(by_category))) / 2,
    )


def _adjust_each(margins: Logits, targets: Targets) -> Adjustment:
    """Find slope and shift of each category; they are measured on examples that they were not fitted on."""
    probabilities = np.zeros(targets.shape)
    part = np.random.default_rng(0).permutation(len(targets)) % PARTS
    for number in np.unique(part):
        rest, own = part != number, part == number
        fitted = fit_blend([margins[rest]], targets[rest], Labels.MANY, [USUAL_SLOPE])
        probabilities[own] = sigmoid(fitted.logits([margins[own]]))
    blend = fit_blend([margins], targets, Labels.MANY, [USUAL_SLOPE])
    kept = np.clip(probabilities, np.finfo(float).eps, 1 - np.finfo(float).eps)
    tops = probabilities.argmax(axis=1)
    return Adjustment(
        slopes=blend.weights[0] * blend.slopes,
        shifts=blend.shifts,
        temperature=1.0,
        quality=Quality(
            examples=len(targets),
            accuracy=float(targets[np.arange(len(targets)), tops].mean()),
            macro_f1=mean_f1(probabilities >= YES, targets),
            calibration_error=calibration_error(probabilities.ravel(), targets.ravel()),
        ),
        loss=float(-np.where(targets, np.log(kept), np.log1p(-kept)).mean()),
    )


def mean_f1(given: Targets, targets: Targets) -> float:
    """Give the mean F1 over the categories that some mail has, where mails can have several; both (mails, categories)."""
    there = targets.any(axis=0)
    hits = 2 * (given & targets).sum(axis=0)[there]
    return float((hits / (given.sum(axis=0) + targets.sum(axis=0))[there]).mean())


def fit_temperature(logits: Logits, labels: Integers) -> tuple[float, float]:
    """Find what to divide logits by so that their softmax is calibrated; give it and the loss (nats an example) with it.

    The targets are a little below 1, as in Platt's scaling, so that a few examples, all told right, do not make certainty.
    """
    from scipy.optimize import minimize_scalar  # training alone needs it

    doubt = 1 / (len(labels) + 2)

    def loss(log_temperature: float) -> float:
        logs = np.log(softmax(logits / math.exp(log_temperature)) + np.finfo(float).tiny)
        return float(-((1 - doubt) * logs[np.arange(len(labels)), labels] + doubt * logs.mean(axis=1)).mean())

    found = minimize_scalar(loss, bounds=tuple(map(math.log, TEMPERATURES)), method="bounded")
    return math.exp(found.x), float(found.fun)


def expected_calibration_error(probabilities: Logits, labels: Integers) -> float:
    """Give the mean gap between the top probability and how often it is right, over bins of equal width (Guo et al. 2017)."""
    return calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
