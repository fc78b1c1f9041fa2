"""Answers of the local classifier about its own training mail, each by a model that was trained without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cubbyd.classify.local import LocalClassifier
from cubbyd.dataset.example import Example
from cubbyd.evaluation.answer import Answers, collect_answers, join, number_groups
from cubbyd.evaluation.fold import assign_folds
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import train_local


def answer_held_out(
    examples: Sequence[Example],
    categories: tuple[CategoryId, ...],
    *,
    source: str = "the examples",
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Answers:
    """Train on all folds but one and ask about that one, for each; what belongs together is in one fold.

    A category that a fold's model was not trained for has no chance there, and one that is not in `categories` has none at
    all. Raises InputFileError where the examples cannot be learned from.
    """
    groups = number_groups(examples)
    dates = [example.date.timestamp() for example in examples if example.date is not None]
    folds = assign_folds(groups, np.array(dates) if len(dates) == len(examples) else None, seed=seed)
    parts = []
    for number, fold in enumerate(np.unique(folds), start=1):
        progress(f"training without part {number} of {len(np.unique(folds))}")
        apart = [example for example, own in zip(examples, folds, strict=True) if own != fold]
        asked = [example for example, own in zip(examples, folds, strict=True) if own == fold]
        model = train_local(apart, source=source, seed=seed)
        parts.append(collect_answers(LocalClassifier(model), asked, categories=categories))
    return join(parts)
