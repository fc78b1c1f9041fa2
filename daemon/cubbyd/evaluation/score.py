"""How good answers are, each number with an interval: 95 % of a bootstrap over groups of mails. Pure.

What belongs together (a thread, the same text) is drawn together, or intervals would be too narrow (Efron and Tibshirani
1993, "An Introduction to the Bootstrap", chapters 8 and 13). Where every one of some mails is right the bootstrap sees no
doubt at all; the exact bound of Clopper and Pearson stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cubbyd.classify.calibration import LEAST
from cubbyd.evaluation.answer import Answers
from cubbyd.evaluation.metric import BINS, Floats, Integers, Truths, lower_bound
from cubbyd.taxonomy import CategoryId

DRAWS: Final = 1000
LOW, HIGH = 2.5, 97.5
"""Percentiles: the interval holds the middle 95 % of the draws."""
SURE: Final = 0.975


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its interval; low <= value <= high."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Answers turned into choices that are right or wrong, as pairs of a mail's row and a category's column."""

    answers: Answers
    several: bool
    chosen: tuple[Integers, Integers]
    """What was chosen: the most probable category, or, where a mail can have several, each that reaches its threshold."""
    wanted: tuple[Integers, Integers]
    """What is right. Where one is chosen, it is one: the chosen one if that is among the labels, else the first label."""
    hits: tuple[Integers, Integers]
    right: Truths
    """Shape (mails,): the choice is right; where there can be several, it is exactly the right ones."""
    filed: Truths
    """Shape (mails,): would be filed without a person."""
    filed_right: Truths
    """Shape (mails,): and into none but right categories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryScore:
    """How one category fares; None where there is nothing to see."""

    category: CategoryId
    wanted: int
    """How many mails belong here."""
    chosen: int
    """How many mails it was chosen for."""
    hits: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    bias: Estimate | None
    """How many times as often it is chosen as it is right to: above 1 it is favored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """All numbers about a set of answers."""

    mails: int
    groups: int
    numbers: Mapping[str, Estimate | None]
    """By name: accuracy, macro_f1, ...; None where there is nothing to see."""
    categories: tuple[CategoryScore, ...]


def judge(answers: Answers, bars: Floats, *, several: bool = False) -> Judged:
    """Turn answers into choices; `bars`, shape (categories,), are the thresholds from which the daemon files."""
    reached = (answers.probabilities >= bars) & ~answers.held[:, None]
    if several:
        chosen, wanted = _pairs(reached), _pairs(answers.truths)
        wrong = reached & ~answers.truths
        right = ~(reached ^ answers.truths).any(axis=1)
        filed, filed_right = reached.any(axis=1), reached.any(axis=1) & ~wrong.any(axis=1)
        hits = _pairs(reached & answers.truths)
    else:
        rows, tops, right = np.arange(len(answers)), answers.tops, answers.right
        chosen, wanted = (rows, tops), (rows, np.where(right, tops, answers.truths.argmax(axis=1)))
        known = answers.truths.any(axis=1)
        wanted = (wanted[0][known], wanted[1][known])
        hits = (rows[right], tops[right])
        filed = reached[rows, tops]
        filed_right = filed & right
    return Judged(
        answers=answers,
        several=several,
        chosen=chosen,
        wanted=wanted,
        hits=hits,
        right=np.asarray(right),
        filed=np.asarray(filed),
        filed_right=np.asarray(filed_right),
    )


def _pairs(table: Truths) -> tuple[Integers, Integers]:
    rows, columns = table.nonzero()
    return rows, columns


def draw_weights(groups: Integers, *, draws: int = DRAWS, seed: int = 0) -> Iterator[Floats]:
    """Draw groups with replacement; give how often each mail is in each draw, shape (mails,)."""
    generator = np.random.default_rng(seed)
    _, places = np.unique(groups, return_inverse=True)
    count = int(places.max()) + 1
    for _ in range(draws):
        drawn = np.bincount(generator.integers(0, count, count), minlength=count)
        yield drawn[places].astype(np.float64)


