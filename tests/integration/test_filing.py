"""Filing on a real Dovecot, in-process, with a classifier whose answers the tests know; seen from outside by imaplib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.test_mailbox import account
from tests.dovecot import MAILDIR, PASSWORD, Dovecot
from tests.mail import Outside, mail
from tests.rig import FOLDERS, WORDS, Office, rules, words_classifier

from cubbyd.classify.protocol import Prediction
from cubbyd.clock import SystemClock
from cubbyd.config import Labels
from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable, NeedsPerson
from cubbyd.filing import Rules
from cubbyd.lifecycle import State
from cubbyd.mailbox import open_mailbox
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId
from cubbyd.testing import HandClock, WordClassifier

pytestmark = pytest.mark.dovecot

SUBJECTS = ["ill again", "the invoice", "no milk", "hello"]


def office(dovecot: Dovecot, user: str, tmp_path: Path, wanted: Rules | None = None, **parts: object) -> Office:
    who = account("127.0.0.1", dovecot.port, user, PASSWORD)
    return Office(state=tmp_path / "state", connect=lambda: open_mailbox(who), rules=wanted or rules(), **parts)  # type: ignore[arg-type]


def deliver(outside: Outside, *subjects: str) -> None:
    outside.deliver(*(mail(subject, number=number) for number, subject in enumerate(subjects)))


def test_each_mail_goes_to_its_folder_unread_and_a_second_pass_does_nothing(
    any_dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    with Outside(any_dovecot, user) as outside:
        deliver(outside, *SUBJECTS)
        here = office(any_dovecot, user, tmp_path)
        report = here.run()
        assert (report.found, report.classified) == (4, 4)
        placed = {
            "Absence": ["ill again"],
            "Billing": ["the invoice"],
            "Meals": ["no milk"],
            "INBOX": ["hello"],
        }
        assert outside.everything() == placed
        assert {"Absence", "Billing", "Meals"} <= outside.subscribed()
        again = here.run(full_scan=True)
        assert (again.found, again.classified, again.became) == (0, 0, {})
        assert outside.everything() == placed
        assert outside.seen() == 0


def test_unsure_mail_goes_to_the_review_folder_where_that_is_wanted(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    with Outside(dovecot, user) as outside:
        deliver(outside, "hello")
        here = office(dovecot, user, tmp_path, rules(review="Review"))
        here.run()
        assert outside.everything() == {"Review": ["hello"]}
        assert [(record.state, record.hold) for record in here.records()] == [(State.HELD, "unsure")]


def test_observing_records_decisions_and_changes_nothing_and_filing_later_asks_nobody_again(
    dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    with Outside(dovecot, user) as outside:
        deliver(outside, *SUBJECTS)
        classifier = words_classifier()
        watching = office(dovecot, user, tmp_path, rules(observe=True), classifier=classifier)
        watching.run()
        assert outside.everything() == {"INBOX": SUBJECTS}
        assert outside.folders() == ["INBOX"]
        assert [record.category for record in watching.records()] == ["absence", "billing", "meals", None]
        filing = office(dovecot, user, tmp_path, classifier=classifier)
        filing.run()
        assert set(outside.everything()) == {"Absence", "Billing", "Meals", "INBOX"}
        assert sorted(classifier.asked) == sorted(SUBJECTS)


def test_a_label_is_a_keyword_and_the_mail_stays(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    with Outside(dovecot, user) as outside:
        deliver(outside, "ill again", "hello")
        here = office(dovecot, user, tmp_path, rules(move=False, label=True))
        here.run()
        here.run(full_scan=True)
        first, second = sorted(outside.flags("INBOX").items())
        assert "cubbyd-absence" in first[1]
        assert not any(flag.startswith("cubbyd") for flag in second[1])
        assert outside.everything() == {"INBOX": ["ill again", "hello"]}


def test_a_label_travels_with_a_moved_mail(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    with Outside(dovecot, user) as outside:
        deliver(outside, "ill again")
        office(dovecot, user, tmp_path, rules(label=True)).run()
        assert [("cubbyd-absence" in flags) for flags in outside.flags("Absence").values()] == [True]


class Remarking(WordClassifier):
    """Says more of some mails than their category."""

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        return [
            replace(answer, urgent="an injury", probabilities={**answer.probabilities, **self.more})
            if isinstance(answer, Prediction) and "fell" in given.subject
            else answer
            for given, answer in zip(inputs, super().classify(inputs), strict=True)
        ]

    more: Mapping[CategoryId, float] = {}


@pytest.mark.parametrize("review", [None, "Review"])
def test_what_is_urgent_has_a_star_wherever_it_goes_and_is_unread(
    dovecot: Dovecot, user: str, tmp_path: Path, review: str | None
) -> None:
    remarking = Remarking(FOLDERS, dict(WORDS))
    with Outside(dovecot, user) as outside:
        deliver(outside, "fell and is ill", "he fell", "the invoice")
        here = office(dovecot, user, tmp_path, rules(review=review), classifier=remarking)
        here.run()
        here.run(full_scan=True)
        place = review or "INBOX"
        assert outside.everything() == {"Absence": ["fell and is ill"], "Billing": ["the invoice"], place: ["he fell"]}
        flagged = {
            folder: ["\\Flagged" in flags for flags in outside.flags(folder).values()] for folder in outside.everything()
        }
        assert flagged == {"Absence": [True], "Billing": [False], place: [True]}
        assert outside.seen() == 0
        assert [record.urgent for record in here.records()] == ["an injury", "an injury", None]


def test_a_mail_that_the_service_will_not_speak_of_goes_to_people_with_a_star_and_to_no_category(
    dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    refusing = words_classifier(hurt=NeedsPerson("a filter blocked this mail"))
    with Outside(dovecot, user) as outside:
        deliver(outside, "somebody hurt her", "the invoice")
        here = office(dovecot, user, tmp_path, rules(review="Review"), classifier=refusing)
        here.run()
        assert outside.everything() == {"Review": ["somebody hurt her"], "Billing": ["the invoice"]}
        assert ["\\Flagged" in flags for flags in outside.flags("Review").values()] == [True]
        held, _ = here.records()
        assert (held.state, held.category, held.hold) == (State.HELD, None, "a filter blocked this mail")


def test_a_mail_of_several_categories_has_all_keywords_in_the_folder_of_the_first(
    dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    remarking = Remarking(FOLDERS, dict(WORDS))
    remarking.more = {CategoryId("meals"): 0.8}
    with Outside(dovecot, user) as outside:
        deliver(outside, "fell and is ill", "the invoice")
        many = rules(label=True, labels=Labels.MANY)
        office(dovecot, user, tmp_path, many, classifier=remarking).run()
        assert outside.everything() == {"Absence": ["fell and is ill"], "Billing": ["the invoice"]}
        (absence,), (billing,) = (outside.flags(folder).values() for folder in ("Absence", "Billing"))
        assert {"cubbyd-absence", "cubbyd-meals", "cubbyd-urgent", "\\Flagged"} <= set(absence)
        assert [flag for flag in billing if flag.startswith("cubbyd")] == ["cubbyd-billing"]


@pytest.mark.parametrize(
    "capability",
    ["IMAP4rev1 UIDPLUS NAMESPACE IDLE", "IMAP4rev1 UIDPLUS", "IMAP4rev1 MOVE", "IMAP4rev1"],
    ids=["no MOVE", "no MOVE, NAMESPACE, IDLE", "no UIDPLUS", "nothing"],
)
def test_a_server_that_can_little_still_gets_its_mail_filed_and_keeps_other_peoples_deletions(
    capability: str, user: str, tmp_path: Path
) -> None:
    with Dovecot(MAILDIR, capability=capability) as poor, Outside(poor, user) as outside:
        deliver(outside, "ill again", "the invoice", "deleted by ann")
        outside.store("INBOX", "3", "\\Deleted")
        here = office(poor, user, tmp_path)
        here.run()
        here.run()
        assert outside.subjects("Absence") == ["ill again"]
        assert outside.subjects("Billing") == ["the invoice"]
        if "UIDPLUS" in capability or "MOVE" in capability:
            assert outside.subjects("INBOX") == ["deleted by ann"]
        else:  # nothing can be expunged alone: our originals wait, marked, for the next expunge of a client
            assert "deleted by ann" in outside.subjects("INBOX")
            assert all("\\Deleted" in flags for flags in outside.flags("INBOX").values())
        assert outside.seen() == 0


def test_a_mail_that_a_person_puts_back_is_left_alone(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    with Outside(dovecot, user) as outside:
        deliver(outside, "ill again")
        classifier = words_classifier()
        here = office(dovecot, user, tmp_path, classifier=classifier, clock=SystemClock())
        here.run()
        outside.drag(outside.uids("Absence")[0], "Absence", "INBOX")
        here.run()
        here.run(full_scan=True)
        assert outside.everything() == {"INBOX": ["ill again"]}
        assert [record.hold for record in here.records()] == [None, "put back by a person"]
        assert classifier.asked == ["ill again"]


def test_the_same_mail_delivered_twice_is_filed_twice(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    with Outside(dovecot, user) as outside:
        outside.deliver(mail("ill again"), mail("ill again"))
        office(dovecot, user, tmp_path).run()
        assert outside.everything() == {"Absence": ["ill again", "ill again"]}


def test_a_mail_that_somebody_marked_deleted_is_left_until_the_mark_is_taken_off(
    dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    clock = HandClock()
    with Outside(dovecot, user) as outside:
        deliver(outside, "ill again")
        outside.store("INBOX", "1", "\\Deleted")
        here = office(dovecot, user, tmp_path, clock=clock)
        here.run()
        assert outside.everything() == {"INBOX": ["ill again"]}
        outside.store("INBOX", "1", "\\Deleted", take_off=True)
        clock.advance(3600)
        here.run()
        assert outside.everything() == {"Absence": ["ill again"]}


def test_a_mail_that_a_person_takes_before_it_is_filed_stays_where_the_person_put_it(
    dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    with Outside(dovecot, user) as outside:
        deliver(outside, "ill again", "the invoice")
        office(dovecot, user, tmp_path, rules(observe=True)).run()
        outside.drag(1, "INBOX", "Dana")
        outside.delete(2, "INBOX")
        here = office(dovecot, user, tmp_path)
        here.run()
        assert outside.everything() == {"Dana": ["ill again"]}
        assert [(record.state, record.target_folder) for record in here.records()] == [
            (State.GONE, "Dana"),
            (State.GONE, None),
        ]


def test_a_renumbered_inbox_is_read_anew_and_no_mail_is_classified_again(tmp_path: Path, user: str) -> None:
    with Dovecot(MAILDIR) as server:
        classifier = words_classifier()
        here = office(server, user, tmp_path, rules(observe=True), classifier=classifier)
        with Outside(server, user) as outside:
            deliver(outside, *SUBJECTS)
            here.run()
        server.stop()
        for index in (server.folder / "home" / user / "Maildir").rglob("dovecot*"):
            index.unlink()
        server.start()
        here = office(server, user, tmp_path, classifier=classifier)
        here.run()
        assert sorted(classifier.asked) == sorted(SUBJECTS)
        with Outside(server, user) as outside:
            assert set(outside.everything()) == {"Absence", "Billing", "Meals", "INBOX"}


class TestAFailingClassifier:
    """Its failure is never a category."""

    def test_a_mail_without_an_answer_stays_is_retried_and_at_last_quarantined(
        self, dovecot: Dovecot, user: str, tmp_path: Path
    ) -> None:
        clock = HandClock()
        classifier = words_classifier(hello=ClassifierError("no answer for this one"))
        with Outside(dovecot, user) as outside:
            deliver(outside, "hello", "ill again")
            here = office(dovecot, user, tmp_path, classifier=classifier, clock=clock)
            for attempt in (1, 2, 3):
                here.run()
                assert outside.subjects("INBOX") == ["hello"]
                assert classifier.asked.count("hello") == attempt
                here.run()  # not due yet
                assert classifier.asked.count("hello") == attempt
                clock.advance(7 * 3600)
            (record,) = (record for record in here.records() if record.state is State.QUARANTINED)
            assert record.error == "no answer for this one"
            assert outside.everything() == {"Absence": ["ill again"], "INBOX": ["hello"]}
            classifier._words.pop("hello")
            with closing(here.journal()) as journal:
                journal.retry_quarantined("office", clock.now())
            here.run()
            assert [one.state for one in here.records()] == [State.HELD, State.FILED]

    def test_a_mail_that_the_backend_will_never_take_is_quarantined_at_once(
        self, dovecot: Dovecot, user: str, tmp_path: Path
    ) -> None:
        classifier = words_classifier(hello=ClassifierRejected("refused"))
        with Outside(dovecot, user) as outside:
            deliver(outside, "hello")
            here = office(dovecot, user, tmp_path, classifier=classifier)
            here.run()
            assert [one.state for one in here.records()] == [State.QUARANTINED]
            assert outside.everything() == {"INBOX": ["hello"]}

    def test_an_outage_is_a_problem_of_the_pass_and_when_it_ends_all_mail_is_filed_at_once(
        self, dovecot: Dovecot, user: str, tmp_path: Path
    ) -> None:
        clock = HandClock()
        classifier: WordClassifier = words_classifier()
        classifier.outage = ClassifierUnavailable("down")
        with Outside(dovecot, user) as outside:
            deliver(outside, "ill again", "the invoice")
            here = office(dovecot, user, tmp_path, classifier=classifier, clock=clock)
            assert [str(problem) for problem in here.run().problems] == ["down"]
            assert outside.subjects("INBOX") == ["ill again", "the invoice"]
            classifier.outage = None
            deliver(outside, "no milk")
            here.run()  # the new mail is answered; the others are then due
            here.run()
            assert set(outside.everything()) == {"Absence", "Billing", "Meals"}


def test_a_full_quota_leaves_mail_in_the_inbox_says_so_and_files_it_once_there_is_room(tmp_path: Path, user: str) -> None:
    quota = """
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=20K
}
"""
    clock = HandClock()
    with Dovecot(MAILDIR, extra=quota, capability="IMAP4rev1 UIDPLUS QUOTA") as server, Outside(server, user) as outside:
        outside.deliver(mail("ill again", number=1, body="x" * 9000), mail("hello", number=2, body="x" * 7000))
        here = office(server, user, tmp_path, clock=clock)
        problems = here.run().problems
        assert ["OVERQUOTA" in str(problem) for problem in problems] == [True]
        assert outside.subjects("INBOX") == ["ill again", "hello"]
        outside.delete(2, "INBOX")
        clock.advance(600)
        assert not here.run().problems
        assert outside.everything() == {"Absence": ["ill again"]}


def test_a_pass_that_is_told_to_stop_finishes_the_mail_in_hand_and_goes_on_later(
    dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    classifier = WordClassifier({"absence": 1, "billing": 1, "meals": 1}, {"ill": "absence"}, batch_size=1)
    with Outside(dovecot, user) as outside:
        deliver(outside, *(f"ill {number}" for number in range(20)))
        stopping = office(dovecot, user, tmp_path, classifier=classifier, should_stop=lambda: len(classifier.asked) >= 5)
        assert stopping.run().was_stopped
        assert len(classifier.asked) == 5
        office(dovecot, user, tmp_path, classifier=classifier).run()
        assert len(classifier.asked) == 20
        assert len(outside.subjects("Absence")) == 20
