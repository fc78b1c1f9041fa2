"""Curves and answers for the tests of calibration and thresholds."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cubbyd.classify.calibration import Calibration, Curve, Temperature, Thresholds
from cubbyd.classify.protocol import Classifier, Provenance
from cubbyd.config import Labels
from cubbyd.evaluation.answer import Answers
from cubbyd.taxonomy import CategoryId

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
NAMES = tuple(CategoryId(name) for name in ("absence", "billing", "pickup", "meals"))


def curve_of(classifier: Classifier, temperature: float = 1.0, curve: Curve | None = None) -> Calibration:
    """A curve for exactly this classifier."""
    return Calibration(
        kind=classifier.provenance.kind,
        model=classifier.provenance.model,
        renderer=classifier.provenance.renderer,
        created=NOW,
        examples=100,
        categories=classifier.categories,
        curve=curve or Temperature(temperature=temperature),
        error_before=0.2,
        error_after=0.03,
    )


def thresholds_of(provenance: Provenance, labels: Labels = Labels.ONE, **values: float | str) -> Thresholds:
    """Thresholds for exactly this version."""
    return Thresholds.model_validate(
        {
            "kind": provenance.kind,
            "model": provenance.model,
            "renderer": provenance.renderer,
            "created": NOW,
            "examples": 100,
            "labels": labels,
            "precision": 0.98,
            "confidence": 0.9,
            "thresholds": values,
        }
    )


def answers(
    probabilities: ArrayLike, labels: ArrayLike, *, groups: ArrayLike | None = None, dates: ArrayLike | None = None
) -> Answers:
    """Answers with one right category a mail, given by its column."""
    given, right = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    return Answers(
        categories=NAMES[: given.shape[1]],
        probabilities=given,
        truths=right[:, None] == np.arange(given.shape[1]),
        held=np.zeros(len(given), dtype=bool),
        groups=np.arange(len(given)) if groups is None else np.asarray(groups, dtype=np.int64),
        dates=None if dates is None else np.asarray(dates, dtype=np.float64),
    )


def world(mails: int, temperature: float, seed: int, categories: int = 4) -> Answers:
    """Mails whose category is drawn from known probabilities, told by a classifier that is off by a temperature.

    Divided by the same temperature, its probabilities are the true ones.
    """
    generator = np.random.default_rng(seed)
    logits: NDArray[np.float64] = generator.normal(0, 2, (mails, categories))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [generator.choice(categories, p=row) for row in truth]
    told = np.exp(logits * temperature)
    return answers(told / told.sum(axis=1, keepdims=True), labels)
