"""What a classifier says of labeled mail, as arrays: what calibration and thresholds are found on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from cubbyd.classify.calibration import Curve
from cubbyd.classify.members import ask_member
from cubbyd.classify.protocol import Classifier, Prediction
from cubbyd.dataset.example import Example
from cubbyd.errors import ClassifierError, ClassifierUnavailable
from cubbyd.evaluation.metric import Floats, Integers, Truths
from cubbyd.message import render_text
from cubbyd.taxonomy import CategoryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers for some labeled mails, one row a mail."""

    categories: tuple[CategoryId, ...]
    probabilities: Floats
    """Shape (mails, categories)."""
    truths: Truths
    """Shape (mails, categories): which categories are right; none in a row whose category the classifier cannot choose."""
    held: Truths
    """Shape (mails,): the classifier wants a person for it, so that no probability files it."""
    groups: Integers
    """Shape (mails,): mails of one number belong together (a thread, the same text)."""
    dates: Floats | None
    """Shape (mails,): seconds since 1970; None where not every mail has a date."""
    failures: tuple[ClassifierError, ...] = ()
    """Of the mails that there is no answer for."""

    def __len__(self) -> int:
        """Count the mails that were answered."""
        return len(self.probabilities)

    @property
    def tops(self) -> Integers:
        """The column of the most probable category of each mail; the first among equals."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def confidence(self) -> Floats:
        """The probability of the most probable category of each mail."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def right(self) -> Truths:
        """Whether the most probable category of each mail is right."""
        return np.asarray(self.truths[np.arange(len(self)), self.tops])

    def pick(self, places: Integers) -> Answers:
        """Give the answers for some of the mails."""
        return replace(
            self,
            probabilities=self.probabilities[places],
            truths=self.truths[places],
            held=self.held[places],
            groups=self.groups[places],
            dates=None if self.dates is None else self.dates[places],
        )

    def calibrated(self, curve: Curve) -> Answers:
        """Give the same answers with other probabilities."""
        return replace(self, probabilities=curve.apply(self.probabilities))


def collect_answers(
    classifier: Classifier,
    examples: Sequence[Example],
    *,
    categories: tuple[CategoryId, ...] = (),
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Answers:
    """Ask a classifier about labeled examples; those with nothing to read are passed over, as the daemon does.

    `categories` are the columns, by default those of the classifier; `progress` is told how many were asked about, of how
    many. Raises the first error where there is no answer at all, and ClassifierUnavailable as soon as the classifier is down:
    half a sample would be another sample.
    """
    asked = [(example, given) for example in examples if not (given := render_text(example.subject, example.body)).is_empty]
    outcomes: list[Prediction | ClassifierError] = []
    for start in range(0, len(asked), classifier.batch_size):
        some = [given for _, given in asked[start : start + classifier.batch_size]]
        outcomes += ask_member(classifier, some)
        if isinstance(outcomes[-1], ClassifierUnavailable):
            raise outcomes[-1]
        progress(len(outcomes), len(asked))
    failures = tuple(outcome for outcome in outcomes if isinstance(outcome, ClassifierError))
    if len(failures) == len(outcomes):
        raise failures[0] if failures else ClassifierError("there is no labeled mail with words to ask about")
    answered = [
        (example, outcome) for (example, _), outcome in zip(asked, outcomes, strict=True) if isinstance(outcome, Prediction)
    ]
    return to_answers(categories or classifier.categories, answered, failures)


def to_answers(
    categories: tuple[CategoryId, ...],
    answered: Sequence[tuple[Example, Prediction]],
    failures: tuple[ClassifierError, ...],
) -> Answers:
    """Put predictions about labeled mails into arrays; `categories` are the columns. There is at least one mail."""
    dates = [example.date.timestamp() for example, _ in answered if example.date is not None]
    return Answers(
        categories=categories,
        probabilities=np.array([[said.probabilities.get(one, 0.0) for one in categories] for _, said in answered]),
        truths=np.array([[one in example.labels for one in categories] for example, _ in answered]),
        held=np.array([bool(said.hold) for _, said in answered]),
        groups=number_groups([example for example, _ in answered]),
        dates=np.array(dates) if len(dates) == len(answered) else None,
        failures=failures,
    )


def number_groups(examples: Sequence[Example]) -> Integers:
    """Number what belongs together: examples of one group, and where none is given, those that read the same."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(_group_of(example), len(numbers)) for example in examples], dtype=np.int64)


def _group_of(example: Example) -> str:
    if example.group:
        return f"group {example.group}"
    given = render_text(example.subject, example.body)
    return sha256(f"{given.subject}\n{given.text}\n{given.quoted}".casefold().encode()).hexdigest()


def join(parts: Sequence[Answers]) -> Answers:
    """Put answers together that have the same categories; there is at least one part."""
    dates = [part.dates for part in parts if part.dates is not None]
    return Answers(
        categories=parts[0].categories,
        probabilities=np.concatenate([part.probabilities for part in parts]),
        truths=np.concatenate([part.truths for part in parts]),
        held=np.concatenate([part.held for part in parts]),
        groups=np.concatenate([part.groups for part in parts]),
        dates=np.concatenate(dates) if len(dates) == len(parts) else None,
        failures=tuple(failure for part in parts for failure in part.failures),
    )
