"""Where mails lie before and after training: what a map of them is drawn from. Only an evaluation asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.feature import Columns, Floats
from cubbyd.classify.protocol import Classifier
from cubbyd.message.model import ClassifierInput

Coordinates: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places of some mails in two spaces; distances are Euclidean in both."""

    rows: NDArray[np.int64]
    """Shape (placed,): which of the mails these are; one that has no place is left out."""
    before: Coordinates
    """Shape (placed, dimensions): what the classifier is given."""
    after: Coordinates
    """Shape (placed, other dimensions): what training made of it."""
    is_shared: bool
    """Both are places in the same space, as those before and after an adapter are."""
    before_is: str
    """What the first are, for people."""
    after_is: str


@runtime_checkable
class Placing(Classifier, Protocol):
    """A backend that can say where mails lie before and after training."""

    def place(self, inputs: Sequence[ClassifierInput], /) -> Places:
        """Give the places of mails. Raises ClassifierError where the backend has no answer for any."""
        ...


def place_rows(rows: Sequence[tuple[Columns, Floats]], columns: int) -> Coordinates:
    """Give sparse rows of so many columns as places of at most as many dimensions as there are rows, all distances kept.

    The inner products of the rows are the squares of their principal axes (classical scaling: Torgerson 1952), so that nothing
    is lost; memory is that of a table of rows by rows.
    """
    from scipy.sparse import csr_array  # an evaluation alone needs it

    if not rows:
        return np.zeros((0, 0))
    ends = np.cumsum([0, *(len(own) for own, _ in rows)])
    joined = np.concatenate([own for own, _ in rows]), np.concatenate([values for _, values in rows]).astype(np.float64)
    table = csr_array((joined[1], joined[0], ends), shape=(len(rows), columns))
    squares, axes = np.linalg.eigh((table @ table.T).toarray())
    kept = squares > squares[-1] * len(rows) * np.finfo(float).eps
    return np.asarray(axes[:, kept] * np.sqrt(squares[kept]))


def center(scores: Coordinates) -> Coordinates:
    """Take from the scores of each mail their mean, which says nothing about the category."""
    return np.asarray(scores - scores.mean(axis=1, keepdims=True))
