"""Features of a mail for the local classifier, made the same way in training and in serving: words and character n-grams.

Words, and pairs of neighboring words, are kept as strings, because people are shown them as reasons. Character n-grams
catch inflection, compounds and typing errors; they are many, so they are only ever 64-bit hashes, made and looked up for
a whole text at once. Both blocks are weighted by TF-IDF and then each brought to length 1. Pure; numpy only.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise, repeat
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cubbyd.message.model import ClassifierInput

SUBJECT_WEIGHT: Final = 2.0
TEXT_WEIGHT: Final = 1.0
QUOTED_WEIGHT: Final = 0.5
"""What one occurrence counts, by where it stands; measured on mailing lists, sums of them are exact in any order."""

SENDER_MARK: Final = "from:"
ATTACHMENT_MARK: Final = "file:"
"""Words of the sender and of the attachments' names never mix with words of the text."""

MAX_WORDS: Final = 50_000
MAX_GRAMS: Final = 50_000
"""How many of each a vocabulary keeps, the most widespread first; more gained nothing on any set of the benchmark."""

SHORTEST_GRAM: Final = 2
LONGEST_GRAM: Final = 5

Floats: TypeAlias = NDArray[np.float32]
Columns: TypeAlias = NDArray[np.int64]
Hashes: TypeAlias = NDArray[np.uint64]

_WORD: Final = re.compile(r"\b\w{1,40}\b")
"""A longer run is no word but a code or encoded data."""

_HASH_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_MERGE_EVERY: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often each feature occurs in one mail, weighted by field."""

    words: Mapping[str, float]
    grams: Hashes
    """Distinct, ascending."""
    gram_counts: Floats
    """One for each of the grams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The features that a model knows: a column for each word, in order, then one for each gram, in order."""

    words: tuple[str, ...]
    """Distinct, ascending."""
    grams: Hashes
    """Distinct, ascending."""
    document_counts: NDArray[np.int32]
    """For each column, in how many examples it occurs; at least 1."""
    examples: int
    """How many examples the vocabulary was learned from."""
    _columns: Mapping[str, int] = field(init=False, repr=False, compare=False)
    _idf: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the words, and weigh each column by its rarity (scikit-learn's smoothed inverse document frequency)."""
        idf = np.log((1 + self.examples) / (1 + self.document_counts)) + 1
        object.__setattr__(self, "_columns", {word: column for column, word in enumerate(self.words)})
        object.__setattr__(self, "_idf", idf.astype(np.float32))

    def __len__(self) -> int:
        """Count the columns."""
        return len(self.words) + len(self.grams)

    def vectorize(self, counts: Counts) -> tuple[Columns, Floats]:
        """Give the known features of one mail: their distinct columns, and their values; both empty where none is known.

        The values of the words have length 1, and so have those of the grams, wherever there are any.
        """
        size = len(counts.words)
        word_columns = np.fromiter(map(self._columns.get, counts.words, repeat(-1)), dtype=np.int64, count=size)
        word_counts = np.fromiter(counts.words.values(), dtype=np.float32, count=size)
        is_known = word_columns >= 0
        word_columns, word_counts = word_columns[is_known], word_counts[is_known]
        gram_columns, gram_counts = self._find_grams(counts)
        values = self._weigh(word_columns, word_counts), self._weigh(gram_columns, gram_counts)
        return np.concatenate([word_columns, gram_columns]), np.concatenate(values)

    def _find_grams(self, counts: Counts) -> tuple[Columns, Floats]:
        if not len(self.grams):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        places = np.minimum(self.grams.searchsorted(counts.grams), len(self.grams) - 1)
        is_known = self.grams[places] == counts.grams
        return places[is_known] + len(self.words), counts.gram_counts[is_known]

    def _weigh(self, columns: Columns, counts: Floats) -> Floats:
        values = np.log1p(counts) * self._idf[columns]
        length = np.linalg.norm(values)
        return (values / length if length else values).astype(np.float32)


