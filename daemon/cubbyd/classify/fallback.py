"""The fallback: another classifier answers while the chosen one cannot, so that an outage or a spent budget stops no mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Final

import structlog

from cubbyd.classify.members import (
    OpenKind,
    Outcome,
    add_costs,
    ask_member,
    close_all,
    cover,
    describe,
    fault,
    join_ids,
    made_of,
    open_members,
    settle,
    smallest_batch,
    union,
)
from cubbyd.classify.protocol import Classifier, Prediction, Reason
from cubbyd.config import Config
from cubbyd.errors import ClassifierError, ClassifierUnavailable, NeedsPerson
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

KIND: Final = "fallback"

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.classify")


class FallbackClassifier:
    """Two classifiers, of which the second answers where the first gives no answer; as thread-safe as they are."""

    def __init__(self, first: Classifier, second: Classifier, *, order: Iterable[CategoryId] = ()) -> None:
        """Take the members, which are closed with this, and the order in which categories are listed."""
        members = (first, second)
        self.categories, self.batch_size = union(members, order), smallest_batch(members)
        self.provenance = made_of(KIND, members, f"{describe(first)}|{describe(second)}")
        self._first, self._second = first, second
        self._is_down, self._lock = False, Lock()

    @property
    def first(self) -> Classifier:
        """The one that answers as long as it can."""
        return self._first

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input, in order. Raises ClassifierUnavailable where both are down.

        What the first will not speak of (NeedsPerson) is for people, and not for the second. A mail for which neither has
        an answer keeps the error of the first.
        """
        outcomes = [self._decided_by(one) if isinstance(one, Prediction) else one for one in ask_member(self._first, inputs)]
        self._notice(outcomes)
        failed = {
            place: error
            for place, error in enumerate(outcomes)
            if isinstance(error, ClassifierError) and not isinstance(error, NeedsPerson)
        }
        answers = ask_member(self._second, [inputs[place] for place in failed])
        for (place, error), answer in zip(failed.items(), answers, strict=True):
            outcomes[place] = self._decided_by(answer, self._remark(error)) if isinstance(answer, Prediction) else error
        return settle(outcomes)

    def close(self) -> None:
        """Close both."""
        close_all((self._first, self._second))

    def _remark(self, error: ClassifierError) -> Reason:
        why = "is unavailable" if isinstance(error, ClassifierUnavailable) else "gave no answer"
        return Reason(text=f"{self._first.provenance.kind} {why}", weight=0.0)

    def _decided_by(self, answer: Prediction, *remarks: Reason) -> Prediction:
        return replace(
            answer,
            probabilities=cover(answer.probabilities, self.categories),
            provenance=self.provenance,
            cost=add_costs((answer,)),
            reasons=(*answer.reasons, *remarks),
            request_id=join_ids((answer,)),
        )

    def _notice(self, outcomes: Sequence[Outcome]) -> None:
        """Say it once when the first goes down, and once when it is back."""
        outages = [outcome for outcome in outcomes if isinstance(outcome, ClassifierUnavailable)]
        is_back = not outages and any(isinstance(outcome, Prediction) for outcome in outcomes)
        with self._lock:
            was_down, self._is_down = self._is_down, bool(outages) or (self._is_down and not is_back)
        first, second = self._first.provenance.kind, self._second.provenance.kind
        if outages and not was_down:
            log.warning("the fallback answers", classifier=first, fallback=second, error=str(outages[0]))
        elif was_down and is_back:
            log.info("the classifier answers again", classifier=first, fallback=second)


def open_fallback(config: Config, open_kind: OpenKind) -> Classifier:
    """Open the configured kind with its fallback behind it. Raises ConfigError, and what its members raise."""
    section, chosen = config.classifier, config.classifier.fallback
    if chosen is None:
        return open_kind(section.kind, config)
    if (chosen.kind, chosen.model or section.model) == (section.kind, section.model):
        raise fault(config, KIND, f'is the same classifier as kind = "{section.kind}"; name another')
    first = open_kind(section.kind, config)
    try:
        (second,) = open_members(config, open_kind, (chosen,), KIND)
    except BaseException:
        first.close()
        raise
    return FallbackClassifier(first, second, order=config.taxonomy.ids)
