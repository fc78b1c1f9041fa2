"""Asking about labeled mail at length: finished predictions are kept in a file, so that an interrupted run goes on from there.

The file has JSON lines, one an answer, appended as answers come. A line names the version of the classifier and the text by
digests and holds no words. Answers of other versions stay in the file and are passed over.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import numpy as np

from cubbyd.classify.members import ask_member
from cubbyd.classify.protocol import Classifier, Prediction, Provenance
from cubbyd.dataset.example import Example
from cubbyd.errors import ClassifierError, ClassifierUnavailable, InputFileError
from cubbyd.evaluation.answer import Answers, number_groups
from cubbyd.evaluation.metric import Floats, Truths
from cubbyd.message import ClassifierInput, render_text
from cubbyd.taxonomy import CategoryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one classifier answered about a test set, row by row."""

    provenance: Provenance
    answers: Answers
    mails: tuple[Example, ...]
    """The examples that were answered; a row of everything else is about the one at the same place."""
    milliseconds: Floats
    """Shape (mails,): what each answer took."""
    money: Floats
    """Shape (mails,): in the currency of the backend's price list."""
    unread: int
    """How many examples have nothing to read; nobody is asked about them."""
    reused: int
    """How many answers came from the file of an earlier run."""

    def pick(self, places: np.typing.NDArray[np.int64]) -> Sheet:
        """Give the same for some of the mails."""
        return Sheet(
            provenance=self.provenance,
            answers=self.answers.pick(places),
            mails=tuple(self.mails[place] for place in places),
            milliseconds=self.milliseconds[places],
            money=self.money[places],
            unread=self.unread,
            reused=self.reused,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """One finished prediction."""

    mail: str
    """The digest of the text."""
    probabilities: Floats
    """Of the classifier's own categories, in its order."""
    held: bool
    milliseconds: float
    money: float


class KeptAnswers:
    """The file of finished predictions, open for one version of a classifier. Close it, or answers may be lost."""

    def __init__(self, file: Path, classifier: Classifier) -> None:
        """Open the file, made with mode 0600 where there is none. Raises InputFileError where that cannot be done."""
        self._file, self._classifier = file, classifier
        try:
            self._stream: IO[str] = os.fdopen(
                os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "r+", encoding="utf-8"
            )
        except OSError as error:
            raise InputFileError(file, f"cannot keep answers: {error.strerror}; name another with --answers FILE") from error

    @property
    def _who(self) -> str:
        """Name the version; looked at each time, as a hosted one finds out with its first answer how it can be asked."""
        who = self._classifier.provenance
        return _digest([who.kind, who.model, who.renderer, *self._classifier.categories])

    def read(self) -> Iterator[KeptAnswer]:
        """Give what is known of this version; a line that was cut off by an interruption is passed over."""
        self._stream.seek(0)
        line, who = "\n", self._who
        for line in self._stream:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and record.get("who") == who:
                yield self._to_answer(record)
        if not line.endswith("\n"):
            self._stream.write("\n")

    def add(self, answers: Sequence[KeptAnswer]) -> None:
        """Append answers, so that they outlive this process."""
        who = self._who
        for one in answers:
            record = {
                "who": who,
                "mail": one.mail,
                "held": one.held,
                "ms": one.milliseconds,
                "money": one.money,
                "probabilities": b64encode(one.probabilities.astype("<f8").tobytes()).decode(),
            }
            self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _to_answer(self, record: dict[str, Any]) -> KeptAnswer:
        try:
            probabilities = np.frombuffer(
                b64decode(record["probabilities"], validate=True), dtype="<f8", count=len(self._classifier.categories)
            )
            return KeptAnswer(
                mail=str(record["mail"]),
                probabilities=probabilities,
                held=bool(record["held"]),
                milliseconds=float(record["ms"]),
                money=float(record["money"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputFileError(self._file, "is no file of kept answers; move it away, or name another") from error


def ask_all(
    classifier: Classifier,
    examples: Sequence[Example],
    *,
    categories: tuple[CategoryId, ...],
    kept_in: Path | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Sheet:
    """Ask about every labeled example that has something to read, but not about what the file of kept answers knows.

    `categories` are the columns. Texts that read the same are asked about once. Answers are kept as they come, also when the
    asking ends early. Raises ClassifierUnavailable when the classifier goes down, another ClassifierError where there is no
    answer at all, InputFileError where the file cannot be used.
    """
    asking = _Asking(classifier, examples, categories)
    if kept_in is None:
        asking.ask(lambda _: None, progress)
        return asking.sheet()
    with closing(KeptAnswers(kept_in, classifier)) as kept:
        for answer in kept.read():
            asking.take(answer)
        asking.note_reused()
        asking.ask(kept.add, progress)
    return asking.sheet()


class _Asking:
    """The table that answers are written into, and what is still to be asked."""

    def __init__(self, classifier: Classifier, examples: Sequence[Example], categories: tuple[CategoryId, ...]) -> None:
        self._classifier, self._categories = classifier, categories
        self._mails: list[Example] = []
        self._rows: dict[str, list[int]] = {}
        for example in examples:
            given = render_text(example.subject, example.body)
            if not given.is_empty:
                self._rows.setdefault(_digest([given.subject, given.text, given.quoted]), []).append(len(self._mails))
                self._mails.append(example)
        self._unread = len(examples) - len(self._mails)
        places = {category: place for place, category in enumerate(categories)}
        self._columns = np.array([places[one] for one in classifier.categories], dtype=np.int64)
        count = len(self._mails)
        self._probabilities = np.zeros((count, len(categories)))
        self._answered, self._held = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        self._milliseconds, self._money = np.zeros(count), np.zeros(count)
        self._failures: list[ClassifierError] = []
        self._reused = 0

    def take(self, answer: KeptAnswer) -> None:
        rows = self._rows.get(answer.mail, [])
        for row in rows:
            self._probabilities[row, self._columns] = answer.probabilities
            self._held[row], self._answered[row] = answer.held, True
            self._milliseconds[row], self._money[row] = answer.milliseconds, answer.money

    def note_reused(self) -> None:
        self._reused = int(self._answered.sum())

    def ask(self, keep: Callable[[Sequence[KeptAnswer]], None], progress: Callable[[int, int], None]) -> None:
        waiting = [(mail, rows[0]) for mail, rows in self._rows.items() if not self._answered[rows[0]]]
        size, known = self._classifier.batch_size, len(self._rows) - len(waiting)
        progress(known, len(self._rows))
        for start in range(0, len(waiting), size):
            some = waiting[start : start + size]
            outcomes = ask_member(self._classifier, [self._render(row) for _, row in some])
            answers = [
                self._keepable(mail, outcome)
                for (mail, _), outcome in zip(some, outcomes, strict=True)
                if isinstance(outcome, Prediction)
            ]
            for answer in answers:
                self.take(answer)
            keep(answers)
            if isinstance(outcomes[-1], ClassifierUnavailable):
                raise outcomes[-1]
            for (mail, _), outcome in zip(some, outcomes, strict=True):
                if isinstance(outcome, ClassifierError):
                    self._failures += [outcome] * len(self._rows[mail])
            progress(known + start + len(some), len(self._rows))

    def _render(self, row: int) -> ClassifierInput:
        return render_text(self._mails[row].subject, self._mails[row].body)

    def _keepable(self, mail: str, said: Prediction) -> KeptAnswer:
        return KeptAnswer(
            mail=mail,
            probabilities=np.array([said.probabilities.get(one, 0.0) for one in self._classifier.categories]),
            held=bool(said.hold),
            milliseconds=said.cost.milliseconds,
            money=said.cost.money,
        )

    def sheet(self) -> Sheet:
        places = np.flatnonzero(self._answered)
        if not len(places):
            raise self._failures[0] if self._failures else ClassifierError("there is no labeled mail with words to ask about")
        mails = tuple(self._mails[place] for place in places)
        everything = len(places) == len(self._mails)
        answers = Answers(
            categories=self._categories,
            probabilities=self._probabilities if everything else self._probabilities[places],
            truths=_truths(mails, self._categories),
            held=self._held[places],
            groups=number_groups(mails),
            dates=None,
            failures=tuple(self._failures),
        )
        return Sheet(
            provenance=self._classifier.provenance,
            answers=answers,
            mails=mails,
            milliseconds=self._milliseconds[places],
            money=self._money[places],
            unread=self._unread,
            reused=self._reused,
        )


def _truths(mails: Sequence[Example], categories: tuple[CategoryId, ...]) -> Truths:
    places = {category: place for place, category in enumerate(categories)}
    truths = np.zeros((len(mails), len(categories)), dtype=bool)
    for row, example in enumerate(mails):
        for label in example.labels:
            if label in places:
                truths[row, places[label]] = True
    return truths


def _digest(parts: Sequence[str]) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()[:32]
