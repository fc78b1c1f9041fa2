"""Which training example a mail is most like: subject lines that a model file holds where it was trained to keep them.

An example is kept as its subject and its heaviest features, some 200 bytes. Pure; numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.feature import Columns, Floats

FEATURES: Final = 32
"""How many features of an example are kept."""

LEAST_COSINE: Final = 0.2
"""An example less like a mail than this explains nothing; 1 is the example itself, as far as it is kept."""

MAX_SUBJECT: Final = 80
"""Code points of a subject that are kept."""

MAX_KEPT: Final = 5_000
"""Examples in one model file: one megabyte, and half a millisecond a mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The examples that a mail is compared with."""

    subjects: tuple[str, ...]
    """One for each example, printable and never empty."""
    labels: NDArray[np.int32]
    """The place of each example's (first) category."""
    columns: NDArray[np.int32]
    """Shape (examples, FEATURES): columns of the vocabulary, those with the greatest values."""
    values: Floats
    """Shape (examples, FEATURES): their values, each row of length 1; 0 where an example has fewer features."""

    def find(self, columns: Columns, values: Floats, width: int, label: int) -> tuple[int, ...]:
        """Give the places of the most similar examples of a category, the most similar first, as far as they are alike.

        `columns` and `values` are the mail's features, `width` is the vocabulary's.
        """
        own = np.flatnonzero(self.labels == label)
        query = np.zeros(width, dtype=np.float32)
        query[columns] = values / max(float(np.linalg.norm(values)), float(np.finfo(np.float32).tiny))
        cosines = np.einsum("ij,ij->i", query[self.columns[own]], self.values[own])
        ordered = np.argsort(-cosines, kind="stable")
        return tuple(int(own[place]) for place in ordered if cosines[place] >= LEAST_COSINE)


def shorten(columns: Columns, values: Floats) -> tuple[NDArray[np.int32], Floats]:
    """Keep the heaviest features of an example, as a row of `Kept.columns` and one of `Kept.values`."""
    heaviest = np.argsort(-values, kind="stable")[:FEATURES]
    row_columns, row_values = np.zeros(FEATURES, dtype=np.int32), np.zeros(FEATURES, dtype=np.float32)
    row_columns[: len(heaviest)] = columns[heaviest]
    length = float(np.linalg.norm(values[heaviest]))
    row_values[: len(heaviest)] = values[heaviest] / (length or 1.0)
    return row_columns, row_values


def clean_subject(subject: str) -> str:
    """Make a subject fit for a line of a terminal: one line, printable, not too long."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in subject).split())
    return line if len(line) <= MAX_SUBJECT else f"{line[: MAX_SUBJECT - 1]}…"
