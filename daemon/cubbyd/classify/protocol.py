"""The seam of every classifier backend: what it is given, what it answers, and how it says that it has no answer.

A Prediction scores every category, so that the policy alone decides between one label, several, and none. A failure is
an exception or a ClassifierError value in the place of a Prediction; it never becomes a category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cubbyd.errors import ClassifierError
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who answered: enough to find every mail that one version of a model decided."""

    kind: str
    """The backend's name in the registry."""
    model: str
    """The model's own name or fingerprint; changes when its answers may change."""
    renderer: str
    """The version of the renderer that made the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one answer took."""

    milliseconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    money: float = 0.0
    """In the currency of the backend's price list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that spoke for the top category, fit for a person: a word of the model's vocabulary, a rule, an example."""

    text: str
    weight: float
    """Its share of what spoke for the category, 0 to 1; 0 where a backend cannot say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A probability, 0 to 1, for every category of the taxonomy; they sum to 1 unless the backend scores each label alone."""

    probabilities: Mapping[CategoryId, float]
    provenance: Provenance
    cost: Cost = Cost()
    reasons: tuple[Reason, ...] = ()
    """What spoke for the most likely category, strongest first."""
    request_id: str = ""
    """The remote side's id of the call; empty for a classifier on this machine."""
    hold: str = ""
    """Why a person must decide, whatever the probabilities are; empty where none must. No text of the mail."""
    stays: bool = False
    """Held, it is left untouched in the inbox, and not brought to the review folder: a rule says so."""
    urgent: str = ""
    """Why a person should look at it soon, whatever becomes of it; empty where nothing says so. No text of the mail."""

    @property
    def top(self) -> CategoryId:
        """The most likely category; the first of the taxonomy's order among equals."""
        return max(self.probabilities, key=lambda category: self.probabilities[category])

    @property
    def ranked(self) -> list[tuple[CategoryId, float]]:
        """All categories with their probabilities, most likely first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])


class Classifier(Protocol):
    """A backend, loaded and ready. Used by one thread at a time per mailbox; implementations must be thread-safe."""

    provenance: Provenance
    categories: tuple[CategoryId, ...]
    """The categories that it can choose."""
    batch_size: int
    """How many mails to hand over at once: 1 for a backend where each call costs money, more where a batch is faster."""

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        """Answer for each input, in order: a Prediction, or why there is none for this one.

        Raises ClassifierError where the whole batch has no answer.
        """
        ...

    def close(self) -> None:
        """Give back what the backend holds open."""
        ...


@runtime_checkable
class Chooser(Classifier, Protocol):
    """A backend that can also be asked a narrower question: which of these few categories."""

    def classify_among(
        self, inputs: Sequence[ClassifierInput], among: Sequence[Sequence[CategoryId]], /
    ) -> Sequence[Prediction | ClassifierError]:
        """Answer for each input, in order, with a probability for each of its own few categories; they sum to 1.

        `among` has, for each input, two or more of this backend's categories. Errors are those of classify.
        """
        ...
