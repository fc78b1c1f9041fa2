"""The cascade: a cheap classifier answers every mail, and a strong one is asked where the first is unsure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from cubbyd.classify.members import (
    OpenKind,
    Outcome,
    add_costs,
    ask_member,
    close_all,
    cover,
    describe,
    join_ids,
    made_of,
    missing_table,
    open_members,
    settle,
    smallest_batch,
    union,
)
from cubbyd.classify.protocol import Classifier, Prediction, Reason
from cubbyd.config import Config, IfThenFails, Labels
from cubbyd.errors import NeedsPerson
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

KIND: Final = "cascade"


class CascadeClassifier:
    """Two classifiers, of which the second is asked only where the first is unsure; as thread-safe as they are."""

    def __init__(
        self,
        first: Classifier,
        then: Classifier,
        *,
        unsure_below: float,
        margin_below: float = 0.0,
        if_then_fails: IfThenFails = IfThenFails.RETRY,
        labels: Labels = Labels.ONE,
        order: Iterable[CategoryId] = (),
    ) -> None:
        """Take the members, which are closed with this, and the order in which categories are listed."""
        members = (first, then)
        self.categories, self.batch_size = union(members, order), smallest_batch(members)
        rules = f"unsure_below={unsure_below:g} margin_below={margin_below:g} if_then_fails={if_then_fails}"
        self.provenance = made_of(KIND, members, f"{describe(first)}>{describe(then)} {rules}")
        self._first, self._then, self._labels = first, then, labels
        self._unsure_below, self._margin_below, self._if_then_fails = unsure_below, margin_below, if_then_fails

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input, in order. Raises ClassifierUnavailable where the first is down.

        Where the second is, that is the answer for the mails that need it, and no reason for the others to wait.
        """
        outcomes = settle(ask_member(self._first, inputs))
        unsure = {
            place: first for place, first in enumerate(outcomes) if isinstance(first, Prediction) and self.is_unsure(first)
        }
        for place, first in enumerate(outcomes):
            if isinstance(first, Prediction) and place not in unsure:
                outcomes[place] = self._decided_by(first, (first,))
        answers = ask_member(self._then, [inputs[place] for place in unsure])
        for (place, first), then in zip(unsure.items(), answers, strict=True):
            outcomes[place] = self._combine(first, then)
        return outcomes

    def close(self) -> None:
        """Close both."""
        close_all((self._first, self._then))

    def is_unsure(self, first: Prediction) -> bool:
        """Tell whether the second is to be asked: too low a probability, too small a lead, or the first wants a person.

        Where a mail can have many labels two that are both probable are no doubt, and the lead is not looked at.
        """
        probabilities = sorted(first.probabilities.values(), reverse=True)
        lead = probabilities[0] - (probabilities[1] if len(probabilities) > 1 else 0.0)
        return (
            bool(first.hold)
            or probabilities[0] < self._unsure_below
            or (self._labels is Labels.ONE and lead < self._margin_below)
        )

    def _combine(self, first: Prediction, then: Outcome) -> Outcome:
        name = first.provenance.kind
        unsure = Reason(text=f"{name} was unsure ({first.top} {first.probabilities[first.top]:.2f})", weight=0.0)
        if isinstance(then, Prediction):
            return self._decided_by(then, (first, then), unsure)
        if self._if_then_fails is IfThenFails.RETRY or isinstance(then, NeedsPerson):
            return then  # what a service will not speak of is never filed by a classifier that was unsure of it
        silent = Reason(text=f"{self._then.provenance.kind} gave no answer", weight=0.0)
        return self._decided_by(first, (first,), unsure, silent)

    def _decided_by(self, decisive: Prediction, asked: Sequence[Prediction], *remarks: Reason) -> Prediction:
        return replace(
            decisive,
            probabilities=cover(decisive.probabilities, self.categories),
            provenance=self.provenance,
            cost=add_costs(asked),
            reasons=(*decisive.reasons, *remarks),
            request_id=join_ids(asked),
        )


def open_cascade(config: Config, open_kind: OpenKind) -> CascadeClassifier:
    """Open the cascade that [classifier.cascade] describes. Raises ConfigError, and what its members raise."""
    section = config.classifier.cascade
    if section is None:
        raise missing_table(config, KIND)
    first, then = open_members(config, open_kind, (section.first, section.then), KIND)
    return CascadeClassifier(
        first,
        then,
        unsure_below=section.unsure_below,
        margin_below=section.margin_below,
        if_then_fails=section.if_then_fails,
        labels=config.classifier.labels,
        order=config.taxonomy.ids,
    )
