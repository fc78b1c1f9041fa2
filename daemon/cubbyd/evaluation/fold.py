"""Folds for cross-validation: mails that belong together are never on both sides. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from cubbyd.evaluation.metric import Floats, Integers

FOLDS: Final = 5


def assign_folds(groups: Integers, dates: Floats | None = None, *, folds: int = FOLDS, seed: int = 0) -> Integers:
    """Give each mail a fold, from 0; all mails of a group have the same.

    With dates the folds are stretches of time, and a group stands where its first mail does: what is measured is how well
    one stretch foretells another, as the past must foretell the future. Without dates the groups are dealt out by chance.
    """
    names, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if dates is None:
        order = np.random.default_rng(seed).permutation(len(names))
    else:
        first = np.full(len(names), np.inf)
        np.minimum.at(first, places, dates)
        order = np.argsort(first, kind="stable")
    before = np.cumsum(sizes[order]) - sizes[order]
    fold_of_group = np.empty(len(names), dtype=np.int64)
    fold_of_group[order] = before * folds // len(groups)
    return np.asarray(fold_of_group[places])
