"""The index of examples: which of them a mail is most like. One matrix in memory, searched exactly; numpy alone.

Vectors have length 1, so that a product is a cosine. 10,000 examples of 384 dimensions are searched in some two milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.embedding.source import Vector

NEIGHBORS: Final = 10
SHARPNESS: Final = 20.0
"""A neighbor that is nearer by 0.05 counts e times as much."""
FLOOR: Final = 0.01
"""What a category without a neighbor is taken to have, or its logarithm would end the matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Examples with their categories."""

    vectors: NDArray[np.float32]
    """Shape (examples, dimensions), each of length 1."""
    targets: NDArray[np.bool_]
    """Shape (examples, categories): which categories each has."""
    lines: NDArray[np.int32]
    """Where each stood in the file of examples, from 1; 0 where it was in none."""

    def nearest(self, vector: Vector) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Give the places of the nearest examples, nearest first, and their cosines."""
        cosines = self.vectors @ vector
        count = min(NEIGHBORS, len(cosines))
        places = np.argpartition(-cosines, count - 1)[:count] if count else np.zeros(0, dtype=np.int64)
        places = places[np.lexsort((places, -cosines[places]))]
        return places, cosines[places]

    def votes(self, vector: Vector) -> NDArray[np.float64]:
        """Give for each category the logarithm of its share of the nearest examples, the nearer ones counting more."""
        places, cosines = self.nearest(vector)
        if not len(places):
            return np.zeros(self.targets.shape[1])
        weights = np.exp(SHARPNESS * (cosines.astype(np.float64) - cosines[0]))
        shares: NDArray[np.float64] = weights @ self.targets[places] / weights.sum()
        return np.log(shares + FLOOR)
