"""A classifier that is down for days: no mail loses its place for it, and a mail that fails alone is found out all the same."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.mail import RECEIVED, mail
from tests.rig import FOLDERS, WORDS, Office, rules

from cubbyd.classify.protocol import Prediction
from cubbyd.errors import ClassifierError, ClassifierUnavailable
from cubbyd.journal import Record
from cubbyd.lifecycle import State
from cubbyd.message.model import ClassifierInput
from cubbyd.testing import FakeServer, HandClock, WordClassifier

DAY = 86_400


class Moody(WordClassifier):
    """Is unavailable whenever it is shown a mail with a certain word."""

    def __init__(self, falls_over: str = "") -> None:
        super().__init__(FOLDERS, dict(WORDS), batch_size=1)
        self.falls_over = falls_over

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        if self.falls_over and any(self.falls_over in given.subject for given in inputs):
            self.asked += [given.subject for given in inputs]
            raise ClassifierUnavailable("no answer in time")
        return super().classify(inputs)


def office(folder: Path, server: FakeServer, classifier: WordClassifier, clock: HandClock) -> Office:
    return Office(state=folder / "state", connect=server.connect, rules=rules(attempts=3), classifier=classifier, clock=clock)


def everything(here: Office, clock: HandClock) -> list[Record]:
    with closing(here.journal()) as journal:
        waiting = journal.waiting("office", State.SEEN, clock.now(), 100)
    return sorted([*waiting, *here.records()], key=lambda record: record.id)


def deliver(server: FakeServer, *subjects: str) -> None:
    for number, subject in enumerate(subjects):
        server.deliver(mail(subject, number=number), RECEIVED)


def test_an_outage_of_a_week_uses_up_no_mail_and_ends_with_all_of_it_filed(tmp_path: Path) -> None:
    server, clock, down = FakeServer(), HandClock(), Moody()
    down.outage = ClassifierUnavailable("nobody answers")
    here = office(tmp_path, server, down, clock)
    deliver(server, *["the invoice"] * 5)
    for _ in range(14):
        here.run()
        clock.advance(DAY / 2)

    assert {record.state for record in everything(here, clock)} == {State.SEEN}

    down.outage = None
    for _ in range(2):
        here.run()
    assert {record.state for record in everything(here, clock)} == {State.FILED}


def test_mail_that_was_not_asked_about_when_the_outage_began_has_no_attempt_against_it(tmp_path: Path) -> None:
    server, clock = FakeServer(), HandClock()
    here = office(tmp_path, server, Moody("second"), clock)
    deliver(server, "the invoice", "the second invoice", "the last invoice")

    here.run()

    clock.advance(DAY)
    first, second, last = everything(here, clock)
    assert first.state is State.FILED
    assert (second.state, second.attempts) == (State.SEEN, 1)
    assert (last.state, last.attempts, last.not_before) == (State.SEEN, 0, None)


def test_a_mail_that_the_classifier_falls_over_stops_no_other_and_is_set_aside_at_last(tmp_path: Path) -> None:
    server, clock, moody = FakeServer(), HandClock(), Moody("poison")
    here = office(tmp_path, server, moody, clock)
    deliver(server, "poison", "the invoice")
    here.run()
    clock.advance(DAY)
    for number in range(2, 5):
        server.deliver(mail("the invoice", number=number), RECEIVED)
        here.run()
        clock.advance(DAY)

    poison, *others = everything(here, clock)
    assert {record.state for record in others} == {State.FILED}
    assert poison.state is State.QUARANTINED
    assert moody.asked.count("poison") == 3


def test_a_clock_that_was_far_ahead_keeps_no_mail_waiting(tmp_path: Path) -> None:
    """A pause that was put on record while the clock was a year ahead would last a year."""
    server, clock, moody = FakeServer(), HandClock(), Moody("invoice")
    here = office(tmp_path, server, moody, clock)
    deliver(server, "the invoice")
    clock.set_wall(365 * 86_400)
    here.run()
    with closing(here.journal()) as journal:
        assert journal.waiting("office", State.SEEN, clock.now(), 10) == []
    clock.set_wall(-365 * 86_400)
    moody.falls_over = ""

    here.run()

    assert [record.state for record in here.records()] == [State.FILED]
