"""What training mixes brought on the same test set: numbers, differences to a baseline, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cubbyd.evaluation.comparison import SIGNIFICANT, correct, mcnemar
from cubbyd.evaluation.metric import Floats, Integers
from cubbyd.evaluation.score import HIGH, LOW, Estimate, Judged, draw_weights
from cubbyd.evaluation.whole import BIG
from cubbyd.taxonomy import CategoryId

ACCURACY, MACRO_F1, BIAS = range(3)
"""The columns of what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One recipe with what its models said of the test set."""

    name: str
    said: str
    """How the training set was put together."""
    draws: tuple[Judged, ...]
    """Of one model, or of one for each draw."""

    @property
    def middle(self) -> Judged:
        """The draw whose accuracy is the one in the middle (the lower of two)."""
        ordered = sorted(self.draws, key=lambda judged: float(judged.right.mean()))
        return ordered[(len(ordered) - 1) // 2]

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest accuracy of the draws."""
        found = [float(judged.right.mean()) for judged in self.draws]
        return min(found), max(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """A recipe against the baseline, on the same mails."""

    accuracy: Estimate
    """Recipe less baseline."""
    macro_f1: Estimate
    alone: int
    """Mails that the recipe alone got right; of several draws, the one in the middle."""
    baseline_alone: int
    p_value: float
    """Of McNemar's exact test, corrected for the number of recipes (Holm)."""
    p_macro_f1: float
    """Of the bootstrap, both sides, corrected in the same way."""

    @property
    def verdict(self) -> int:
        """1 where it is proven better and in nothing worse, -1 where it is proven worse and in nothing better, else 0."""
        accuracy = _proven(self.accuracy, self.p_value)
        macro_f1 = _proven(self.macro_f1, self.p_macro_f1)
        return max(-1, min(1, accuracy + macro_f1)) if accuracy * macro_f1 >= 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a recipe brought."""

    trial: Trial
    accuracy: Estimate
    macro_f1: Estimate
    bias: Estimate | None
    """How many times as often a big category is chosen as it is right to; None where there is no big one."""
    gain: Gain | None
    """None for the baseline itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasting:
    """All recipes on one test set; the first is the baseline."""

    results: tuple[Result, ...]
    big: tuple[CategoryId, ...]
    mails: int
    recommended: str
    sentence: str


def find_big(counts: Mapping[CategoryId, int]) -> tuple[CategoryId, ...]:
    """Name the big categories of a training set, the biggest first: those of BIG times the examples of the mean one."""
    if not counts:
        return ()
    least = BIG * sum(counts.values()) / len(counts)
    return tuple(sorted((one for one, count in counts.items() if count >= least), key=lambda one: (-counts[one], one)))


def taste(trials: Sequence[Trial], counts: Mapping[CategoryId, int], *, seed: int = 0) -> Tasting:
    """Measure recipes, hold all against the first, and recommend one.

    `counts` are the real training examples of each category. All trials are of the same mails in the same order.
    """
    answers = trials[0].middle.answers
    big = find_big(counts)
    columns: Integers = np.array([place for place, one in enumerate(answers.categories) if one in big], dtype=np.int64)
    weights = np.vstack([np.ones(len(answers)), *draw_weights(answers.groups, seed=seed)])
    tables = [np.mean([_measure(judged, weights, columns) for judged in trial.draws], axis=0) for trial in trials]
    gains = [_compare(trial, trials[0], table - tables[0]) for trial, table in zip(trials[1:], tables[1:], strict=True)]
    results = [
        Result(
            trial=trial,
            accuracy=_estimate(table[:, ACCURACY]),
            macro_f1=_estimate(table[:, MACRO_F1]),
            bias=None if np.isnan(table[0, BIAS]) else _estimate(table[:, BIAS]),
            gain=gain,
        )
        for trial, table, gain in zip(trials, tables, [None, *_correct(gains)], strict=True)
    ]
    recommended, sentence = _recommend(results, len(answers))
    return Tasting(results=tuple(results), big=big, mails=len(answers), recommended=recommended, sentence=sentence)


def _measure(judged: Judged, weights: Floats, big: Integers) -> Floats:
    """Measure accuracy, macro-F1 and the bias to the big categories for each row of weights, (draws, mails)."""
    size = len(judged.answers.categories)

    def count(pairs: tuple[Integers, Integers]) -> Floats:
        there = np.zeros((weights.shape[1], size))
        there[pairs] = 1
        return np.asarray(weights @ there)

    hits, chosen, wanted = count(judged.hits), count(judged.chosen), count(judged.wanted)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(wanted > 0, 2 * hits / (chosen + wanted), np.nan)
        bias = chosen[:, big].sum(axis=1) / wanted[:, big].sum(axis=1)
    bias[~np.isfinite(bias)] = np.nan
    return np.column_stack([weights @ judged.right / weights.sum(axis=1), np.nanmean(f1, axis=1), bias])


def _estimate(column: Floats) -> Estimate:
    """Take the first for the number itself, and the middle of the others for its interval."""
    value, drawn = float(column[0]), column[1:]
    low, high = np.nanpercentile(drawn, [LOW, HIGH])
    return Estimate(value=value, low=float(min(low, value)), high=float(max(high, value)))


def _compare(trial: Trial, baseline: Trial, difference: Floats) -> Gain:
    own, other = trial.middle.right, baseline.middle.right
    alone, baseline_alone = int((own & ~other).sum()), int((other & ~own).sum())
    drawn = difference[1:, MACRO_F1]
    below, above = ((1 + np.count_nonzero(side)) / (1 + len(drawn)) for side in (drawn <= 0, drawn >= 0))
    return Gain(
        accuracy=_estimate(difference[:, ACCURACY]),
        macro_f1=_estimate(difference[:, MACRO_F1]),
        alone=alone,
        baseline_alone=baseline_alone,
        p_value=mcnemar(alone, baseline_alone),
        p_macro_f1=min(1.0, 2 * min(below, above)),
    )


def _correct(gains: Sequence[Gain]) -> list[Gain]:
    """Pay for the number of recipes: one of many looks better by chance more easily."""
    accuracy, macro_f1 = (correct([getattr(gain, name) for gain in gains]) for name in ("p_value", "p_macro_f1"))
    return [replace(gain, p_value=own, p_macro_f1=other) for gain, own, other in zip(gains, accuracy, macro_f1, strict=True)]


def _proven(difference: Estimate, p_value: float) -> int:
    """Tell the sign of a difference that is no chance, by both its interval and its p-value; 0 where it may be chance."""
    if p_value >= SIGNIFICANT:
        return 0
    return 1 if difference.low > 0 else -1 if difference.high < 0 else 0


def _recommend(results: Sequence[Result], mails: int) -> tuple[str, str]:
    """Name a recipe, and say why."""
    baseline, others = results[0].trial.name, [(one, one.gain) for one in results[1:] if one.gain is not None]
    if not others:
        return baseline, f"There is nothing to hold against {baseline}."
    worse = [one.trial.name for one, gain in others if gain.verdict < 0]
    warning = f" Proven to be worse: {'; '.join(worse)}." if worse else ""
    better = [(one, gain) for one, gain in others if gain.verdict > 0]
    if better:
        one, gain = max(better, key=lambda pair: pair[1].macro_f1.value + pair[1].accuracy.value)
        also = [other.trial.name for other, _ in better if other is not one]
        others_too = f" Better than {baseline} too: {'; '.join(also)}." if also else ""
        return (
            one.trial.name,
            f"Take {one.trial.name}: {_say_gain(gain, baseline)}, and that is no chance.{others_too}{warning}",
        )
    level = [(one.trial.name, gain) for one, gain in others if gain.verdict == 0]
    if not level:
        return baseline, f"Stay with {baseline}: every other recipe is proven to be worse on {mails} test mails."
    return baseline, f"Stay with {baseline}: {_say_level(level, mails)}{warning}"


def _say_level(level: Sequence[tuple[str, Gain]], mails: int) -> str:
    """Say that no difference can be seen to some recipes, and how large one could still be."""
    names = "; ".join(name for name, _ in level)
    widest = max(max(abs(gain.accuracy.low), abs(gain.accuracy.high)) for _, gain in level)
    if not widest:
        return f"of {mails} test mails it tells the same right as {names}."
    return (
        f"no difference to {names} can be seen with {mails} test mails. One of up to {100 * widest:.1f} points of accuracy "
        "could be there all the same; more test mail would show it."
    )


def _say_gain(gain: Gain, baseline: str) -> str:
    def points(one: Estimate) -> str:
        return f"{100 * one.value:+.1f} points (between {100 * one.low:+.1f} and {100 * one.high:+.1f})"

    return f"against {baseline}, accuracy changes by {points(gain.accuracy)} and macro-F1 by {points(gain.macro_f1)}"


def facts(tasting: Tasting) -> dict[str, Any]:
    """Give all numbers as an object for programs; no text of a mail."""

    def plain(one: Estimate | None) -> dict[str, float] | None:
        return None if one is None else {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}

    def against(gain: Gain | None) -> dict[str, Any] | None:
        if gain is None:
            return None
        return {
            "accuracy": plain(gain.accuracy),
            "macro_f1": plain(gain.macro_f1),
            "alone_right": gain.alone,
            "baseline_alone_right": gain.baseline_alone,
            "p_accuracy": round(gain.p_value, 6),
            "p_macro_f1": round(gain.p_macro_f1, 6),
            "verdict": {1: "better", 0: "no difference seen", -1: "worse"}[gain.verdict],
        }

    return {
        "mails": tasting.mails,
        "big_categories": list(tasting.big),
        "recommended": tasting.recommended,
        "sentence": tasting.sentence,
        "recipes": [
            {
                "name": one.trial.name,
                "training": one.trial.said,
                "draws": [round(float(judged.right.mean()), 4) for judged in one.trial.draws],
                "accuracy": plain(one.accuracy),
                "macro_f1": plain(one.macro_f1),
                "bias": plain(one.bias),
                "against_baseline": against(one.gain),
            }
            for one in tasting.results
        ],
    }
