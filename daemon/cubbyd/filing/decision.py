"""From a prediction to a decision: which category, or held for people, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from cubbyd.classify.protocol import Prediction
from cubbyd.config import Labels
from cubbyd.errors import NeedsPerson
from cubbyd.taxonomy import CategoryId, Taxonomy


class Hold(StrEnum):
    """Why a mail is left to people, where it is not the classifier that asks for them in words of its own."""

    UNSURE = "unsure"  # no category is probable enough
    EMPTY = "nothing to read"  # no words and no attachment names
    UNKNOWN = "its category is not configured"  # a category was taken out of the configuration, or is not ours
    TAKEN_BACK = "taken back by an undo"  # it was filed, and `cubbyd undo` brought it back
    DIGEST = "a digest of cubbyd itself"  # a person put one into the inbox
    PUT_BACK = "put back by a person"  # it was filed, or taken away, and is in the inbox again


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to become of a mail: a category, or a reason to hold it."""

    category: CategoryId | None
    """The most probable one: its folder is the mail's."""
    probability: float
    hold: str | None
    """One of Hold, or what a classifier said."""
    others: tuple[CategoryId, ...] = ()
    """The further categories, where a mail can have several: their keywords are the mail's too."""
    stays: bool = False
    """Held, it is not even brought to the review folder."""
    urgent: str = ""
    """Why a person should look soon; empty where nothing says so."""


OWN_DIGEST = Decision(category=None, probability=0.0, hold=Hold.DIGEST, stays=True)
"""The decision for a mail that cubbyd wrote: it stays where a person put it, and no classifier is asked about it."""

UNSPOKEN = "the classifier will not speak of it"

NOTHING_TO_READ = Decision(category=None, probability=0.0, hold=Hold.EMPTY)
"""The decision for a mail without words and attachments; no classifier is asked about it."""


def decide(prediction: Prediction, taxonomy: Taxonomy, threshold: float, labels: Labels = Labels.ONE) -> Decision:
    """Choose the most probable category where it reaches its threshold: the category's own, else the general one.

    Where a mail can have many labels, all that reach theirs are chosen, most probable first. Where the classifier asks for a
    person, no probability is enough.
    """
    known = [(category, p) for category, p in prediction.ranked if category in taxonomy]
    candidates = known if labels is Labels.MANY else known[:1]
    reached = (
        [] if prediction.hold else [(category, p) for category, p in candidates if p >= _bar(taxonomy, category, threshold)]
    )
    category, probability = reached[0] if reached else (None, known[0][1] if known else 0.0)
    return Decision(
        category=category,
        probability=probability,
        hold=None if reached else prediction.hold or Hold.UNSURE,
        others=tuple(other for other, _ in reached[1:]),
        stays=prediction.stays,
        urgent=prediction.urgent,
    )


def _bar(taxonomy: Taxonomy, category: CategoryId, threshold: float) -> float:
    own = taxonomy[category].threshold
    return threshold if own is None else own


def ask_person(error: NeedsPerson) -> Decision:
    """Make the decision for a mail that a classifier will not speak of: people have it, soon."""
    return Decision(category=None, probability=0.0, hold=str(error), urgent=UNSPOKEN)


def reconsider(decision: Decision, taxonomy: Taxonomy) -> Decision:
    """Look at a decision on record again: the configuration may no longer have its categories."""
    others = tuple(other for other in decision.others if other in taxonomy)
    if decision.category is None or decision.category in taxonomy:
        return replace(decision, others=others)
    return replace(decision, category=None, hold=Hold.UNKNOWN, others=())
