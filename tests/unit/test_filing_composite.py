"""Filing by classifiers made of others: a disagreement is held with its reason, and an outage harms no mail without need."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.mail import RECEIVED, mail
from tests.rig import FOLDERS, Office, rules, words_classifier

from cubbyd.classify.cascade import CascadeClassifier
from cubbyd.classify.ensemble import EnsembleClassifier
from cubbyd.errors import ClassifierUnavailable
from cubbyd.filing import Rules
from cubbyd.filing.judge import PART_OUTAGE
from cubbyd.journal import Record
from cubbyd.lifecycle import State
from cubbyd.testing import FakeServer, HandClock, WordClassifier

WHY = "the classifiers disagree: absence / billing"


def office(folder: Path, server: FakeServer, wanted: Rules, other: WordClassifier | None = None) -> Office:
    other = other or WordClassifier(FOLDERS, {"ill": "billing", "invoice": "billing", "milk": "meals"})
    both = EnsembleClassifier([words_classifier(), other], [9, 1], review_on_disagreement=True)
    return Office(state=folder / "state", connect=server.connect, rules=wanted, classifier=both)


def subjects(server: FakeServer) -> dict[str, list[bytes]]:
    return {
        name: [one.raw.split(b"Subject: ")[1].split(b"\r\n")[0] for one in folder.mails.values()]
        for name, folder in server.folders.items()
    }


def waiting(here: Office, clock: HandClock) -> list[Record]:
    """Mails without a decision, whenever they are due."""
    clock.advance(86_400)
    with closing(here.journal()) as journal:
        return list(journal.waiting("office", State.SEEN, clock.now(), 100))


@pytest.mark.parametrize("review", [None, "Review"])
def test_it_is_held_for_people_and_the_others_are_filed(tmp_path: Path, review: str | None) -> None:
    server = FakeServer()
    for number, subject in enumerate(["ill today", "the invoice"]):
        server.deliver(mail(subject, number=number), RECEIVED)
    here = office(tmp_path, server, rules(review=review))

    here.run()

    assert subjects(server) == {"INBOX": [], "Billing": [b"the invoice"]} | {review or "INBOX": [b"ill today"]}
    held, filed = here.records()
    assert (held.state, held.category, held.hold) == (State.HELD, None, WHY)
    assert held.prediction is not None
    assert held.prediction["hold"] == WHY
    assert held.probability == pytest.approx(0.815), "0.9 x 0.9 + 0.1 x 0.05: more than the threshold, and not enough"
    assert (filed.state, filed.hold) == (State.FILED, None)
    assert filed.prediction is not None
    assert "hold" not in filed.prediction


def test_a_second_copy_takes_the_reason_over(tmp_path: Path) -> None:
    server = FakeServer()
    server.deliver(mail("ill today"), RECEIVED)
    here = office(tmp_path, server, rules())
    here.run()
    server.deliver(mail("ill today"), RECEIVED)

    here.run()

    assert [(record.state, record.hold) for record in here.records()] == [(State.HELD, WHY)] * 2
    assert subjects(server)["INBOX"] == [b"ill today"] * 2


def test_observed_first_it_is_held_later_without_being_asked_again(tmp_path: Path) -> None:
    server = FakeServer()
    server.deliver(mail("ill today"), RECEIVED)
    office(tmp_path, server, rules(observe=True)).run()
    down = words_classifier()
    down.outage = ClassifierUnavailable("nobody answers")

    here = office(tmp_path, server, rules(review="Review"), down)
    here.run()

    assert subjects(server) == {"INBOX": [], "Review": [b"ill today"]}
    assert [(record.state, record.hold) for record in here.records()] == [(State.HELD, WHY)]
    assert down.asked == []


def test_a_member_that_is_down_leaves_all_mail_where_it_is(tmp_path: Path) -> None:
    server = FakeServer()
    server.deliver(mail("the invoice"), RECEIVED)
    down = words_classifier()
    down.outage = ClassifierUnavailable("nobody answers")
    here = office(tmp_path, server, rules(), down)

    report = here.run()

    assert [str(problem) for problem in report.problems] == ["nobody answers"]
    assert subjects(server) == {"INBOX": [b"the invoice"]}
    assert [(record.state, record.attempts) for record in waiting(here, HandClock())] == [(State.SEEN, 1)]


def test_while_the_second_of_a_cascade_is_down_the_first_goes_on_and_nothing_is_used_up(tmp_path: Path) -> None:
    """Each pass files what the first is sure of; that is no reason to hurry the mail that waits for the second."""
    server, clock, then = FakeServer(), HandClock(), WordClassifier(FOLDERS, {"unclear": "meals"}, batch_size=1)
    then.outage = ClassifierUnavailable("nobody answers")
    cascade = CascadeClassifier(words_classifier(), then, unsure_below=0.8)
    here = Office(state=tmp_path / "state", connect=server.connect, rules=rules(attempts=8), classifier=cascade, clock=clock)
    server.deliver(mail("unclear"), RECEIVED)
    for number in range(12):
        server.deliver(mail("the invoice", number=number), RECEIVED)
        report = here.run()
        assert [str(problem) for problem in report.problems] == (["nobody answers"] if number in {0, 1, 5} else [])
        clock.advance(60)

    assert subjects(server) == {"INBOX": [b"unclear"], "Billing": [b"the invoice"] * 12}
    then.outage = None
    assert [(record.attempts, record.error) for record in waiting(here, clock)] == [(3, f"{PART_OUTAGE}nobody answers")]
    here.run()
    assert subjects(server)["Meals"] == [b"unclear"]


def test_the_first_that_the_second_answers_again_frees_the_others_that_wait(tmp_path: Path) -> None:
    server, clock, then = FakeServer(), HandClock(), WordClassifier(FOLDERS, {"unclear": "meals"}, batch_size=1)
    cascade = CascadeClassifier(words_classifier(), then, unsure_below=0.8)
    here = Office(state=tmp_path / "state", connect=server.connect, rules=rules(attempts=8), classifier=cascade, clock=clock)
    then.outage = ClassifierUnavailable("nobody answers", retry_after_seconds=3600)
    server.deliver(mail("unclear", number=1), RECEIVED)
    here.run()
    then.outage = ClassifierUnavailable("nobody answers")
    server.deliver(mail("unclear", number=2), RECEIVED)
    here.run()
    then.outage = None

    clock.advance(61)
    here.run()
    assert subjects(server)["Meals"] == [b"unclear"]
    here.run()

    assert subjects(server)["Meals"] == [b"unclear"] * 2
