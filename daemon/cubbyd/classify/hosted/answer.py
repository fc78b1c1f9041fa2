"""What a hosted model answered, once it was looked at: every answer is checked against the closed set, by our own hand.

The SDK checks nothing of a 200 answer, so the JSON is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cubbyd.classify.hosted.failure import Event, Failure, Symptom
from cubbyd.taxonomy import CategoryId

SUM_TOLERANCE: Final = 0.02
"""How far from 1 the probabilities may add up: a server rounds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A server's answer: JSON, and the id by which the vendor finds the call."""

    body: Mapping[str, Any]
    request_id: str = ""

    def odd(self, event: Event) -> Failure:
        """Make the failure of an answer that cannot be used."""
        return Failure(Symptom(event=event, request_id=self.request_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call; None where the server does not count them."""

    input_tokens: int | None = None
    output_tokens: int | None = None


def read_usage(reply: Reply, input_key: str, output_key: str) -> Usage:
    """Read the tokens of a call; nonsense counts as nothing said."""
    usage = reply.body.get("usage")
    if not isinstance(usage, Mapping):
        return Usage()
    return Usage(input_tokens=_count(usage.get(input_key)), output_tokens=_count(usage.get(output_key)))


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= 10**9 else None


def as_probability(value: object) -> float | None:
    """Read a number from 0 to 1; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0.0 <= value <= 1.0 else None


def spread(categories: tuple[CategoryId, ...], chosen: CategoryId, probability: float) -> dict[CategoryId, float]:
    """Give the chosen category its probability, and the others equal shares of the rest."""
    rest = (1.0 - probability) / (len(categories) - 1)
    return {category: probability if category == chosen else rest for category in categories}


def add_doubt(categories: tuple[CategoryId, ...], masses: Mapping[CategoryId, float]) -> dict[CategoryId, float]:
    """Give each category its mass, and an equal share of what is missing from 1: nothing is known of who has it."""
    total = sum(masses.values())
    share = max(0.0, 1.0 - total) / len(categories)
    scale = 1.0 if total <= 1.0 else 1.0 / total  # a little above 1 by rounding
    return {category: masses.get(category, 0.0) * scale + share for category in categories}
