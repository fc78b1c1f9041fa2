"""Finding the curve that makes a classifier's probabilities hold, and measuring it on mail that it was not found on.

A temperature is the rule: one number, which cannot overfit and changes no decision. Curves of Platt's, two numbers a category,
and isotonic ones, which bend anywhere and overfit badly on few examples, are tried only where every category has enough of
them, and taken only where cross-validation finds a lower loss. Where a mail can have several categories, each has a curve of
Platt's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from cubbyd.classify.calibration import LEAST, Curve, Isotonic, Platt, Temperature, to_logit
from cubbyd.evaluation.answer import Answers
from cubbyd.evaluation.fold import assign_folds
from cubbyd.evaluation.metric import Floats, Truths, calibration_error

TEMPERATURES: Final = (0.05, 500.0)
"""The bounds of the search; naive Bayes, which counts every word as a proof of its own, wants some hundred."""
SLOPES: Final = (0.01, 50.0)
OFFSETS: Final = (-50.0, 50.0)
FEWEST_FOR_PLATT: Final = 10
FEWEST_FOR_ISOTONIC: Final = 40
"""Right examples of each category; with ten, isotonic curves made every set of the measurements worse."""

AS_IT_IS: Final = "as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A way to calibrate, how well it did on mail that it was not fitted on, and its curve, fitted on all."""

    method: str
    error: float
    """The expected calibration error, 0 to 1."""
    loss: float
    """The log loss, in nats a mail (in nats a mail and category, where a mail can have several)."""
    accuracy: float
    """The share of mails whose most probable category is right."""
    curve: Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Every way that was tried, and the one with the least loss."""

    before: Fit
    """The probabilities as they are."""
    tried: tuple[Fit, ...]
    best: Fit
    held_out: Answers
    """Every mail with the probabilities of the best way, fitted without the mail's own fold; for pictures."""


def fit_calibration(answers: Answers, *, several: bool = False, seed: int = 0) -> Outcome:
    """Find the best curve for these answers; `several` says that a mail can have many categories.

    Mails that the classifier wants a person for are passed over: nothing is filed by their probabilities. Raises ValueError
    where fewer than two groups of mails are left.
    """
    kept = answers.pick(np.flatnonzero(~answers.held))
    if len(np.unique(kept.groups)) < 2:  # noqa: PLR2004
        raise ValueError("two mails that do not belong together are needed at least")
    folds = assign_folds(kept.groups, kept.dates, seed=seed)
    loss = _loss_of_each if several else _loss_of_one
    before = _score(AS_IT_IS, kept, _unchanging(kept, several=several), loss, several=several)
    tried, seen = [before], {AS_IT_IS: kept}
    for method, fit in _methods(kept, several=several).items():
        held_out = np.empty_like(kept.probabilities)
        for fold in np.unique(folds):
            inside = np.flatnonzero(folds == fold)
            held_out[inside] = fit(kept.pick(np.flatnonzero(folds != fold))).apply(kept.probabilities[inside])
        seen[method] = replace(kept, probabilities=held_out)
        tried.append(_score(method, seen[method], fit(kept), loss, several=several))
    best = min(tried, key=lambda one: one.loss)
    return Outcome(before=before, tried=tuple(tried), best=best, held_out=seen[best.method])


def _methods(answers: Answers, *, several: bool) -> Mapping[str, Callable[[Answers], Curve]]:
    if several:
        return {"platt": fit_platt}
    methods: dict[str, Callable[[Answers], Curve]] = {"temperature": fit_temperature}
    fewest = answers.truths.sum(axis=0).min()
    if fewest >= FEWEST_FOR_PLATT:
        methods["platt"] = partial(fit_platt, is_shared=True)
    if fewest >= FEWEST_FOR_ISOTONIC:
        methods["isotonic"] = fit_isotonic
    return methods


def _unchanging(answers: Answers, *, several: bool) -> Curve:
    """Give the curve that changes nothing; a temperature would scale rows that need not sum to 1."""
    columns = len(answers.categories)
    unchanging = Platt(slopes=(1.0,) * columns, offsets=(0.0,) * columns, is_shared=False)
    return unchanging if several else Temperature(temperature=1.0)