def count_features(mail: ClassifierInput) -> Counts:
    """Count the words and character n-grams of one mail; takes time in proportion to its length."""
    words: dict[str, float] = defaultdict(float)
    grams, weights = [], []
    for text, weight in ((mail.subject, SUBJECT_WEIGHT), (mail.text, TEXT_WEIGHT), (mail.quoted, QUOTED_WEIGHT)):
        lowered = text.lower()
        tokens = _WORD.findall(lowered)
        for word in chain(tokens, map(" ".join, pairwise(tokens))):
            words[word] += weight
        hashes = hash_grams(lowered)
        grams.append(hashes)
        weights.append(np.full(len(hashes), weight, dtype=np.float32))
    for mark, marked in ((SENDER_MARK, (mail.sender,)), (ATTACHMENT_MARK, mail.attachments)):
        for token in _WORD.findall(" ".join(marked).lower()):
            words[mark + token] += 1
    distinct, gram_counts = _sum_by_key(np.concatenate(grams), np.concatenate(weights))
    return Counts(words=words, grams=distinct, gram_counts=gram_counts)


def hash_grams(text: str) -> Hashes:
    """Hash each run of 2 to 5 code points that stays within one word and the spaces around it, as often as it occurs.

    These are the n-grams of scikit-learn's analyzer "char_wb". A hash is the polynomial of the code points modulo 2**64;
    that of a run one longer comes from that of the shorter one, for all places of the text at once.
    """
    padded = f" {' '.join(text.split())} "
    codes = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    if len(codes) == len("  "):
        return np.zeros(0, dtype=np.uint64)
    terms = codes.astype(np.uint64) + np.uint64(1)
    is_space = codes == ord(" ")
    hashes, inside_word = terms, np.ones(len(codes), dtype=np.bool_)
    found = []
    for length in range(SHORTEST_GRAM, LONGEST_GRAM + 1):
        starts = max(len(codes) - length + 1, 0)
        hashes = hashes[:starts] * _HASH_FACTOR + terms[length - 1 :]
        inside_word = inside_word[:starts]
        if length > SHORTEST_GRAM:  # the last code point of the shorter run is an inner one now
            inside_word = inside_word & ~is_space[length - 2 : length - 2 + starts]
        found.append(hashes[inside_word])
    return np.concatenate(found)


def learn_vocabulary(mails: Iterable[Counts]) -> Vocabulary:
    """Learn which words and grams there are, from mails that need not be in memory at the same time."""
    examples, word_counts = 0, Counter[str]()
    grams, gram_counts = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.float32)
    pending: list[Hashes] = []
    for examples, counts in enumerate(mails, start=1):  # noqa: B007  # the count goes on after the loop
        word_counts.update(counts.words.keys())
        pending.append(counts.grams)
        if len(pending) == _MERGE_EVERY:
            grams, gram_counts = _add_occurrences(grams, gram_counts, pending)
            pending = []
    grams, gram_counts = _add_occurrences(grams, gram_counts, pending)
    frequent = np.sort(np.argsort(-gram_counts, kind="stable")[:MAX_GRAMS])
    words = sorted(sorted(word_counts, key=lambda word: (-word_counts[word], word))[:MAX_WORDS])
    return Vocabulary(
        words=tuple(words),
        grams=grams[frequent],
        document_counts=np.array([*(word_counts[word] for word in words), *gram_counts[frequent]], dtype=np.int32),
        examples=examples,
    )


def _add_occurrences(grams: Hashes, gram_counts: Floats, mails: list[Hashes]) -> tuple[Hashes, Floats]:
    """Add one to the count of each gram for each mail that has it."""
    added = np.concatenate([np.zeros(0, dtype=np.uint64), *mails])
    return _sum_by_key(np.concatenate([grams, added]), np.concatenate([gram_counts, np.ones(len(added), dtype=np.float32)]))


def _sum_by_key(keys: Hashes, amounts: Floats) -> tuple[Hashes, Floats]:
    """Give the distinct keys, ascending, and the sum of the amounts of each."""
    if not len(keys):
        return keys, amounts
    order = np.argsort(keys)
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.add.reduceat(amounts[order], starts)
