"""A classifier that says what a test tells it, to build others of, and the mails to ask about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cubbyd.classify.protocol import Cost, Prediction, Provenance, Reason
from cubbyd.errors import ClassifierError, ClassifierUnavailable
from cubbyd.message import RENDERER_VERSION, ClassifierInput, render_text
from cubbyd.taxonomy import CategoryId

ABSENCE, BILLING, PICKUP = (CategoryId(name) for name in ("absence", "billing", "pickup"))
CATEGORIES = (ABSENCE, BILLING, PICKUP)
DOWN = ClassifierUnavailable("nobody answers", retry_after_seconds=7)


def mail(subject: str) -> ClassifierInput:
    return render_text(subject, "See above.")


def chances(*probabilities: float) -> dict[CategoryId, float]:
    return dict(zip(CATEGORIES, probabilities, strict=True))


@dataclass(slots=True, kw_only=True)
class Told:
    """Answers by the subject; an error in the place of probabilities is given, or raised for all where `outage` is set."""

    kind: str = "told"
    says: Mapping[str, Mapping[CategoryId, float] | ClassifierError] = field(default_factory=dict)
    otherwise: Mapping[CategoryId, float] | ClassifierError = field(default_factory=lambda: chances(0.9, 0.06, 0.04))
    categories: tuple[CategoryId, ...] = CATEGORIES
    batch_size: int = 10
    money: float = 0.0
    request_id: str = ""
    hold: str = ""
    outage: ClassifierError | None = None
    calls: list[list[str]] = field(default_factory=list)
    """The subjects of each call."""
    closed: int = 0

    @property
    def provenance(self) -> Provenance:
        return Provenance(kind=self.kind, model="1", renderer=RENDERER_VERSION)

    @provenance.setter
    def provenance(self, _: Provenance) -> None:
        raise AssertionError("nobody changes it")

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        assert len(inputs) <= self.batch_size
        self.calls.append([given.subject for given in inputs])
        if self.outage is not None:
            raise self.outage
        return [self.answer(self.says.get(given.subject, self.otherwise)) for given in inputs]

    def answer(self, said: Mapping[CategoryId, float] | ClassifierError) -> Prediction | ClassifierError:
        if isinstance(said, ClassifierError):
            return said
        return Prediction(
            probabilities=dict(said),
            provenance=self.provenance,
            cost=Cost(milliseconds=2.0, input_tokens=30, output_tokens=4, money=self.money),
            reasons=(Reason(text=f"a word of {self.kind}", weight=0.5),),
            request_id=self.request_id,
            hold=self.hold,
        )

    def close(self) -> None:
        self.closed += 1

    @property
    def asked(self) -> list[str]:
        return [subject for call in self.calls for subject in call]


@dataclass(slots=True, kw_only=True)
class ToldChooser(Told):
    """One that can also be asked among few; remembers among which."""

    choices: list[tuple[str, ...]] = field(default_factory=list)

    def classify_among(
        self, inputs: Sequence[ClassifierInput], among: Sequence[Sequence[CategoryId]], /
    ) -> Sequence[Prediction | ClassifierError]:
        assert len(inputs) == len(among) <= self.batch_size
        self.choices += [tuple(categories) for categories in among]
        self.calls.append([given.subject for given in inputs])
        if self.outage is not None:
            raise self.outage
        return [
            self.answer({category: 1.0 if category == categories[-1] else 0.0 for category in categories})
            for categories in among
        ]


def predictions(outcomes: Sequence[Any]) -> list[Prediction]:
    """Take the outcomes, each of which is an answer."""
    assert all(isinstance(outcome, Prediction) for outcome in outcomes), outcomes
    return list(outcomes)


def only(outcomes: Sequence[Any]) -> Prediction:
    """Take the one answer."""
    (prediction,) = predictions(outcomes)
    return prediction
