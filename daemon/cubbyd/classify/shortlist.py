"""The shortlist: a cheap classifier names the likely categories, and another chooses among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from cubbyd.classify.members import (
    OpenKind,
    Outcome,
    add_costs,
    ask,
    ask_member,
    close_all,
    cover,
    describe,
    join_ids,
    made_of,
    missing_table,
    open_members,
    scale,
    settle,
    smallest_batch,
    union,
)
from cubbyd.classify.protocol import Chooser, Classifier, Prediction, Reason
from cubbyd.config import Config, Labels
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

KIND: Final = "shortlist"
FEWEST: Final = 2
"""Among fewer there is nothing to choose."""


class ShortlistClassifier:
    """Two classifiers, of which the second chooses among what the first finds likely; as thread-safe as they are."""

    def __init__(
        self,
        first: Classifier,
        then: Classifier,
        *,
        size: int,
        sure_above: float,
        labels: Labels = Labels.ONE,
        order: Iterable[CategoryId] = (),
    ) -> None:
        """Take the members, which are closed with this, and the order in which categories are listed."""
        members = (first, then)
        self.categories, self.batch_size = union(members, order), smallest_batch(members)
        rules = f"size={size} sure_above={sure_above:g}"
        self.provenance = made_of(KIND, members, f"{describe(first)}>{describe(then)} {rules}")
        self._first, self._then = first, then
        self._size, self._sure_above, self._labels = size, sure_above, labels

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input, in order. Raises ClassifierUnavailable where the first is down.

        Where the second is, that is the answer for the mails that need it, and no reason for the others to wait.
        """
        outcomes = [self._widen(outcome) for outcome in settle(ask_member(self._first, inputs))]
        asked: dict[int, tuple[Prediction, tuple[CategoryId, ...]]] = {}
        for place, first in enumerate(outcomes):
            if isinstance(first, Prediction) and (shortlist := self._shortlist(first)):
                asked[place] = first, shortlist
        answers = self._choose([inputs[place] for place in asked], [shortlist for _, shortlist in asked.values()])
        for (place, (first, shortlist)), then in zip(asked.items(), answers, strict=True):
            outcomes[place] = self._combine(first, shortlist, then) if isinstance(then, Prediction) else then
        return outcomes

    def close(self) -> None:
        """Close both."""
        close_all((self._first, self._then))

    def _widen(self, outcome: Outcome) -> Outcome:
        """Make the first's answer one of this classifier, as which it stands where the second is not asked."""
        if not isinstance(outcome, Prediction):
            return outcome
        probabilities = scale(cover(outcome.probabilities, self.categories), self._labels)
        return replace(outcome, probabilities=probabilities, provenance=self.provenance)

    def _shortlist(self, first: Prediction) -> tuple[CategoryId, ...]:
        """Give the categories that the second is to choose among, likeliest first; none where it is not to be asked."""
        if first.probabilities[first.top] >= self._sure_above and not first.hold:
            return ()
        likely = [category for category, _ in first.ranked if category in self._first.categories]
        shortlist = tuple(category for category in likely[: self._size] if category in self._then.categories)
        return shortlist if len(shortlist) >= FEWEST else ()

    def _choose(self, inputs: Sequence[ClassifierInput], shortlists: Sequence[tuple[CategoryId, ...]]) -> list[Outcome]:
        then = self._then
        if isinstance(then, Chooser):
            return ask(inputs, then.batch_size, lambda places: then.classify_among(inputs[places], shortlists[places]))
        return ask_member(then, inputs)

    def _combine(self, first: Prediction, shortlist: tuple[CategoryId, ...], then: Prediction) -> Prediction:
        hold = then.hold
        if then.probabilities[then.top] > max(then.probabilities.get(category, 0.0) for category in shortlist):
            # It was asked about all categories, and likes one best that is not here: what follows counts for nothing.
            hold = hold or f"the classifiers disagree: {first.top} / {then.top}"
        listed = Reason(text=f"{self._first.provenance.kind} left the choice among {', '.join(shortlist)}", weight=0.0)
        return replace(
            then,
            probabilities=self._share_out(first.probabilities, shortlist, then.probabilities),
            provenance=self.provenance,
            cost=add_costs((first, then)),
            reasons=(*then.reasons, listed),
            request_id=join_ids((first, then)),
            hold=hold,
        )

    def _share_out(
        self, first: Mapping[CategoryId, float], shortlist: Sequence[CategoryId], then: Mapping[CategoryId, float]
    ) -> dict[CategoryId, float]:
        """Share out where one label is right; where many can be, the second's own probabilities stand on its list."""
        if self._labels is Labels.ONE:
            return choose_within(first, shortlist, then)
        return {category: then.get(category, 0.0) if category in shortlist else p for category, p in first.items()}


def choose_within(
    first: Mapping[CategoryId, float], shortlist: Sequence[CategoryId], then: Mapping[CategoryId, float]
) -> dict[CategoryId, float]:
    """Let the second share out what the first gave to the shortlist; nothing changes outside of it.

    With p1 and p2 the probabilities of both, S the shortlist, and sums over S::

        p(c) = sum(p1) * p2(c) / sum(p2)   for c in S
        p(c) = p1(c)                       for every other category

    so that p sums to what p1 sums to, and a second that is sure can make no category more probable than the first found
    the whole shortlist. Where the second gives nothing to any category of S, the first's own probabilities stand.
    """
    mass, total = sum(first[category] for category in shortlist), sum(then.get(category, 0.0) for category in shortlist)
    if total <= 0.0:
        return dict(first)
    chosen = {category: mass * (then.get(category, 0.0) / total) for category in shortlist}
    return {category: chosen.get(category, p) for category, p in first.items()}


def open_shortlist(config: Config, open_kind: OpenKind) -> ShortlistClassifier:
    """Open the shortlist that [classifier.shortlist] describes. Raises ConfigError, and what its members raise."""
    section = config.classifier.shortlist
    if section is None:
        raise missing_table(config, KIND)
    first, then = open_members(config, open_kind, (section.first, section.then), KIND)
    return ShortlistClassifier(
        first,
        then,
        size=section.size,
        sure_above=section.sure_above,
        labels=config.classifier.labels,
        order=config.taxonomy.ids,
    )
