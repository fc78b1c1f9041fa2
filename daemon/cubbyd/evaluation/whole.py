"""Everything that is found out about one classifier on one test set, before anybody writes it down. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cubbyd.dataset.example import Example
from cubbyd.evaluation.atlas import Atlas
from cubbyd.evaluation.atlas import facts as facts_of_map
from cubbyd.evaluation.confusion import Confusion, confusion_counts, costliest
from cubbyd.evaluation.kept import Sheet
from cubbyd.evaluation.learning import Learning
from cubbyd.evaluation.metric import Floats
from cubbyd.evaluation.score import CategoryScore, Estimate, Judged, Score, judge, score

SYNTHETIC = "synthetic"
PER = 1000
SLIGHT = 1.05
"""How many times too often a category is chosen before one speaks of it, where chance may have done it."""
BIG = 1.2
"""How many times the mails of an average category make a big one."""
MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One classifier, measured."""

    name: str
    sheet: Sheet
    judged: Judged
    bars: Floats
    """Shape (categories,): the threshold of each category."""
    score: Score
    confusions: tuple[Confusion, ...]
    real: Score | None
    """Of the mail that people wrote alone; None where the test set is all of one sort."""
    synthetic: Score | None
    learning: Learning | None = None
    atlas: Atlas | None = None
    """The map; None where the classifier has none, or nobody asked for it."""

    @property
    def milliseconds(self) -> float:
        """What a thousand mails take."""
        return float(self.sheet.milliseconds.mean()) * PER

    @property
    def money(self) -> float:
        """What a thousand mails cost, in the currency of the backend's price list."""
        return float(self.sheet.money.mean()) * PER

    @property
    def biggest(self) -> CategoryScore:
        """The category that most mails belong to."""
        return max(self.score.categories, key=lambda one: one.wanted)


def is_synthetic(example: Example) -> bool:
    """Tell whether a machine wrote an example: its origin is "synthetic", perhaps with more behind a colon."""
    return example.origin.partition(":")[0] == SYNTHETIC


def evaluate(
    name: str,
    sheet: Sheet,
    bars: Floats,
    *,
    several: bool = False,
    learning: Learning | None = None,
    atlas: Atlas | None = None,
) -> Evaluation:
    """Measure what a classifier answered."""
    judged = judge(sheet.answers, bars, several=several)
    made_up = np.array([is_synthetic(example) for example in sheet.mails])
    parts: list[Score | None] = [None, None]
    if made_up.any() and not made_up.all():
        parts = [score(judge(sheet.answers.pick(np.flatnonzero(part)), bars, several=several)) for part in (~made_up, made_up)]
    return Evaluation(
        name=name,
        sheet=sheet,
        judged=judged,
        bars=bars,
        score=score(judged),
        confusions=tuple(costliest(judged)),
        real=parts[0],
        synthetic=parts[1],
        learning=learning,
        atlas=atlas,
    )


def say_filing(score: Score) -> str:
    """Say how much is filed by itself, and how much of that is wrong."""
    filed, wrong = score.numbers["filed"], score.numbers["filed_wrong"]
    if filed is None or wrong is None:
        return "With these thresholds no mail is filed by itself: everything waits for a person."
    return (
        f"With these thresholds {100 * filed.value:.0f} % of mail is filed by itself and {100 * wrong.value:.1f} in a hundred "
        f"of those go wrong (between {100 * wrong.low:.1f} and {100 * wrong.high:.1f})."
    )


