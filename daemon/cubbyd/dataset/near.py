"""Texts that are nearly the same: MinHash signatures of word triples, and bands of them as buckets.

Broder 1997, "On the resemblance and containment of documents"; the bands are those of Leskovec, Rajaraman, Ullman, "Mining of
Massive Datasets", chapter 3. A text takes HASHES * 4 bytes, whatever its length; 120,000 texts take 62 MB and some seconds.
numpy only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

HASHES: Final = 128
ROWS: Final = 4
"""Of a band: texts that share 80 of 100 triples meet in one of the 32 bands all but surely."""

ALIKE: Final = 0.8
"""The share of equal hashes from which two texts are near-duplicates; it estimates the share of triples in common."""

SHINGLE: Final = 3
"""Words in a row that are compared as one."""

MAX_WORDS: Final = 2000
"""Of one text; what comes after them does not make two mails different."""

Signatures: TypeAlias = NDArray[np.uint32]
Places: TypeAlias = NDArray[np.int64]

_WORD: Final = re.compile(r"\w+")
_ODD: Final = np.random.default_rng(20_260_101).integers(1, 2**63, size=(HASHES, 1), dtype=np.uint64) * 2 + 1
_SHIFT: Final = np.random.default_rng(20_260_102).integers(1, 2**63, size=(HASHES, 1), dtype=np.uint64)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_HALF: Final = np.uint64(32)
_FIRST_ROOM: Final = 1024
_PAIRS_AT_ONCE: Final = 100_000


class NearIndex:
    """Signatures of texts, in the order in which they were added."""

    def __init__(self) -> None:
        """Begin without a text."""
        self._signatures: Signatures = np.zeros((_FIRST_ROOM, HASHES), dtype=np.uint32)
        self._count = 0

    def __len__(self) -> int:
        """Count the texts."""
        return self._count

    def add(self, text: str) -> None:
        """Add a text; upper and lower case, punctuation and line breaks do not count."""
        if self._count == len(self._signatures):
            grown = np.zeros((2 * self._count, HASHES), dtype=np.uint32)
            grown[: self._count] = self._signatures
            self._signatures = grown
        self._signatures[self._count] = sign(text)
        self._count += 1

    def pairs(self) -> Iterator[tuple[Places, Places]]:
        """Give pairs of near-duplicates, in blocks of two arrays of places; every cluster is held together by its pairs.

        Within a bucket each text is compared with the one before it and with the first, so that a bucket of n texts takes
        2n comparisons and not n².
        """
        signatures = self._signatures[: self._count]
        for start in range(0, HASHES, ROWS):
            keys = _fold(signatures[:, start : start + ROWS])
            order = np.argsort(keys, kind="stable")
            same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]]) + 1
            if not len(same):
                continue
            heads = _heads(same)
            for other in (same - 1, heads):
                yield from self._alike(order[other], order[same])

    def _alike(self, left: Places, right: Places) -> Iterator[tuple[Places, Places]]:
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            a, b = left[start : start + _PAIRS_AT_ONCE], right[start : start + _PAIRS_AT_ONCE]
            share = (self._signatures[a] == self._signatures[b]).mean(axis=1)
            alike = (share >= ALIKE) & (a != b)
            yield a[alike], b[alike]


def sign(text: str) -> Signatures:
    """Give the MinHash signature of a text: for each of HASHES functions the least hash of its word triples."""
    words = _WORD.findall(text.casefold())[:MAX_WORDS]
    hashes = np.fromiter((crc32(word.encode("utf-8", "surrogatepass")) for word in words), dtype=np.uint64, count=len(words))
    width = max(1, min(SHINGLE, len(words)))
    shingles = np.full(max(1, len(words) - width + 1), np.uint64(width))
    for offset in range(width if len(words) else 0):
        shingles = (shingles ^ hashes[offset : offset + len(shingles)]) * _MIX
        shingles ^= shingles >> _HALF
    found: Signatures = ((shingles * _ODD + _SHIFT) >> _HALF).min(axis=1).astype(np.uint32)
    return found


def _fold(rows: Signatures) -> NDArray[np.uint64]:
    """Make one key of the rows of a band."""
    keys = np.zeros(len(rows), dtype=np.uint64)
    for column in range(rows.shape[1]):
        keys = (keys ^ rows[:, column].astype(np.uint64)) * _MIX
        keys ^= keys >> _HALF
    return keys


def _heads(same: Places) -> Places:
    """For each place that equals the one before it, give the first place of its run."""
    begins = np.concatenate([[True], same[1:] != same[:-1] + 1])
    heads: Places = (same[begins] - 1)[np.cumsum(begins) - 1]
    return heads


class Clusters:
    """Which places belong together: a forest of disjoint sets (Tarjan 1975), in one array."""

    def __init__(self, count: int) -> None:
        """Begin with every place alone."""
        self._parents = list(range(count))

    def join(self, one: int, other: int) -> None:
        """Say that two places belong together."""
        a, b = self.find(one), self.find(other)
        if a != b:
            self._parents[max(a, b)] = min(a, b)

    def find(self, place: int) -> int:
        """Give the least place of the cluster of a place."""
        parents = self._parents
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    def roots(self) -> list[int]:
        """Give for each place the least place of its cluster."""
        return [self.find(place) for place in range(len(self._parents))]


def cluster_near(index: NearIndex, clusters: Clusters) -> int:
    """Join what is nearly the same; give how many places have such a neighbor."""
    touched: set[int] = set()
    for left, right in index.pairs():
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            clusters.join(one, other)
            touched.update((one, other))
    return len(touched)