def score(judged: Judged, *, draws: int = DRAWS, seed: int = 0) -> Score:
    """Measure everything, with intervals; the same answers and seed give the same numbers."""
    ruler = _Ruler(judged)
    values = ruler.measure(np.ones(len(judged.answers)))
    drawn = np.array([ruler.measure(weights) for weights in draw_weights(judged.answers.groups, draws=draws, seed=seed)])
    estimates = [_estimate(value, column) for value, column in zip(values, drawn.T, strict=True)]
    names = ruler.names
    numbers = dict(zip(names, estimates[: len(names)], strict=True))
    of_each = estimates[len(names) :]
    return Score(
        mails=len(judged.answers),
        groups=len(np.unique(judged.answers.groups)),
        numbers=numbers | _exact_where_certain(judged, numbers),
        categories=_scores_of_categories(judged, ruler, of_each),
    )


def estimate_share(hits: Truths, of: Truths, groups: Integers, *, draws: int = DRAWS, seed: int = 0) -> Estimate | None:
    """Estimate which share of some mails is a hit; None where there are none.

    All have shape (mails,): whether a mail is a hit, whether it counts, and the number of what it belongs together with.
    """
    if not of.any():
        return None
    hit = hits & of
    drawn = []
    for weights in draw_weights(groups, draws=draws, seed=seed):
        among = weights @ of
        drawn.append(weights @ hit / among if among else np.nan)
    return _exactly(_estimate(float(hit.sum() / of.sum()), np.array(drawn)), len(np.unique(groups[of])))


def _estimate(value: float, drawn: Floats) -> Estimate | None:
    """Take the middle of the draws, widened to hold the value itself, which skewed numbers can leave outside."""
    if np.isnan(value):
        return None
    seen = drawn[~np.isnan(drawn)]
    low, high = np.percentile(seen, [LOW, HIGH]) if len(seen) else (value, value)
    return Estimate(value=float(value), low=float(min(low, value)), high=float(max(high, value)))


def _exactly(estimate: Estimate | None, count: int) -> Estimate | None:
    """Put an exact bound in the place of an interval without width, for a share of all or none of `count` groups."""
    if estimate is None or not count or estimate.value not in (0.0, 1.0):
        return estimate
    bound = float(lower_bound(np.array([count]), np.array([count]), SURE)[0])
    if estimate.value == 1.0:
        return Estimate(value=1.0, low=min(bound, estimate.low), high=1.0)
    return Estimate(value=0.0, low=0.0, high=max(1 - bound, estimate.high))


def _exact_where_certain(judged: Judged, numbers: Mapping[str, Estimate | None]) -> dict[str, Estimate | None]:
    groups = judged.answers.groups
    everything, filed = len(np.unique(groups)), len(np.unique(groups[judged.filed]))
    counts = {"accuracy": everything, "exact_match": everything, "filed": everything, "filed_wrong": filed}
    return {name: _exactly(numbers[name], count) for name, count in counts.items() if name in numbers}


