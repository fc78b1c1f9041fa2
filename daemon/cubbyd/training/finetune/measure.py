"""A tuned model on a test set: how often it is right, and macro-F1. Pure, on the arrays of cubbyd.evaluation.answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cubbyd.evaluation.answer import Answers
from cubbyd.evaluation.metric import macro_f1

HALF: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a model is worth on a test set; mails without an answer count as wrong in accuracy."""

    mails: int
    answered: int
    accuracy: float
    """The share of mails of which the categories are exactly right."""
    macro_f1: float
    """The mean F1 over the categories that occur, of the mails that were answered."""


def measure(answers: Answers, *, several: bool) -> Measured:
    """Measure answers; with `several`, a mail has every category that is as probable as not, or more."""
    mails = len(answers) + len(answers.failures)
    if several:
        chosen = answers.probabilities >= HALF
        right = int((chosen == answers.truths).all(axis=1).sum())
        hits = (chosen & answers.truths).sum(axis=0)
        sizes = chosen.sum(axis=0) + answers.truths.sum(axis=0)
        occurring = answers.truths.any(axis=0)
        f1 = float(np.mean(2 * hits[occurring] / sizes[occurring])) if occurring.any() else 0.0
    else:
        right = int(answers.right.sum())
        f1 = macro_f1(answers.tops, np.asarray(answers.truths.argmax(axis=1)))
    return Measured(mails=mails, answered=len(answers), accuracy=right / mails, macro_f1=f1)
