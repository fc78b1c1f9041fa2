"""Old mail, which was in the inbox before cubbyd was: counted, and left alone unless told; then newest first, after new mail."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from tests.mail import RECEIVED, mail
from tests.rig import FOLDERS, WORDS, Office, rules

from cubbyd.classify.protocol import Prediction
from cubbyd.config import Backlog
from cubbyd.errors import ClassifierError, ClassifierUnavailable, CommandRefused
from cubbyd.filing import PassReport
from cubbyd.filing.apply import LOT
from cubbyd.filing.backlog import DRAWN_AT_ONCE, FEWEST_AT_ONCE, draw_size
from cubbyd.journal import Mark
from cubbyd.journal.store import DATABASE_NAME
from cubbyd.lifecycle import State
from cubbyd.message import ClassifierInput
from cubbyd.testing import FakeServer, HandClock, WordClassifier

DAY = timedelta(days=1)


class Watching(WordClassifier):
    """Answers by the words, takes its time, and lets something happen when it is asked about a mail."""

    def __init__(self, clock: HandClock, *, seconds: float = 0.0) -> None:
        super().__init__(FOLDERS, WORDS, batch_size=10)
        self._clock, self._seconds = clock, seconds
        self.then: Callable[[], object] = lambda: None
        self.when = ""

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        outcomes = super().classify(inputs)
        self._clock.advance(self._seconds * len(inputs))
        if self.when in [given.subject for given in inputs]:
            self.then()
        return outcomes


@dataclass(slots=True, kw_only=True)
class Inbox:
    """An inbox with a history, and the office that is to look after it from now on."""

    state: Path
    seconds: float = 0.0
    server: FakeServer = field(default_factory=FakeServer)
    clock: HandClock = field(default_factory=HandClock)
    classifier: Watching = field(init=False)
    is_stopped: bool = False

    def __post_init__(self) -> None:
        self.classifier = Watching(self.clock, seconds=self.seconds)

    def deliver(self, *subjects: str, days_ago: int = 1) -> None:
        for subject in subjects:
            number = sum(len(folder.mails) for folder in self.server.folders.values()) + 1000
            self.server.deliver(mail(subject, number=number), self.clock.now() - days_ago * DAY)

    def run(self, backlog: Backlog | int = Backlog.FILE, *, full_scan: bool = False, observe: bool = False) -> PassReport:
        office = Office(
            state=self.state,
            connect=self.server.connect,
            rules=rules(backlog=backlog, observe=observe),
            classifier=self.classifier,
            clock=self.clock,
            should_stop=lambda: self.is_stopped,
        )
        return office.run(full_scan=full_scan)

    def mark(self) -> Mark:
        with closing(Office(state=self.state, connect=self.server.connect).journal()) as journal:
            found = journal.mark("office", "INBOX")
        assert found is not None
        return found

    def counts(self) -> dict[State, int]:
        with closing(Office(state=self.state, connect=self.server.connect).journal()) as journal:
            return journal.counts("office")

    def lies(self, folder: str) -> list[str]:
        mails = self.server.folders[folder].mails if folder in self.server.folders else {}
        return [re.findall(rb"Subject: (.*)\r\n", one.raw)[0].decode() for one in mails.values()]

    def everywhere(self) -> int:
        return sum(len(folder.mails) for folder in self.server.folders.values())

    def stop(self) -> None:
        self.is_stopped = True


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(state=tmp_path / "state")


def numbered(count: int) -> list[str]:
    return [f"ill {number}" for number in range(1, count + 1)]


# --- left alone --------------------------------------------------------------------------------------------------------


def test_old_mail_is_counted_and_left_alone_and_new_mail_is_filed(inbox: Inbox) -> None:
    inbox.deliver("ill 1", "invoice 2", "milk 3")

    first = inbox.run(Backlog.IGNORE)
    inbox.deliver("ill 4")
    second = inbox.run(Backlog.IGNORE)

    assert (first.found, first.backlog_left, second.found) == (0, 3, 1)
    assert inbox.classifier.asked == ["ill 4"]
    assert (inbox.lies("INBOX"), inbox.lies("Absence")) == (["ill 1", "invoice 2", "milk 3"], ["ill 4"])
    assert (inbox.mark().backlog_total, inbox.mark().backlog_left) == (3, 3)
    assert inbox.counts() == {State.FILED: 1}, "old mail has no row"


def test_the_daily_look_through_the_inbox_leaves_old_mail_alone_and_counts_it_anew(inbox: Inbox) -> None:
    inbox.deliver("ill 1", "ill 2", "ill 3")
    inbox.run(Backlog.IGNORE, full_scan=True)
    inbox.server.drag(2, "INBOX", "A person's")

    later = inbox.run(Backlog.IGNORE, full_scan=True)

    assert (later.found, later.backlog_left, inbox.classifier.asked) == (0, 2, [])
    assert (inbox.mark().backlog_total, inbox.mark().backlog_left) == (3, 2)


def test_an_inbox_that_was_empty_has_no_old_mail(inbox: Inbox) -> None:
    inbox.run(Backlog.IGNORE)
    inbox.deliver("ill 1", days_ago=400)  # dragged in from an archive: new here, however old

    report = inbox.run(Backlog.IGNORE)

    assert (report.found, report.backlog_left, inbox.lies("Absence")) == (1, 0, ["ill 1"])


def test_whoever_changes_their_mind_has_the_old_mail_filed_later(inbox: Inbox) -> None:
    inbox.deliver("ill 1", "ill 2")
    inbox.run(Backlog.IGNORE)
    inbox.deliver("ill 3")
    inbox.run(Backlog.IGNORE)

    report = inbox.run(Backlog.FILE, full_scan=True)

    assert (report.found, report.backlog_left, inbox.lies("INBOX")) == (2, 0, [])


# --- filed -------------------------------------------------------------------------------------------------------------


def test_old_mail_is_filed_in_batches_the_newest_first(inbox: Inbox) -> None:
    subjects = numbered(2 * DRAWN_AT_ONCE + 20)
    inbox.deliver(*subjects)

    report = inbox.run(Backlog.FILE)

    assert (report.found, report.classified, report.backlog_left) == (120, 120, 0)
    assert inbox.classifier.asked == [*subjects[70:], *subjects[20:70], *subjects[:20]]
    assert sorted(inbox.lies("Absence")) == sorted(subjects)


def test_new_mail_goes_before_old_mail(inbox: Inbox) -> None:
    subjects = numbered(3 * DRAWN_AT_ONCE)
    inbox.deliver(*subjects)
    inbox.classifier.when, inbox.classifier.then = subjects[110], lambda: inbox.deliver("invoice, just now", days_ago=0)

    inbox.run(Backlog.FILE)

    asked = inbox.classifier.asked
    assert asked.index("invoice, just now") == DRAWN_AT_ONCE, "after the batch in hand, and before the next"
    assert len(asked) == len(set(asked)) == len(subjects) + 1


def test_a_draw_is_as_large_as_new_mail_can_wait_for_and_no_larger_than_a_lot() -> None:
    assert draw_size(None) == DRAWN_AT_ONCE, "nothing is known yet"
    assert draw_size(0.001) == LOT
    assert draw_size(0.02) == 100
    assert draw_size(30.0) == FEWEST_AT_ONCE


def test_no_more_is_on_record_than_is_in_hand(inbox: Inbox) -> None:
    inbox.deliver(*numbered(3 * DRAWN_AT_ONCE))
    waiting: list[int] = []
    inbox.classifier.when, inbox.classifier.then = "ill 110", lambda: waiting.append(inbox.counts()[State.SEEN])

    inbox.run(Backlog.FILE)

    assert waiting
    assert max(waiting) <= DRAWN_AT_ONCE


def test_a_stop_is_obeyed_and_the_next_pass_goes_on_where_this_one_ended(inbox: Inbox) -> None:
    subjects = numbered(3 * DRAWN_AT_ONCE)
    inbox.deliver(*subjects)
    inbox.classifier.when, inbox.classifier.then = subjects[80], inbox.stop

    first = inbox.run(Backlog.FILE)
    between = inbox.mark().backlog_left
    inbox.is_stopped = False
    second = inbox.run(Backlog.FILE)

    assert first.was_stopped
    assert first.backlog_left == between == DRAWN_AT_ONCE, "two batches were drawn, the second not finished"
    assert second.found == DRAWN_AT_ONCE
    assert sorted(inbox.classifier.asked) == sorted(subjects), "each was asked about once"
    assert inbox.counts() == {State.FILED: len(subjects)}


def test_days_mean_what_came_in_so_many_days_before_the_first_start(inbox: Inbox) -> None:
    inbox.deliver("ill, a year ago", days_ago=365)
    inbox.deliver("ill, eight days ago", days_ago=8)
    inbox.deliver("ill, six days ago", days_ago=6)
    inbox.deliver("ill, yesterday", days_ago=1)

    report = inbox.run(7)
    inbox.clock.advance(3 * 86_400)
    later = inbox.run(7, full_scan=True)

    assert (report.found, later.found) == (2, 0)
    assert inbox.lies("Absence") == ["ill, six days ago", "ill, yesterday"]
    assert inbox.lies("INBOX") == ["ill, a year ago", "ill, eight days ago"]


def test_observing_decides_old_mail_and_leaves_it_in_the_inbox(inbox: Inbox) -> None:
    inbox.deliver(*numbered(DRAWN_AT_ONCE + 1))

    inbox.run(Backlog.FILE, observe=True)
    assert inbox.counts() == {State.DECIDED: DRAWN_AT_ONCE + 1}
    inbox.run(Backlog.FILE)

    assert inbox.counts() == {State.FILED: DRAWN_AT_ONCE + 1}
    assert len(inbox.classifier.asked) == DRAWN_AT_ONCE + 1, "the decision on record is carried out"


def test_twins_in_different_batches_are_both_filed_for_nobody_put_one_back(tmp_path: Path) -> None:
    inbox = Inbox(state=tmp_path / "state", seconds=0.1)
    twin = mail("ill, sent twice", number=1)
    inbox.server.deliver(twin, RECEIVED)
    inbox.deliver(*numbered(DRAWN_AT_ONCE))
    inbox.server.deliver(twin, RECEIVED)

    inbox.clock.advance(60)
    inbox.run(Backlog.FILE)

    assert inbox.lies("INBOX") == []
    assert inbox.lies("Absence").count("ill, sent twice") == 2


def test_old_mail_that_a_person_puts_back_is_left_there(inbox: Inbox) -> None:
    inbox.deliver("ill 1")
    inbox.run(Backlog.FILE)
    inbox.clock.advance(60)
    inbox.server.drag(1, "Absence", "INBOX")
    inbox.clock.advance(60)

    inbox.run(Backlog.FILE)

    assert inbox.lies("INBOX") == ["ill 1"]


# --- when something is wrong -------------------------------------------------------------------------------------------


def test_while_the_server_refuses_to_file_no_more_is_drawn(inbox: Inbox) -> None:
    inbox.deliver(*numbered(3 * DRAWN_AT_ONCE))

    def full(command: str) -> None:
        if command == "move":
            raise CommandRefused("the quota is full", code="OVERQUOTA")

    inbox.server.fault = full
    report = inbox.run(Backlog.FILE)
    inbox.server.fault = lambda _: None
    inbox.clock.advance(3600)

    assert len(report.problems) == 1
    assert len(inbox.classifier.asked) == DRAWN_AT_ONCE
    assert inbox.run(Backlog.FILE).backlog_left == 0
    assert inbox.counts() == {State.FILED: 3 * DRAWN_AT_ONCE}


def test_while_the_classifier_is_down_no_more_is_drawn(inbox: Inbox) -> None:
    inbox.deliver(*numbered(3 * DRAWN_AT_ONCE))
    inbox.classifier.outage = ClassifierUnavailable("down")

    report = inbox.run(Backlog.FILE)

    assert report.backlog_left == 2 * DRAWN_AT_ONCE
    assert inbox.counts() == {State.SEEN: DRAWN_AT_ONCE}


@pytest.mark.parametrize("backlog", [Backlog.IGNORE, 7, Backlog.FILE], ids=str)
def test_after_a_new_uidvalidity_old_mail_is_old_and_new_mail_is_new(inbox: Inbox, backlog: Backlog | int) -> None:
    inbox.deliver("ill, a year ago", days_ago=365)
    inbox.run(backlog)
    inbox.clock.advance(86_400)
    inbox.deliver("hello, handled and left", days_ago=0)
    inbox.run(backlog)
    inbox.deliver("ill, of this minute", days_ago=0)
    inbox.server.renumber("INBOX")

    inbox.run(backlog)

    is_filed = backlog is Backlog.FILE
    assert inbox.lies("INBOX") == ["hello, handled and left"] if is_filed else ["ill, a year ago", "hello, handled and left"]
    assert sorted(inbox.lies("Absence")) == sorted(
        ["ill, of this minute", "ill, a year ago"] if is_filed else ["ill, of this minute"]
    )
    assert inbox.classifier.asked.count("hello, handled and left") == 1


def test_a_first_start_that_dies_before_it_has_counted_files_no_old_mail(inbox: Inbox) -> None:
    inbox.deliver("ill 1", "ill 2")
    with closing(Office(state=inbox.state, connect=inbox.server.connect).journal()) as journal:
        journal.open_folder("office", "INBOX", inbox.server.folders["INBOX"].uidvalidity, inbox.clock.now())

    inbox.clock.advance(60)
    report = inbox.run(Backlog.IGNORE)

    assert (report.found, report.backlog_left) == (0, 2)


def test_old_mail_that_the_server_does_not_list_at_the_first_start_is_never_taken_for_new(inbox: Inbox) -> None:
    inbox.deliver("ill 1", "ill 2", "ill 3")
    mails = inbox.server.folders["INBOX"].mails
    hidden = {uid: mails.pop(uid) for uid in (2, 3)}  # the server knows better: UIDNEXT is 4
    inbox.run(Backlog.IGNORE)
    mails.update(hidden)

    report = inbox.run(Backlog.IGNORE, full_scan=True)

    assert (report.found, report.backlog_left, inbox.classifier.asked) == (0, 3, [])


def test_an_inbox_that_an_older_version_opened_is_read_as_it_was(inbox: Inbox) -> None:
    """Its state file knows of no old mail: all that is not on record is new, under a new UIDVALIDITY, too."""
    inbox.deliver("hello 1", "hello 2")
    inbox.run(Backlog.FILE)
    with closing(sqlite3.connect(inbox.state / DATABASE_NAME)) as connection, connection:
        connection.execute("UPDATE folder SET begun_at = NULL, epoch_at = NULL, backlog_uid = 0, backlog_total = 0")
    inbox.deliver("ill 3", days_ago=30)
    inbox.run(Backlog.IGNORE)
    inbox.deliver("ill 4", days_ago=30)
    inbox.server.renumber("INBOX")

    report = inbox.run(Backlog.IGNORE)

    assert (inbox.lies("INBOX"), inbox.lies("Absence")) == (["hello 1", "hello 2"], ["ill 3", "ill 4"])
    assert (report.backlog_left, report.classified) == (0, 1)


# --- progress ----------------------------------------------------------------------------------------------------------


def test_progress_and_the_time_left_are_on_record_and_in_the_log_every_minute(tmp_path: Path) -> None:
    inbox = Inbox(state=tmp_path / "state", seconds=1.0)
    inbox.deliver(*numbered(10 * DRAWN_AT_ONCE))
    marks: list[Mark] = []
    inbox.classifier.when, inbox.classifier.then = "ill 240", lambda: marks.append(inbox.mark())

    with structlog.testing.capture_logs() as lines:
        inbox.run(Backlog.FILE)

    (middle,) = marks
    assert (middle.backlog_total, middle.backlog_left) == (500, 230)
    assert middle.seconds_left == pytest.approx(230.0)
    said = [line for line in lines if line["event"].startswith("old mail")]
    assert [line["event"] for line in said] == ["old mail is counted", *["old mail goes on"] * 9, "old mail is done"]
    assert [line["left"] for line in said[1:-1]] == [500, 440, 380, 320, 260, 200, 140, 80, 20]
    assert said[2]["seconds_left"] == 440
    assert inbox.mark().seconds_left is None, "there is nothing left"


def test_where_old_mail_is_left_alone_the_log_says_how_much(inbox: Inbox) -> None:
    inbox.deliver("ill 1", "ill 2")

    with structlog.testing.capture_logs() as lines:
        inbox.run(Backlog.IGNORE)

    assert {"event": "old mail is left alone", "mailbox": "office", "mails": 2, "log_level": "info"} in lines
