"""The linear models that training on words chooses from, by their loss on examples that were held out.

Support vector machines of three strengths, and logistic regression. With few examples of many categories that are alike
(banking77, 5 or 10 of each of 77) the latter is better by some points of accuracy, elsewhere mostly one of the former.
Complement naive Bayes and blends of them gained nothing that held on all sets of the benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cubbyd.classify.feature import Floats
from cubbyd.training.head import Targets, regress, separate
from cubbyd.training.stage import regress_further, separate_further

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Method(StrEnum):
    """Which linear model."""

    MACHINES = "support vector machines"
    """One for each category against the rest."""
    REGRESSION = "logistic regression"
    """Of all categories together, where a mail has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A model to choose, before it is trained."""

    method: Method
    strength: float
    """C of scikit-learn: how much an example counts against small weights."""

    def train(
        self, rows: csr_array, targets: Targets, *, is_one: bool, seed: int, balanced: bool = True
    ) -> tuple[Floats, Floats]:
        """Train on rows of features; give weights, (columns, categories), and bias, (categories,).

        balanced: an error counts the more, the smaller the category.
        """
        train = separate if self.method is Method.MACHINES else regress
        return train(rows, targets, is_one=is_one, strength=self.strength, seed=seed, balanced=balanced)

    def carry_on(self, rows: csr_array, targets: Targets, start: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """Train on further rows from the weights and bias of an earlier training; each mail has one category."""
        further = separate_further if self.method is Method.MACHINES else regress_further
        return further(rows, targets, start, strength=self.strength)


MACHINES: Final = tuple(Learner(method=Method.MACHINES, strength=strength) for strength in (0.15, 0.5, 1.5))
"""Accuracy is flat between these strengths, and falls beyond them on every set of the benchmark."""
REGRESSION: Final = Learner(method=Method.REGRESSION, strength=10.0)
USUAL: Final = MACHINES[1]

MOST_FOR_REGRESSION: Final = 200_000
"""Examples times categories; beyond it the solver takes minutes, and gigabytes for its memory of steps."""
MOST_TO_CHOOSE: Final = 20_000
"""Examples; beyond it USUAL is taken without a choice, which hardly matters there, and would take minutes."""


def list_learners(examples: int, categories: int) -> tuple[Learner, ...]:
    """Name the models to choose from, as far as there is time for them."""
    if examples > MOST_TO_CHOOSE:
        return (USUAL,)
    return (*MACHINES, REGRESSION) if examples * categories <= MOST_FOR_REGRESSION else MACHINES
