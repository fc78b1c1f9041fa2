"""The sparse matrix that training works on: one row of features a mail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from cubbyd.classify.feature import Counts, Vocabulary

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def build_matrix(vocabulary: Vocabulary, mails: Iterable[Counts]) -> csr_array:
    """Give one sparse row of features a mail: float32, (mails, columns of the vocabulary)."""
    from scipy.sparse import csr_array  # training alone needs it

    columns, values, ends = [], [], [0]
    for counts in mails:
        row_columns, row_values = vocabulary.vectorize(counts)
        columns.append(row_columns.astype(np.int32))
        values.append(row_values)
        ends.append(ends[-1] + len(row_values))
    shape = (len(values), len(vocabulary))
    return csr_array((np.concatenate(values), np.concatenate(columns), np.array(ends, dtype=np.int32)), shape=shape)
