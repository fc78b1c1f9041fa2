"""Thresholds that keep a promise: of the mail filed into a category, at least a wanted share is right. Pure.

The promise is about the lower confidence bound of that share and not about the share seen: nine right ones of nine do not
prove nine tenths. The threshold is looked for among the probabilities seen, from the highest down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cubbyd.evaluation.answer import Answers
from cubbyd.evaluation.metric import Floats, Truths, lower_bound, right_in_a_row
from cubbyd.taxonomy import CategoryId


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryThreshold:
    """What was found for one category."""

    category: CategoryId
    threshold: float | None
    """The least probability that keeps the promise; None: no probability does, and nothing is filed here by itself."""
    examples: int
    """How many mails really belong here."""
    candidates: int
    """How many mails the classifier would choose it for, were any probability enough."""
    filed: int
    """How many of them reach the threshold."""
    right: int
    """How many of the filed are right; without a threshold, how many of the candidates."""
    bound: float
    """The lower confidence bound of the share of right ones among the filed; the best one there is without a threshold."""
    together: bool = False
    """Whether the threshold is one for several categories, and the promise about their mail together."""

    @property
    def precision(self) -> float | None:
        """The share of right ones seen; None where there is nothing to see."""
        of = self.filed if self.threshold is not None else self.candidates
        return self.right / of if of else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The thresholds of all categories, and what they come to together."""

    categories: tuple[CategoryThreshold, ...]
    mails: int
    filed: int
    """How many mails would be filed by themselves, into one category at least."""
    right: int
    """How many of these are right: into none but right ones."""
    needed: int
    """How many right ones in a row a category needs at least before any threshold can keep the promise."""


def find_thresholds(
    answers: Answers, *, precision: float, confidence: float, several: bool = False, together: bool = False
) -> Promise:
    """Find, for each category, the least threshold at which the lower bound of the precision reaches the wanted one.

    `precision` and `confidence` are above 0 and below 1. Without `several` a mail counts for its most probable category
    alone, as the daemon decides. Mails that the classifier wants a person for are filed nowhere. With `together` the
    categories whose own mail proves no threshold get a common one, if their mail together proves it.
    """
    candidates = answers.probabilities > 0 if several else np.zeros_like(answers.truths)
    if not several:
        candidates[np.arange(len(answers)), answers.tops] = True
    candidates &= ~answers.held[:, None]
    found = [
        _find_one(
            category,
            answers.probabilities[candidates[:, column], column],
            answers.truths[candidates[:, column], column],
            precision,
            confidence,
            int(answers.truths[:, column].sum()),
        )
        for column, category in enumerate(answers.categories)
    ]
    if together:
        found = _find_common(answers, candidates, found, precision, confidence)
    least = np.array([np.inf if one.threshold is None else one.threshold for one in found])
    files = candidates & (answers.probabilities >= least)
    filed = files.any(axis=1)
    return Promise(
        categories=tuple(found),
        mails=len(answers),
        filed=int(filed.sum()),
        right=int((filed & ~(files & ~answers.truths).any(axis=1)).sum()),
        needed=right_in_a_row(precision, confidence),
    )


def _find_common(
    answers: Answers, candidates: Truths, found: list[CategoryThreshold], precision: float, confidence: float
) -> list[CategoryThreshold]:
    """Look once more at the mail of all categories without a threshold, as if it were that of one category."""
    open_ones = np.array([one.threshold is None for one in found])
    chosen = candidates & open_ones
    common = _find_one(CategoryId(""), answers.probabilities[chosen], answers.truths[chosen], precision, confidence, 0)
    if common.threshold is None:
        return found
    shared = []
    for column, one in enumerate(found):
        filed = chosen[:, column] & (answers.probabilities[:, column] >= common.threshold)
        right = int((filed & answers.truths[:, column]).sum())
        ours = replace(one, threshold=common.threshold, filed=int(filed.sum()), right=right, bound=common.bound, together=True)
        shared.append(ours if one.threshold is None else one)
    return shared


def _find_one(
    category: CategoryId, scores: Floats, truths: Truths, precision: float, confidence: float, examples: int
) -> CategoryThreshold:
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truths[order], dtype=np.int64)
    ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True)) if len(ranked) else np.array([], dtype=np.int64)
    bounds = lower_bound(hits[ends], ends + 1, confidence) if len(ends) else np.zeros(0)
    keeping = np.flatnonzero(bounds >= precision)
    if not len(keeping):
        return CategoryThreshold(
            category=category,
            threshold=None,
            examples=examples,
            candidates=len(scores),
            filed=0,
            right=int(truths.sum()),
            bound=float(bounds.max(initial=0.0)),
        )
    last = ends[keeping[-1]]
    return CategoryThreshold(
        category=category,
        threshold=float(ranked[last]),
        examples=examples,
        candidates=len(scores),
        filed=int(last + 1),
        right=int(hits[last]),
        bound=float(bounds[keeping[-1]]),
    )
