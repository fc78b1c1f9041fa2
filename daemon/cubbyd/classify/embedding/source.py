"""What makes vectors of mails, on this machine or on a server; the seam between the two, and what both agree upon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cubbyd.classify.protocol import Cost
from cubbyd.errors import ClassifierError
from cubbyd.message.model import ClassifierInput

Vector: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A vector of length 1, or of nothing but zeros for a text without a word."""

    vector: Vector
    cost: Cost = field(default_factory=Cost)
    """What making it took; nothing where it was in the cache."""
    request_id: str = ""


Outcome: TypeAlias = Embedded | ClassifierError


class Source(Protocol):
    """An embedding model, ready; any number of threads may use it."""

    model: str
    """Its name with all that its vectors depend on: another name, other vectors."""
    dimensions: int
    """How many numbers a vector has; 0 where only an answer can tell."""
    batch_size: int
    """How many texts to hand over at once."""

    def text(self, given: ClassifierInput, /) -> str:
        """Give the text of a mail that is embedded. Raises ClassifierError where it may not leave the building."""
        ...

    def embed(self, texts: Sequence[str], /) -> Sequence[Outcome]:
        """Make a vector of each text, in order, or say why there is none; no text is empty."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


def spell(given: ClassifierInput) -> str:
    """Give the words of a mail as one text: subject, text, earlier mail; empty where there are none."""
    return "\n".join(part for part in (given.subject, given.text, given.quoted) if part.strip())


def normalize(vector: NDArray[np.floating]) -> Vector:
    """Bring a vector to length 1; zeros stay zeros."""
    exact = vector.astype(np.float64)
    length = np.linalg.norm(exact)
    return (exact / length if length else exact).astype(np.float32)
