"""Which examples a local model keeps by their subject line, so that people are shown the most similar one as a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.feature import Counts, Vocabulary, count_features
from cubbyd.classify.likeness import FEATURES, MAX_KEPT, Kept, clean_subject, shorten
from cubbyd.message.model import ClassifierInput
from cubbyd.training.matrix import build_matrix

MAX_OF_CATEGORY: Final = 50
MAX_LOOKED_AT: Final = 1_000
"""Of a larger category so many are drawn; coverage of the rest is hardly better."""


def keep_examples(
    mails: Sequence[ClassifierInput], labels: NDArray[np.int64], vocabulary: Vocabulary, categories: int, seed: int
) -> Kept:
    """Choose examples of each category that are unlike one another, so that they cover it; those without a subject are none.

    `labels` has the place of each mail's (first) category. A category gets as many as another, at most MAX_OF_CATEGORY.
    """
    most = min(MAX_OF_CATEGORY, MAX_KEPT // categories)
    generator, chosen = np.random.default_rng(seed), list[int]()
    for category in range(categories):
        places = [place for place in np.flatnonzero(labels == category).tolist() if clean_subject(mails[place].subject)]
        drawn = np.sort(generator.permutation(np.array(places, dtype=np.int64))[:MAX_LOOKED_AT]).tolist()
        chosen += [drawn[place] for place in _cover(vocabulary, [count_features(mails[place]) for place in drawn], most)]
    rows = [shorten(*vocabulary.vectorize(count_features(mails[place]))) for place in chosen]
    return Kept(
        subjects=tuple(clean_subject(mails[place].subject) for place in chosen),
        labels=labels[chosen].astype(np.int32),
        columns=np.array([columns for columns, _ in rows], dtype=np.int32).reshape(-1, FEATURES),
        values=np.array([values for _, values in rows], dtype=np.float32).reshape(-1, FEATURES),
    )


def _cover(vocabulary: Vocabulary, counts: Sequence[Counts], most: int) -> list[int]:
    """Take the example most like all others first, then again and again the one least like any that was taken."""
    if len(counts) <= most:
        return list(range(len(counts)))
    rows = build_matrix(vocabulary, counts)
    taken = [int((rows @ rows.sum(axis=0)).argmax())]
    likeness = rows @ rows[[taken[0]]].toarray()[0]
    while len(taken) < most:
        likeness[taken[-1]] = np.inf
        taken.append(int(likeness.argmin()))
        likeness = np.maximum(likeness, rows @ rows[[taken[-1]]].toarray()[0])
    return sorted(taken)
