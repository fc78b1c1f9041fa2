"""The learning curve: how a local model does after a part of its training mail, and whether more would help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from cubbyd.classify.local import LocalClassifier
from cubbyd.dataset.example import Example
from cubbyd.evaluation.answer import number_groups
from cubbyd.evaluation.kept import Sheet, ask_all
from cubbyd.evaluation.learning import Learning, Step
from cubbyd.taxonomy import CategoryId
from cubbyd.training.local import train_local

SHARES: Final = (0.125, 0.25, 0.5, 1.0)
"""Each step doubles the mail, so that the last one says what doubling it once more may bring at most."""


def learn_by_steps(
    training: Sequence[Example],
    test: Sequence[Example],
    categories: tuple[CategoryId, ...],
    *,
    source: str = "the examples",
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Learning:
    """Train the local classifier on growing parts of the training mail, and ask each model about the same test set.

    A part holds the smaller parts; what belongs together enters together; categories keep their shares. Raises
    InputFileError where the mail cannot be learned from.
    """
    order = _order(training, seed)
    steps, sheets = [], list[Sheet]()
    for share in SHARES:
        part = [training[place] for place in sorted(order[: max(1, round(share * len(order)))])]  # in the order of the file
        if max(Counter(example.labels[0] for example in part).values()) < 2 or len({one.labels[0] for one in part}) < 2:  # noqa: PLR2004
            continue  # too little to learn anything from
        progress(f"learning curve: training on {len(part)} of {len(training)} mails")
        classifier = LocalClassifier(train_local(part, source=source, seed=seed))
        sheets.append(ask_all(classifier, test, categories=categories))
        answers = sheets[-1].answers
        steps.append(Step(examples=len(part), right=answers.right, groups=answers.groups))
    return Learning(steps=tuple(steps))


def _order(training: Sequence[Example], seed: int) -> list[int]:
    """Shuffle groups of mail, so that every category is spread evenly over the whole."""
    groups, generator = number_groups(training), np.random.default_rng(seed)
    rows_of: dict[int, list[int]] = {}
    for row, group in enumerate(groups.tolist()):
        rows_of.setdefault(group, []).append(row)
    by_label: dict[CategoryId, list[int]] = {}
    for group in generator.permutation(list(rows_of)).tolist():
        by_label.setdefault(training[rows_of[group][0]].labels[0], []).append(group)
    placed = [
        ((number + generator.random()) / len(members), group)
        for members in by_label.values()
        for number, group in enumerate(members)
    ]
    return [row for _, group in sorted(placed) for row in rows_of[group]]
