"""Vectors that mean something without a model: texts that share words, or pieces of words, are near one another.

Each word, and each piece of four letters, has a fixed direction of its own, drawn from its hash; a text is the sum of them. In
some hundred dimensions two random directions are all but at right angles, so the cosine of two texts is close to the share of
words that they have in common (random indexing; Kanerva, Kristofersson and Holst 2000).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

PIECE: Final = 4
PIECE_WEIGHT: Final = 0.3
SHORT_WORD: Final = 3
SHORT_WEIGHT: Final = 0.3
"""Words as short as "the" and "and" say little."""
SEED_BYTES: Final = 8

_WORD: Final = re.compile(r"\w+")


def embed(text: str | Sequence[int], dimensions: int) -> Vector:
    """Make the vector of a text, or of the numbers of its tokens: of length 1, and always the same."""
    total = np.zeros(dimensions, np.float32)
    for feature, weight in _features(text).items():
        total += np.float32(weight) * _direction(feature, dimensions)
    return total / np.linalg.norm(total)


def _features(text: str | Sequence[int]) -> dict[str, float]:
    if not isinstance(text, str):
        return {f"#{token}": float(number) for token, number in Counter(text).items()}
    features: dict[str, float] = {}
    for word, number in Counter(_WORD.findall(text.casefold())).items():
        times = number**0.5
        features[word] = times * (SHORT_WEIGHT if len(word) <= SHORT_WORD else 1.0)
        for start in range(len(word) - PIECE + 1):
            piece = f"{word[start : start + PIECE]}…"
            features[piece] = features.get(piece, 0.0) + times * PIECE_WEIGHT
    return features or {"": 1.0}


@lru_cache(maxsize=4096)
def _direction(feature: str, dimensions: int) -> Vector:
    seed = hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=SEED_BYTES).digest()
    return np.random.default_rng(int.from_bytes(seed)).standard_normal(dimensions, np.float32)
