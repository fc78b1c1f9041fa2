"""From logits to probabilities; pure, and safe for logits of any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn logits into probabilities that sum to 1 along the last axis."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn each logit into a probability of its own."""
    return np.asarray(np.exp(-np.logaddexp(0, -logits.astype(np.float64))))
