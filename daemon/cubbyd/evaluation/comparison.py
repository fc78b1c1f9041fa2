"""Classifiers side by side on the same mail: is one better than another, or was it chance? Pure.

Two tests of each pair, which answer slightly different questions: McNemar's exact test counts the mails that only one of the
two got right (McNemar 1947; exact as the sign test is), and a paired bootstrap draws whole groups of mails and looks at the
difference. Where many are compared, the best of them is best by chance more easily; Holm's correction (1979) pays for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cubbyd.evaluation.metric import Floats, Truths
from cubbyd.evaluation.score import HIGH, LOW, Estimate, Judged, Score, draw_weights

SIGNIFICANT: Final = 0.05
PER: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One classifier with what it did on the mails that all contestants answered."""

    name: str
    judged: Judged
    score: Score
    milliseconds: float
    """A thousand mails."""
    money: float
    """A thousand mails, in the currency of the backend's price list."""

    @property
    def accuracy(self) -> Estimate:
        """The share of mails told right: exactly right, where a mail can have several categories."""
        found = self.score.numbers["exact_match" if self.judged.several else "accuracy"]
        return found or Estimate(value=0.0, low=0.0, high=1.0)

    @property
    def right(self) -> Truths:
        """Shape (mails,): whether each mail was told right in the sense of accuracy."""
        return self.judged.right


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """The best of the contestants against another."""

    best: str
    other: str
    best_alone: int
    """Mails that only the best got right."""
    other_alone: int
    difference: Estimate
    """Of accuracy, best less other; by the paired bootstrap."""
    p_value: float
    """Of McNemar's exact test, corrected for the number of duels."""

    @property
    def is_decided(self) -> bool:
        """Both tests say that it was no chance."""
        return self.p_value < SIGNIFICANT and self.difference.low > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All duels of the best, and what follows."""

    best: Contestant
    recommended: Contestant
    duels: tuple[Duel, ...]
    sentence: str


def mcnemar(first_alone: int, second_alone: int) -> float:
    """Give the two-sided p-value: how often chance alone splits so many disagreements so unevenly."""
    from scipy.special import bdtr  # comparing alone needs it

    together = first_alone + second_alone
    return min(1.0, 2 * float(bdtr(min(first_alone, second_alone), together, 0.5))) if together else 1.0


def paired_difference(first: Truths, second: Truths, groups: np.typing.NDArray[np.int64], *, seed: int = 0) -> Estimate:
    """Give the difference of two accuracies, first less second, with the interval of a paired bootstrap over groups."""
    gain = first.astype(np.float64) - second
    drawn: Floats = np.array([float(weights @ gain / weights.sum()) for weights in draw_weights(groups, seed=seed)])
    value, (low, high) = float(gain.mean()), np.percentile(drawn, [LOW, HIGH])
    return Estimate(value=value, low=float(min(low, value)), high=float(max(high, value)))


def correct(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979), in the given order."""
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = highest
    return corrected


def compare(contestants: Sequence[Contestant], *, seed: int = 0) -> Verdict:
    """Find the best of two or more contestants, hold every other against it, and recommend one.

    Recommended is, of those that are not proven to be worse than the best, the cheapest in money, then the most accurate.
    """
    best = max(contestants, key=lambda one: one.accuracy.value)
    others = [one for one in contestants if one is not best]
    duels = [_duel(best, other, seed) for other in others]
    corrected = correct([duel.p_value for duel in duels])
    duels = [replace(duel, p_value=p_value) for duel, p_value in zip(duels, corrected, strict=True)]
    level = [best, *(other for other, duel in zip(others, duels, strict=True) if not duel.is_decided)]
    recommended = min(level, key=lambda one: (one.money, -one.accuracy.value, one.milliseconds))
    sentence = _recommend(best, recommended, level, duels)
    return Verdict(best=best, recommended=recommended, duels=tuple(duels), sentence=sentence)


def _duel(best: Contestant, other: Contestant, seed: int) -> Duel:
    best_alone, other_alone = int((best.right & ~other.right).sum()), int((other.right & ~best.right).sum())
    return Duel(
        best=best.name,
        other=other.name,
        best_alone=best_alone,
        other_alone=other_alone,
        difference=paired_difference(best.right, other.right, best.judged.answers.groups, seed=seed),
        p_value=mcnemar(best_alone, other_alone),
    )


def _recommend(best: Contestant, recommended: Contestant, level: Sequence[Contestant], duels: Sequence[Duel]) -> str:
    share = f"{best.accuracy.value:.1%} of {best.score.mails} mails right"
    if len(level) == 1:
        nearest = min(duels, key=lambda duel: duel.difference.value)
        gap = nearest.difference
        return (
            f"Take {best.name}: {share}, {_points(gap.value)} points more than {nearest.other} "
            f"(between {_points(gap.low)} and {_points(gap.high)}), and that is no chance (p = {nearest.p_value:.2g})."
        )
    if recommended is best:
        rest = ", ".join(one.name for one in level if one is not best)
        cheap = "no other is cheaper" if any(one.money for one in level) else "none of them costs money"
        return (
            f"Take {best.name}: {share}; on these mails it cannot be told from {rest}, and {cheap}. "
            "More labeled mail would show whether there is a difference."
        )
    return (
        f"Take {recommended.name}: {recommended.accuracy.value:.1%} right at {recommended.money:.2f} a thousand mails; "
        f"{best.name} has {share} at {best.money:.2f}, and that difference may be chance."
    )


def _points(share: float) -> str:
    return f"{100 * share:.1f}"
