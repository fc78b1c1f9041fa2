"""From a prediction to a decision: which category, or held for people, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cubbyd.classify.protocol import Prediction
from cubbyd.taxonomy import CategoryId, Taxonomy


class Hold(StrEnum):
    """Why a mail is left to people, where it is not the classifier that asks for them in words of its own."""

    UNSURE = "unsure"  # no category is probable enough
    EMPTY = "nothing to read"  # no words and no attachment names
    UNKNOWN = "its category is not configured"  # a category was taken out of the configuration, or is not ours
    PUT_BACK = "put back by a person"  # it was filed, or taken away, and is in the inbox again


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to become of a mail: a category, or a reason to hold it."""

    category: CategoryId | None
    probability: float
    hold: str | None
    """One of Hold, or what a classifier said."""


NOTHING_TO_READ = Decision(category=None, probability=0.0, hold=Hold.EMPTY)
"""The decision for a mail without words and attachments; no classifier is asked about it."""


def decide(prediction: Prediction, taxonomy: Taxonomy, threshold: float) -> Decision:
    """Choose the most probable category where it reaches its threshold: the category's own, else the general one.

    Where the classifier asks for a person, no probability is enough.
    """
    known = [(category, p) for category, p in prediction.ranked if category in taxonomy]
    if not known:
        return Decision(category=None, probability=0.0, hold=prediction.hold or Hold.UNSURE)
    category, probability = known[0]
    if prediction.hold:
        return Decision(category=None, probability=probability, hold=prediction.hold)
    own = taxonomy[category].threshold
    if probability >= (threshold if own is None else own):
        return Decision(category=category, probability=probability, hold=None)
    return Decision(category=None, probability=probability, hold=Hold.UNSURE)


def reconsider(decision: Decision, taxonomy: Taxonomy) -> Decision:
    """Look at a decision on record again: the configuration may no longer have its category."""
    if decision.category is None or decision.category in taxonomy:
        return decision
    return Decision(category=None, probability=decision.probability, hold=Hold.UNKNOWN)
