"""Who is told what happens while mail is filed: the one seam between the work and what counts it.

The work calls these from its own threads; an observer takes note and returns at once. What the state file knows anyway is read
from there (see view.py), and does not come by this way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.clock import Clock
from cubbyd.errors import ClassifierError, CubbydError
from cubbyd.journal import Record
from cubbyd.lifecycle import State
from cubbyd.message import ClassifierInput


class Observer(Protocol):
    """Takes note; never raises, and is safe to call from several threads."""

    def mail_became(self, mailbox: str, record: Record, to: State, *, is_old: bool) -> None:
        """A mail was taken to a state; is_old: it was in the inbox before cubbyd first opened it."""
        ...

    def mail_moved(self, mailbox: str, was: str | None, category: str | None) -> None:
        """A person moved a mail from the folder of one category to that of another; None: it was, or is, left to people."""
        ...

    def pass_ended(self, mailbox: str, seconds: float, errors: Sequence[CubbydError]) -> None:
        """A pass ended, with these errors, whether or not they broke it off."""
        ...

    def answered(self, seconds: float, outcomes: Sequence[Prediction | ClassifierError]) -> None:
        """The classifier was asked about so many mails at once, and answered each, or did not."""
        ...

    def reloaded(self, *, is_in_force: bool) -> None:
        """A configuration was read; is_in_force: it was right, and is the one that is served."""
        ...


class Nobody:
    """Takes note of nothing."""

    def mail_became(self, mailbox: str, record: Record, to: State, *, is_old: bool) -> None:
        """Let it pass."""

    def mail_moved(self, mailbox: str, was: str | None, category: str | None) -> None:
        """Let it pass."""

    def pass_ended(self, mailbox: str, seconds: float, errors: Sequence[CubbydError]) -> None:
        """Let it pass."""

    def answered(self, seconds: float, outcomes: Sequence[Prediction | ClassifierError]) -> None:
        """Let it pass."""

    def reloaded(self, *, is_in_force: bool) -> None:
        """Let it pass."""


class ObservedClassifier:
    """A classifier of which an observer hears how long each question took and what came of it; as thread-safe as both."""

    def __init__(self, classifier: Classifier, observer: Observer, clock: Clock) -> None:
        """Stand before a classifier; whoever loaded that closes it."""
        self._classifier, self._observer, self._clock = classifier, observer, clock
        self.provenance, self.categories = classifier.provenance, classifier.categories
        self.batch_size = classifier.batch_size

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        """Answer as the classifier does, and raise what it raises."""
        begun = self._clock.monotonic()
        try:
            outcomes = self._classifier.classify(inputs)
        except ClassifierError as error:
            self._observer.answered(self._clock.monotonic() - begun, [error] * len(inputs))
            raise
        self._observer.answered(self._clock.monotonic() - begun, outcomes)
        return outcomes

    def close(self) -> None:
        """Close the classifier."""
        self._classifier.close()
