"""What models said of examples that they were not trained on, as training hands it to whoever writes the card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cubbyd.dataset.example import Example
from cubbyd.evaluation.answer import Answers, number_groups
from cubbyd.evaluation.metric import Floats, Truths
from cubbyd.taxonomy import CategoryId

METHOD = (
    "Cross-validation in {folds} parts, each asked of a model that was trained on the others. Mails of one thread can be in "
    "several parts, so that mail kept apart (`cubbyd dataset split`, `cubbyd evaluate`) is the stricter measure"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """The answers of cross-validation, each by weights that were trained without the example."""

    answers: Answers
    lines: tuple[int, ...]
    """Where each example stood in its file."""
    different: int
    """How many examples there were in all, of those that read the same one."""
    several: bool
    """Whether an example can have several categories."""
    method: str


Tell = Callable[[HeldOut], None]


def tell_nobody(_: HeldOut) -> None:
    """Take answers that nobody asked for."""


def hold_out(
    examples: Sequence[Example],
    categories: tuple[CategoryId, ...],
    probabilities: Floats,
    truths: Truths,
    *,
    different: int,
    several: bool,
    folds: int,
) -> HeldOut:
    """Put held-out answers together; a row of probabilities and truths, shape (examples, categories), for each example."""
    answers = Answers(
        categories=categories,
        probabilities=probabilities,
        truths=truths,
        held=np.zeros(len(examples), dtype=np.bool_),
        groups=number_groups(examples),
        dates=None,
    )
    lines = tuple(example.line for example in examples)
    return HeldOut(answers=answers, lines=lines, different=different, several=several, method=METHOD.format(folds=folds))
