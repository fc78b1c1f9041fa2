"""The ensemble: several classifiers are asked about every mail, and the weighted mean of their probabilities counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

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
    normalize,
    open_members,
    scale,
    settle,
    smallest_batch,
    union,
)
from cubbyd.classify.protocol import Classifier, Prediction, Reason
from cubbyd.config import Config, Labels
from cubbyd.errors import ClassifierError
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

KIND: Final = "ensemble"

LEAST_PROBABILITY: Final = 1e-9
"""What a label counts for that a member thought impossible: one such mail must not outweigh all others."""
MOST_ROUNDS: Final = 20_000
CLOSE_ENOUGH: Final = 1e-5
"""How far, in nats a mail, the loss of the weights found may be above the least."""


class EnsembleClassifier:
    """Several classifiers that vote with their probabilities; as thread-safe as they are."""

    def __init__(
        self,
        members: Sequence[Classifier],
        weights: Sequence[float],
        *,
        review_on_disagreement: bool = False,
        labels: Labels = Labels.ONE,
        order: Iterable[CategoryId] = (),
    ) -> None:
        """Take the members, which are closed with this, a weight for each, and the order in which categories are listed."""
        self.categories, self.batch_size = union(members, order), smallest_batch(members)
        self.members, self._weights = tuple(members), tuple(weight / sum(weights) for weight in weights)
        parts = [f"{weight:.4g}*{describe(one)}" for one, weight in zip(self.members, self._weights, strict=True)]
        rules = " review_on_disagreement" if review_on_disagreement else ""
        self.provenance = made_of(KIND, self.members, " + ".join(parts) + rules)
        self._review_on_disagreement, self._labels = review_on_disagreement, labels

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input, in order. Raises ClassifierUnavailable where none of them has an answer for that reason.

        A mail has an answer where all members have one. One that a member has no answer for is not shown to those after it.
        """
        errors: dict[int, ClassifierError] = {}
        answers: list[list[Prediction]] = [[] for _ in inputs]
        for member in self.members:
            places = [place for place in range(len(inputs)) if place not in errors]
            for place, outcome in zip(places, ask_member(member, [inputs[place] for place in places]), strict=True):
                if isinstance(outcome, Prediction):
                    answers[place].append(outcome)
                else:
                    errors[place] = outcome
        return settle([errors[place] if place in errors else self._combine(given) for place, given in enumerate(answers)])

    def close(self) -> None:
        """Close all members."""
        close_all(self.members)

    def _combine(self, answers: Sequence[Prediction]) -> Prediction:
        probabilities = mean([scale(cover(one.probabilities, self.categories), self._labels) for one in answers], self._weights)
        top = max(probabilities, key=lambda category: probabilities[category])
        return Prediction(
            probabilities=probabilities,
            provenance=self.provenance,
            cost=add_costs(answers),
            reasons=self._reasons(answers, top),
            request_id=join_ids(answers),
            hold=next((one.hold for one in answers if one.hold), "") or self._disagreement(answers),
        )

    def _disagreement(self, answers: Sequence[Prediction]) -> str:
        tops = dict.fromkeys(one.top for one in answers)
        return f"the classifiers disagree: {' / '.join(tops)}" if self._review_on_disagreement and len(tops) > 1 else ""

    def _reasons(self, answers: Sequence[Prediction], top: CategoryId) -> tuple[Reason, ...]:
        """Give the reasons of the members that are for the category, by their weight, and then say who was against it."""
        weighed: dict[str, float] = {}
        for one, weight in zip(answers, self._weights, strict=True):
            for reason in one.reasons if one.top == top else ():
                weighed[reason.text] = weighed.get(reason.text, 0.0) + weight * reason.weight
        spoke = [Reason(text=text, weight=min(weight, 1.0)) for text, weight in weighed.items()]
        against = [one for one in answers if one.top != top]
        return (
            *sorted(spoke, key=lambda reason: -reason.weight),
            *(Reason(text=f"{one.provenance.kind} was for {one.top}", weight=0.0) for one in against),
        )


def mean(answers: Sequence[Mapping[CategoryId, float]], weights: Sequence[float]) -> dict[CategoryId, float]:
    """Give the weighted mean of probabilities of the same categories."""
    total = sum(weights)
    return {
        category: sum(weight * one[category] for one, weight in zip(answers, weights, strict=True)) / total
        for category in answers[0]
    }


def fit_weights(predictions: Sequence[Sequence[Prediction]], labels: Sequence[CategoryId]) -> tuple[float, ...]:
    """Find the weights that make the weighted mean's log loss least on validation data; they are 0 or more and sum to 1.

    `predictions` has, for each member, its predictions of the same mails in the same order; `labels` are what these mails
    really are. No member may have learned from them. The loss is convex in the weights; each round of expectation
    maximization lowers it, and the rounds end when what is left to gain, by the bound for weights on a simplex, is nothing
    to speak of. Raises ValueError where there is nothing to learn from.
    """
    if not predictions or not labels or any(len(member) != len(labels) for member in predictions):
        raise ValueError("every member needs one prediction for each label, and there must be some")
    given = np.array([[_probability(one, label) for one, label in zip(member, labels, strict=True)] for member in predictions])
    given = np.maximum(given, LEAST_PROBABILITY)
    weights = np.full(len(predictions), 1 / len(predictions))
    for _ in range(MOST_ROUNDS):
        gains = (given / (weights @ given)).mean(axis=1)
        if gains.max() - 1 <= CLOSE_ENOUGH:
            break
        weights = weights * gains
        weights /= weights.sum()
    return tuple(weights.tolist())


def _probability(prediction: Prediction, label: CategoryId) -> float:
    return normalize(prediction.probabilities).get(label, 0.0)


def open_ensemble(config: Config, open_kind: OpenKind) -> EnsembleClassifier:
    """Open the ensemble that [classifier.ensemble] describes. Raises ConfigError, and what its members raise."""
    section = config.classifier.ensemble
    if section is None:
        raise missing_table(config, KIND)
    return EnsembleClassifier(
        open_members(config, open_kind, section.members, KIND),
        [member.weight for member in section.members],
        review_on_disagreement=section.review_on_disagreement,
        labels=config.classifier.labels,
        order=config.taxonomy.ids,
    )
