"""The members of a model file that hold its vocabulary.

words.json            the vocabulary's words
grams.npy             uint64 (grams,)            the hashes of its character n-grams
document_counts.npy   int32 (words + grams,)     in how many examples each of them occurs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from pydantic import TypeAdapter

from cubbyd.classify.container import array_bytes, demand, read_array, to_json
from cubbyd.classify.feature import MAX_GRAMS, MAX_WORDS, Vocabulary

VOCABULARY: Final = ("words.json", "grams.npy", "document_counts.npy")
WORD_LIST: Final = TypeAdapter(tuple[str, ...])


def read_vocabulary(members: Mapping[str, bytes], examples: int) -> Vocabulary:
    """Read the vocabulary of so many examples. Raises ValueError or pydantic's ValidationError for what is none."""
    words = WORD_LIST.validate_json(members["words.json"])
    grams = read_array(members["grams.npy"], np.dtype(np.uint64), (None,))
    counts = read_array(members["document_counts.npy"], np.dtype(np.int32), (len(words) + len(grams),))
    demand(len(words) <= MAX_WORDS and len(grams) <= MAX_GRAMS, "the vocabulary is too large")
    demand(list(words) == sorted(set(words)) and bool(np.all(grams[1:] > grams[:-1])), "the vocabulary is out of order")
    demand(bool(((counts >= 1) & (counts <= examples)).all()), "a feature in no example, or in too many")
    return Vocabulary(words=words, grams=grams, document_counts=counts, examples=examples)


def vocabulary_members(vocabulary: Vocabulary) -> dict[str, bytes]:
    """Give the members of a vocabulary."""
    numbers = (array_bytes(vocabulary.grams), array_bytes(vocabulary.document_counts))
    return dict(zip(VOCABULARY, (to_json(vocabulary.words), *numbers), strict=True))