def _score(method: str, answers: Answers, curve: Curve, loss: Callable[[Floats, Truths], float], *, several: bool) -> Fit:
    flat = (answers.probabilities.ravel(), answers.truths.ravel()) if several else (answers.confidence, answers.right)
    return Fit(
        method=method,
        error=calibration_error(*flat),
        loss=loss(answers.probabilities, answers.truths),
        accuracy=float(answers.right.mean()),
        curve=curve,
    )


def _loss_of_one(probabilities: Floats, truths: Truths) -> float:
    """Give the log loss of the right category; where that cannot be chosen, the mean over all stands for it."""
    return float(-(_targets(truths) * np.log(np.maximum(probabilities, LEAST))).sum(axis=1).mean())


def _loss_of_each(probabilities: Floats, truths: Truths) -> float:
    kept = np.clip(probabilities, LEAST, 1 - LEAST)
    return float(-np.where(truths, np.log(kept), np.log1p(-kept)).mean())


def _targets(truths: Truths) -> Floats:
    """Share a mail's weight among its right categories, or among all where none of them can be chosen."""
    counts = truths.sum(axis=1, keepdims=True)
    return np.asarray(np.where(counts > 0, truths / np.maximum(counts, 1), 1 / truths.shape[1]))


def fit_temperature(answers: Answers) -> Temperature:
    """Find the temperature with the least log loss.

    The targets are a little below 1, as in Platt's scaling, so that a few mails, all told right, do not make certainty.
    """
    from scipy.optimize import minimize_scalar  # calibrating alone needs it

    doubt = 1 / (len(answers) + 2)
    targets = (1 - doubt) * _targets(answers.truths) + doubt / len(answers.categories)

    def loss(log_temperature: float) -> float:
        calibrated = Temperature(temperature=math.exp(log_temperature)).apply(answers.probabilities)
        return float(-(targets * np.log(np.maximum(calibrated, LEAST))).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=tuple(map(math.log, TEMPERATURES)), method="bounded")
    return Temperature(temperature=math.exp(found.x))


def fit_platt(answers: Answers, *, is_shared: bool = False) -> Platt:
    """Find a logistic curve for each category; one that no mail has keeps its probabilities as they are."""
    curves = [
        _fit_logistic(to_logit(column), truths) if truths.any() else (1.0, 0.0)
        for column, truths in zip(answers.probabilities.T, answers.truths.T, strict=True)
    ]
    slopes, offsets = zip(*curves, strict=True)
    return Platt(slopes=slopes, offsets=offsets, is_shared=is_shared)


def _fit_logistic(logits: Floats, truths: Truths) -> tuple[float, float]:
    """Fit slope and offset with Platt's targets, (n + 1) / (n + 2) for right ones, so that they stay finite."""
    from scipy.optimize import minimize  # calibrating alone needs it

    hits = int(truths.sum())
    targets = np.where(truths, (hits + 1) / (hits + 2), 1 / (len(truths) - hits + 2))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        shifted = parameters[0] * logits + parameters[1]
        value = float((np.logaddexp(0, shifted) - targets * shifted).mean())
        gap = 1 / (1 + np.exp(-np.clip(shifted, -500, 500))) - targets
        return value, np.array([(gap * logits).mean(), gap.mean()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[SLOPES, OFFSETS])
    return float(found.x[0]), float(found.x[1])


def fit_isotonic(answers: Answers) -> Isotonic:
    """Find a rising curve for each category against the rest; none reaches 0 or 1, as none of them is known to."""
    from sklearn.isotonic import IsotonicRegression  # calibrating alone needs it

    doubt = 1 / (len(answers) + 2)
    curves = []
    for column, truths in zip(answers.probabilities.T, answers.truths.T, strict=True):
        fitted = IsotonicRegression(y_min=doubt, y_max=1 - doubt).fit(column, truths.astype(np.float64))
        points = zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True)
        curves.append(tuple((min(1.0, max(0.0, x)), min(1.0, max(0.0, y))) for x, y in points))
    return Isotonic(curves=tuple(curves))