def say_bias(evaluation: Evaluation) -> str:
    """Say whether the biggest category is favored, as far as these mails can tell."""
    biggest, judged = evaluation.biggest, evaluation.judged
    if biggest.bias is None:
        return "No category has a mail, so that nothing can be said about bias."
    sizes = [one.wanted for one in evaluation.score.categories if one.wanted]
    if biggest.wanted < BIG * sum(sizes) / len(sizes):
        return f"No category of this test set is much bigger than the others.{_say_passed_over(evaluation)}"
    share = biggest.wanted / evaluation.score.mails
    times = (
        f"{biggest.bias.value:.2f} times as often as it is right (between {biggest.bias.low:.2f} and {biggest.bias.high:.2f})"
    )
    mistakes = len(judged.chosen[0]) - len(judged.hits[0])
    wrongly = biggest.chosen - biggest.hits
    drawn = (
        f" Of {mistakes} wrong choices {wrongly} ({wrongly / mistakes:.0%}) are it, which has {share:.0%} of the mail."
        if mistakes
        else ""
    )
    if biggest.bias.low > 1:
        verdict = "Yes, the big category is favored"
    elif biggest.bias.high < 1:
        verdict = "No, the big category is rather passed over"
    elif biggest.bias.value > SLIGHT:
        verdict = "Perhaps; these mails are too few to be sure"
    else:
        verdict = "No bias to the big category can be seen"
    return f"{verdict}: {biggest.category} is chosen {times}.{drawn}{_say_passed_over(evaluation)}"


def _say_passed_over(evaluation: Evaluation) -> str:
    """Name the categories that are chosen too rarely for chance, each with what most of its mail is taken for instead."""
    over = [one for one in evaluation.score.categories if one.bias is not None and one.bias.high < 1]
    if not over:
        return ""
    counts = confusion_counts(evaluation.judged)
    np.fill_diagonal(counts, 0)
    names = evaluation.judged.answers.categories
    said = []
    for one in sorted(over, key=lambda one: one.wanted - one.chosen, reverse=True)[:MOST_NAMED]:
        row = counts[names.index(one.category)]
        instead = f", taken most for {names[int(row.argmax())]}" if row.any() else ""
        said.append(f"{one.category} ({one.bias.value if one.bias else 0:.2f} times{instead})")
    return f" Passed over: {'; '.join(said)}."


def facts(evaluation: Evaluation, rounded: Callable[[float], float] = lambda value: round(value, 4)) -> dict[str, Any]:
    """Give all numbers as an object for programs; no text of a mail."""

    def plain(estimate: Estimate | None) -> dict[str, float] | None:
        if estimate is None:
            return None
        return {"value": rounded(estimate.value), "low": rounded(estimate.low), "high": rounded(estimate.high)}

    def numbers(score: Score) -> dict[str, Any]:
        return {"mails": score.mails} | {name: plain(one) for name, one in score.numbers.items()}

    by_origin = {"real": evaluation.real, "synthetic": evaluation.synthetic}
    return {
        "name": evaluation.name,
        "model": evaluation.sheet.provenance.model,
        "kind": evaluation.sheet.provenance.kind,
        "mails": evaluation.score.mails,
        "groups": evaluation.score.groups,
        "unread": evaluation.sheet.unread,
        "unanswered": len(evaluation.sheet.answers.failures),
        "reused": evaluation.sheet.reused,
        "numbers": numbers(evaluation.score),
        "milliseconds_per_1000": round(evaluation.milliseconds, 1),
        "money_per_1000": rounded(evaluation.money),
        "filing": say_filing(evaluation.score),
        "bias": say_bias(evaluation),
        "categories": {
            one.category: {
                "mails": one.wanted,
                "chosen": one.chosen,
                "right": one.hits,
                "precision": plain(one.precision),
                "recall": plain(one.recall),
                "f1": plain(one.f1),
                "bias": plain(one.bias),
                "threshold": rounded(float(bar)),
            }
            for one, bar in zip(evaluation.score.categories, evaluation.bars, strict=True)
        },
        "confusions": [
            {"right": one.right, "chosen": one.chosen, "mails": one.mails, "filed": one.filed} for one in evaluation.confusions
        ],
        "by_origin": {name: numbers(part) for name, part in by_origin.items() if part is not None},
        "learning_curve": _learning(evaluation.learning, plain),
        "map": facts_of_map(evaluation.atlas) if evaluation.atlas else None,
    }


def _learning(learning: Learning | None, plain: Callable[[Estimate | None], Any]) -> dict[str, Any] | None:
    if learning is None:
        return None
    steps = [{"examples": step.examples, "accuracy": plain(step.accuracy)} for step in learning.steps]
    return {"steps": steps, "last_gain": plain(learning.last_gain), "sentence": learning.sentence}
