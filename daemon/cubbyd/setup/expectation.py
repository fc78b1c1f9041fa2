"""What to expect before cubbyd moves anything: of itself how much, how well, how much a month, and whether it is time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from cubbyd.evaluation.answer import Answers
from cubbyd.evaluation.metric import lower_bound
from cubbyd.evaluation.score import SURE, Estimate, Judged, estimate_share, judge
from cubbyd.evaluation.whole import Evaluation
from cubbyd.setup.filed import FiledFolder
from cubbyd.taxonomy import CategoryId

BARS: Final = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""The thresholds that are tried for all categories alike."""
FEWEST: Final = 50
"""Mails; what fewer say, the next fifty would say otherwise."""
WINDOW: Final = timedelta(days=90)
"""How far back mail counts for what a month brings."""
SHORTEST: Final = timedelta(days=7)
"""With less history than this nothing is said of a month."""
DAYS_A_MONTH: Final = 365.25 / 12
MANY_FAILURES: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What would be filed by itself with one threshold for all categories."""

    threshold: float
    filed: Estimate | None
    right: Estimate | None
    """The share of the filed mails that is right; None where none is filed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How one category would fare by itself, with the thresholds in force."""

    category: CategoryId
    mails: int
    """How many people filed there."""
    filed: int
    """How many would be filed there by themselves."""
    right: int
    """How many of these people filed there too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What else counts, beside the numbers, for whether they can be believed."""

    may_be_known: int
    """Mails that the model may have been trained on."""
    moves_already: bool
    """cubbyd files into these folders already, and so it may be measured against itself."""


def try_thresholds(answers: Answers, *, several: bool) -> tuple[Step, ...]:
    """See what each threshold would file, and how much of that would be right."""
    steps = []
    everything = np.ones(len(answers), dtype=bool)
    for bar in BARS:
        judged = judge(answers, np.full(len(answers.categories), bar), several=several)
        steps.append(
            Step(
                threshold=bar,
                filed=estimate_share(judged.filed, everything, answers.groups),
                right=right_when_filed(judged),
            )
        )
    return tuple(steps)


def share_by_category(judged: Judged) -> tuple[Share, ...]:
    """Count, for each category, what would be filed there by itself."""
    categories = judged.answers.categories
    size = len(categories)
    rows, columns = judged.chosen
    filed_columns = columns[judged.filed[rows]]
    hit_rows, hit_columns = judged.hits
    right = np.bincount(hit_columns[judged.filed[hit_rows]], minlength=size)
    filed = np.bincount(filed_columns, minlength=size)
    mails = judged.answers.truths.sum(axis=0)
    return tuple(
        Share(category=category, mails=int(mails[place]), filed=int(filed[place]), right=int(right[place]))
        for place, category in enumerate(categories)
    )


def right_when_filed(judged: Judged) -> Estimate | None:
    """Estimate which share of what is filed by itself is right; None where nothing is.

    The lower end is the exact bound of Clopper and Pearson (1934) where that is lower: with few mistakes among few mails a
    bootstrap is too sure of itself, and this number decides whether mail is moved.
    """
    found = estimate_share(judged.filed_right, judged.filed, judged.answers.groups)
    if found is None:
        return None
    right, filed = int((judged.filed_right & judged.filed).sum()), int(judged.filed.sum())
    exact = float(lower_bound(np.array([right]), np.array([filed]), SURE)[0])
    return replace(found, low=min(found.low, exact))


def count_per_month(folders: Sequence[FiledFolder], now: datetime) -> float | None:
    """Estimate how many mails a month brings, by those that people filed and that arrived within the last 90 days.

    None where there is none of them, or where all the mail there is spans less than a week.
    """
    recent = sum(folder.recent for folder in folders)
    span = WINDOW
    if all(folder.recent == folder.mails for folder in folders):  # the account is younger than the window
        span = min(WINDOW, now - min((folder.first for folder in folders if folder.first), default=now))
    if not recent or span < SHORTEST:
        return None
    return recent / (span / timedelta(days=1)) * DAYS_A_MONTH


def doubts(
    evaluation: Evaluation, right: Estimate | None, circumstances: Circumstances, *, precision: float
) -> tuple[str, ...]:
    """Say what speaks against filing by itself, each with the way out; none where nothing does."""
    mails, failed = evaluation.score.mails, len(evaluation.sheet.answers.failures)
    found = []
    if mails < FEWEST:
        found.append(f"{mails} mails are too few to be sure; {FEWEST} are the least")
    if circumstances.may_be_known:
        found.append(
            f"{circumstances.may_be_known} of these mails may have been trained on, so that the numbers flatter; name the "
            "examples with --trained-on FILE, or wait for new mail"
        )
    if circumstances.moves_already:
        found.append("cubbyd files into these folders already, and is measured in part against itself")
    if failed > MANY_FAILURES * (mails + failed):
        found.append(f"{failed} of {mails + failed} mails got no answer")
    if right is None:
        found.append("with these thresholds nothing is filed by itself; train on more mail, or lower the threshold")
    elif right.low < precision:
        found.append(
            f"of what is filed by itself between {right.low:.1%} and {right.high:.1%} is right, and {precision:.0%} is wanted "
            "for sure; find thresholds with: cubbyd thresholds EXAMPLES, or train on more mail"
        )
    return tuple(found)
