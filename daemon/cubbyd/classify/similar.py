"""The examples that a model was trained on, small: which of them a mail is most like, as a person would want to be shown.

Of each example only the words that weigh most are kept, by their columns in the vocabulary, and where it stood in the file
of examples; its subject only where the admin asked for that at training. Pure; numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.feature import Columns, Floats

MAX_SIMILAR: Final = 5_000
"""Examples that a model keeps; of more, an even share of each category."""
WORDS_KEPT: Final = 24
LEAST_ALIKE: Final = 0.2
"""The cosine below which an example is not worth naming: it shares a greeting, and no more."""
LONGEST_SUBJECT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """Examples by their strongest words; with no rows where nothing was kept."""

    columns: NDArray[np.int32]
    """Shape (examples, WORDS_KEPT): columns of words in the vocabulary; 0 with the value 0 where there are fewer."""
    values: NDArray[np.float16]
    """Of the same shape; each row has length 1 before it is cut to its strongest words."""
    labels: NDArray[np.int32]
    """The place of each example's first category."""
    lines: NDArray[np.int32]
    """Where each stood in the file of examples, from 1; 0 where it was in none."""
    subjects: tuple[str, ...] = ()
    """One for each example, or none at all."""
    _of: dict[int, NDArray[np.int64]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the examples by category."""
        of = {int(label): np.flatnonzero(self.labels == label) for label in np.unique(self.labels)}
        object.__setattr__(self, "_of", of)

    def describe_nearest(self, columns: Columns, values: Floats, words: int, label: int) -> str:
        """Name the example of a category that is most like a mail, whose features of words are given; empty where none is.

        `words` is the number of words in the vocabulary; columns from there on are not of words.
        """
        places = self._of.get(label)
        if places is None:
            return ""
        mail = np.zeros(words + 1, dtype=np.float32)
        is_word = columns < words
        mail[columns[is_word]] = values[is_word]
        alike = (mail[self.columns[places]] * self.values[places]).sum(axis=1)
        nearest = int(alike.argmax())
        return self._name(int(places[nearest])) if alike[nearest] >= LEAST_ALIKE else ""

    def _name(self, place: int) -> str:
        line = int(self.lines[place])
        where = f"line {line} of the examples" if line else ""
        if self.subjects:
            return f'like "{self.subjects[place]}"' + (f" ({where})" if where else "")
        return f"like {where}" if where else ""


NOTHING_SIMILAR: Final = Similar(
    columns=np.zeros((0, WORDS_KEPT), dtype=np.int32),
    values=np.zeros((0, WORDS_KEPT), dtype=np.float16),
    labels=np.zeros(0, dtype=np.int32),
    lines=np.zeros(0, dtype=np.int32),
)