class _Ruler:
    """Measures the same answers again and again with other weights for the mails; sums are made once."""

    def __init__(self, judged: Judged) -> None:
        self._judged, self._columns = judged, len(judged.answers.categories)
        self._losses = losses(judged.answers, several=judged.several)
        self._bins = _bin_sums(judged)
        self._jaccard = _jaccard(judged) if judged.several else np.zeros(0)

    @property
    def names(self) -> tuple[str, ...]:
        """What measure() begins with; after it come precision, recall, F1 and bias of each category."""
        always = ("accuracy", "macro_f1", "weighted_f1", "log_loss", "calibration_error", "filed", "filed_wrong")
        return always + (("micro_f1", "jaccard", "exact_match") if self._judged.several else ())

    def counts(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Count hits, choices and right ones of each category."""

        def count(pairs: tuple[Integers, Integers]) -> Floats:
            counted = np.bincount(pairs[1], weights=weights[pairs[0]], minlength=self._columns)
            return counted.astype(np.float64)

        return count(self._judged.hits), count(self._judged.chosen), count(self._judged.wanted)

    def measure(self, weights: Floats) -> Floats:
        judged, total = self._judged, weights.sum()
        hits, chosen, wanted = self.counts(weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision, recall, bias = hits / chosen, hits / wanted, chosen / wanted
            f1 = np.where(wanted > 0, 2 * hits / (chosen + wanted), np.nan)
            bias = np.where(wanted > 0, bias, np.nan)
            filed = weights @ judged.filed
            count, confidence, right = weights @ self._bins
            numbers = [
                weights @ judged.answers.right / total,
                np.nanmean(f1) if (wanted > 0).any() else np.nan,
                np.nansum(f1 * wanted) / wanted.sum(),
                weights @ self._losses / total,
                np.abs(confidence - right).sum() / count.sum(),
                filed / total,
                (filed - weights @ judged.filed_right) / filed,
            ]
            if judged.several:
                numbers += [
                    2 * hits.sum() / (chosen.sum() + wanted.sum()),
                    weights @ self._jaccard / total,
                    weights @ judged.right / total,
                ]
        return np.concatenate([numbers, precision, recall, f1, bias])


def losses(answers: Answers, *, several: bool) -> Floats:
    """Give the log loss of each mail, in nats; where it can have several categories, the mean over all of them."""
    if several:
        kept = np.clip(answers.probabilities, LEAST, 1 - LEAST)
        return np.asarray(-np.where(answers.truths, np.log(kept), np.log1p(-kept)).mean(axis=1))
    rows, columns = answers.truths.nonzero()
    counts = np.bincount(rows, minlength=len(answers))
    logs = np.log(np.maximum(answers.probabilities[rows, columns], LEAST))
    sums = np.bincount(rows, weights=logs, minlength=len(answers))
    unknown = -np.log(LEAST)  # a category that the classifier cannot choose
    return np.where(counts > 0, -sums / np.maximum(counts, 1), unknown)


def _bin_sums(judged: Judged) -> np.typing.NDArray[np.float64]:
    """Sum up, by mail and bin of confidence, what the calibration error is made of; shape (3, mails, bins)."""
    answers = judged.answers
    flat = answers.probabilities if judged.several else answers.confidence[:, None]
    truths = answers.truths if judged.several else answers.right[:, None]
    rows = np.arange(len(answers))[:, None]
    places = (rows * BINS + np.minimum((flat * BINS).astype(np.int64), BINS - 1)).ravel()
    shape = (len(answers), BINS)
    sums = (np.bincount(places, weights=of, minlength=shape[0] * BINS) for of in (None, flat.ravel(), truths.ravel()))
    return np.stack([one.reshape(shape).astype(np.float64) for one in sums])


def _jaccard(judged: Judged) -> Floats:
    mails = len(judged.answers)
    both, chosen, wanted = (np.bincount(rows, minlength=mails) for rows, _ in (judged.hits, judged.chosen, judged.wanted))
    union = chosen + wanted - both
    return np.where(union > 0, both / np.maximum(union, 1), 1.0)


def _scores_of_categories(judged: Judged, ruler: _Ruler, of_each: list[Estimate | None]) -> tuple[CategoryScore, ...]:
    hits, chosen, wanted = ruler.counts(np.ones(len(judged.answers)))
    columns, groups = len(judged.answers.categories), judged.answers.groups
    found = []
    for column, category in enumerate(judged.answers.categories):
        precision, recall, f1, bias = of_each[column::columns]
        of_chosen, of_wanted = (
            len(np.unique(groups[rows[places == column]])) for rows, places in (judged.chosen, judged.wanted)
        )
        found.append(
            CategoryScore(
                category=category,
                wanted=int(wanted[column]),
                chosen=int(chosen[column]),
                hits=int(hits[column]),
                precision=_exactly(precision, of_chosen),
                recall=_exactly(recall, of_wanted),
                f1=_exactly(f1, min(of_chosen, of_wanted)) if f1 and f1.value else f1,
                bias=bias,
            )
        )
    return tuple(found)
