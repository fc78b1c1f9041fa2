"""What reports ask of the state file: ends of mail in a time, what it cost, what is stuck."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from tests.mail import RECEIVED, mail
from tests.rig import Office, rules, words_classifier
from tests.undoing import later
from tests.watched import NOTHING

from cubbyd.classify.protocol import Cost, Prediction
from cubbyd.errors import ClassifierRejected
from cubbyd.filing import Hold
from cubbyd.journal import Ends, Expense, Tally
from cubbyd.lifecycle import State
from cubbyd.testing import FakeServer, WordClassifier

HOUR = timedelta(hours=1)


def office(folder: Path, *subjects: str, classifier: WordClassifier | None = None) -> tuple[Office, FakeServer]:
    """An office whose inbox has had a pass."""
    server = FakeServer()
    deliver(server, *subjects)
    made = Office(state=folder, connect=server.connect, classifier=classifier or words_classifier(), rules=rules(attempts=1))
    made.run()
    return made, server


def deliver(server: FakeServer, *subjects: str) -> None:
    for number, subject in enumerate(subjects):
        server.deliver(mail(subject, number=number + 100 * len(server.folders["INBOX"].mails)), RECEIVED)


@contextmanager
def tally_of(made: Office) -> Iterator[Tally]:
    with closing(made.journal()) as journal:
        yield journal.tally


def test_it_counts_what_was_filed_and_held_in_a_time_and_nothing_before_or_after(tmp_path: Path) -> None:
    made, _ = office(tmp_path / "state", "ill", "ill again", "the invoice", "hello", "")
    now = made.clock.now()

    with tally_of(made) as tally:
        assert tally.ends("office", now, now + HOUR) == Ends(
            filed={"absence": 2, "billing": 1}, held={Hold.UNSURE: 2}, taken_by_people=0, taken_back=0, urgent=0
        )
        assert tally.ends("office", now - HOUR, now) == NOTHING
        assert tally.ends("kitchen", now, now + HOUR) == NOTHING
        assert list(tally.ends("office", now, now + HOUR).filed) == ["absence", "billing"], "the most first"
        assert tally.held_in_inbox("office") == 2


class Paid(WordClassifier):
    """The same, at a price."""

    def classify(self, inputs: object, /) -> list[Prediction]:
        answers = super().classify(inputs)  # type: ignore[arg-type]
        cost = Cost(input_tokens=100, output_tokens=2, money=0.25)
        return [
            Prediction(probabilities=one.probabilities, provenance=one.provenance, cost=cost)
            for one in answers
            if isinstance(one, Prediction)
        ]


def test_it_adds_up_what_the_mail_of_a_time_has_cost(tmp_path: Path) -> None:
    made, server = office(tmp_path / "state", "ill", "hello", classifier=Paid(("absence", "billing"), {"ill": "absence"}))
    first = made.clock.now()
    later(made, 7200)
    deliver(server, "ill too")
    made.run()

    with tally_of(made) as tally:
        assert tally.expense("office", first, first + HOUR) == Expense(answers=2, tokens=204, money=0.5)
        assert tally.expense("office", first, first + 3 * HOUR) == Expense(answers=3, tokens=306, money=0.75)
        assert tally.expense("office", first - HOUR, first) == Expense(answers=0, tokens=0, money=0.0)


def test_it_names_what_is_stuck_by_its_uid_and_why(tmp_path: Path) -> None:
    refused = words_classifier(strange=ClassifierRejected("it will not be answered"))
    made, _ = office(tmp_path / "state", "ill", "strange", classifier=refused)

    with tally_of(made) as tally:
        (snag,) = tally.snags("office", 5)
        assert (snag.uid, snag.state, snag.error) == (2, State.QUARANTINED, "it will not be answered")
        assert tally.snags("office", 0) == []
