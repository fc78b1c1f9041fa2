"""The daemon's clockwork: polls that a stepped clock does not stop, wakes that neither overlap nor pile up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.test_mailbox import account
from tests.dovecot import free_port
from tests.mail import RECEIVED, mail
from tests.patience import PATIENCE_SECONDS, eventually
from tests.rig import Office, words_classifier

from cubbyd.clock import Clock, SystemClock
from cubbyd.config import Config
from cubbyd.errors import LoginRefused, MailboxUnavailable
from cubbyd.filing import Filer, PassReport
from cubbyd.journal import Change, Journal, open_database
from cubbyd.lifecycle import State
from cubbyd.mailbox import Mailbox, Pauses
from cubbyd.service.daemon import PRUNING, Runtime
from cubbyd.service.worker import PAUSES, Worker, WorkerThread
from cubbyd.testing import FakeServer, HandClock


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(open_database(tmp_path))
    yield made
    made.close()


def test_polls_go_on_after_the_clock_was_set_back_by_an_hour(journal: Journal) -> None:
    """To APScheduler, a clock that was set back an hour looks like a next run that is an hour away."""
    port = free_port()
    config = Config.model_validate(
        {
            "mailboxes": {
                "office": {"host": "127.0.0.1", "port": port, "security": "plain", "username": "u", "password_env": "P"}
            },
            "categories": [{"id": "a", "code": 1, "name": "A"}, {"id": "b", "code": 2, "name": "B"}],
        }
    )
    who = account("127.0.0.1", port, "u", "p")
    runtime = Runtime(config, [who], words_classifier(), journal, SystemClock(), observe=False)
    runtime.start()
    try:
        scheduler = runtime._scheduler
        scheduler.modify_job("office", next_run_time=datetime.now(UTC) + timedelta(hours=1))
        runtime.reschedule()
        due = scheduler.get_job("office").next_run_time - datetime.now(UTC)
        assert due < timedelta(seconds=70)
    finally:
        runtime.stop()


def test_a_pass_is_due_at_the_time_of_the_digest_also_after_the_clock_was_set(journal: Journal) -> None:
    port = free_port()
    config = Config.model_validate(
        {
            "mailboxes": {
                "office": {"host": "127.0.0.1", "port": port, "security": "plain", "username": "u", "password_env": "P"}
            },
            "categories": [{"id": "a", "code": 1, "name": "A"}, {"id": "b", "code": 2, "name": "B"}],
            "digest": {"every": "day", "at": "06:30", "time_zone": "UTC"},
        }
    )
    who = account("127.0.0.1", port, "u", "p")
    runtime = Runtime(config, [who], words_classifier(), journal, SystemClock(), observe=False)
    runtime.start()
    try:
        scheduler = runtime._scheduler
        scheduler.modify_job("digest of office", next_run_time=datetime.now(UTC) + timedelta(days=400))
        runtime.reschedule()
        due = scheduler.get_job("digest of office").next_run_time.astimezone(UTC)
        assert (due.hour, due.minute) == (6, 30)
        assert due - datetime.now(UTC) <= timedelta(days=1)
    finally:
        runtime.stop()


def test_a_daemon_that_keeps_days_removes_what_is_older_at_its_start_and_keeps_the_rest(tmp_path: Path) -> None:
    journal, now = Journal(open_database(tmp_path)), datetime.now(UTC)
    for uid, days in ((1, 90), (2, 5)):
        journal.open_folder("office", "INBOX", 1, now)
        journal.record_scan("office", "INBOX", 1, [uid], now - timedelta(days=days))
        journal.advance([Change(id=uid, to=State.GONE)], now - timedelta(days=days))
    config = small_config(free_port(), tmp_path)
    runtime = Runtime(config, [], words_classifier(), journal, SystemClock(), observe=False)
    runtime.start()
    try:
        eventually(lambda: len(journal.history()) == 1)
        (kept,) = journal.history()
        assert kept.uid == 2
        due = runtime._scheduler.get_job(PRUNING).next_run_time - datetime.now(UTC)
        assert timedelta(hours=23) < due <= timedelta(days=1)
    finally:
        runtime.stop()
        journal.close()


def small_config(port: int, state: Path) -> Config:
    mailbox = {"host": "127.0.0.1", "port": port, "security": "plain", "username": "u", "password_env": "P"}
    categories = [{"id": "a", "code": 1, "name": "A"}, {"id": "b", "code": 2, "name": "B"}]
    keeps = {"directory": state, "keep_days": 30}
    return Config.model_validate({"mailboxes": {"office": mailbox}, "categories": categories, "state": keeps})


class SlowFiler:
    """A pass that takes its time, and notices whether another one runs."""

    def __init__(self) -> None:
        self.passes = 0
        self.overlapped = False
        self._busy = threading.Lock()

    def run(self, mailbox: Mailbox, **how: object) -> PassReport:  # noqa: ARG002
        if not self._busy.acquire(blocking=False):
            self.overlapped = True
        time.sleep(0.1)
        self.passes += 1
        self._busy.release()
        return PassReport()


def test_many_wakes_during_a_pass_make_one_more_and_none_at_the_same_time(journal: Journal) -> None:
    filer = SlowFiler()
    clock = SystemClock()
    worker = Worker(name="office", open_mailbox=FakeServer().connect, filer=filer, journal=journal, clock=clock)  # type: ignore[arg-type]
    stopping = threading.Event()
    thread = WorkerThread(worker, clock, stopping)
    thread.start()
    thread.wake()
    time.sleep(0.05)
    for _ in range(50):
        thread.wake()
    time.sleep(0.5)
    stopping.set()
    thread.wake()
    thread.join(PATIENCE_SECONDS)
    assert filer.passes == 2
    assert not filer.overlapped


def test_why_mail_waits_is_said_until_it_does_not_though_the_passes_between_have_nothing_to_do(journal: Journal) -> None:
    clock = SystemClock()
    worker = Worker(name="office", open_mailbox=FakeServer().connect, filer=SlowFiler(), journal=journal, clock=clock)  # type: ignore[arg-type]
    journal.open_folder("office", "INBOX", 1, clock.now())
    journal.record_scan("office", "INBOX", 1, [7], clock.now())
    (waiting,) = journal.waiting("office", State.SEEN, clock.now(), 9)
    journal.postpone([waiting.id], until=clock.now() + timedelta(hours=1), error="the budget is used up")

    worker.run_pass()
    assert worker.standing.trouble == "the budget is used up"

    journal.advance([Change(id=waiting.id, to=State.GONE)], clock.now())
    worker.run_pass()
    assert worker.standing.trouble is None


def worker_with(
    journal: Journal, clock: Clock, connect: list[BaseException | FakeServer], tmp_path: Path, *, lot: float = 1.0
) -> Worker:
    """A worker whose attempts to connect end as listed; its lot is drawn."""

    def open_mailbox() -> Mailbox:
        outcome = connect.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome.connect()

    filer: Filer = Office(state=tmp_path / "unused", connect=open_mailbox, clock=clock).filer(journal)
    return Worker(name="office", open_mailbox=open_mailbox, filer=filer, journal=journal, clock=clock, draw=lambda: lot)


def test_a_failing_mailbox_is_tried_again_with_growing_pauses_and_a_success_ends_them(journal: Journal, tmp_path: Path) -> None:
    clock, server = HandClock(), FakeServer()
    server.deliver(mail("ill"), RECEIVED)
    worker = worker_with(journal, clock, [*(MailboxUnavailable("down") for _ in range(3)), server], tmp_path)
    pauses = []
    for _ in range(3):
        with pytest.raises(MailboxUnavailable):
            worker.run_pass()
        pauses.append(worker.not_before - clock.monotonic())
    assert pauses == [5, 10, 20]
    outcome = journal.poll_outcome("office")
    assert outcome is not None
    assert (outcome.error, outcome.failing_since) == ("down", clock.now())
    worker.run_pass()
    outcome = journal.poll_outcome("office")
    assert outcome is not None
    assert (outcome.error, outcome.failing_since, outcome.succeeded_at) == (None, None, clock.now())
    assert "Absence" in server.folders


def test_a_refused_login_is_not_hammered(journal: Journal, tmp_path: Path) -> None:
    clock = HandClock()
    worker = worker_with(journal, clock, [LoginRefused("no")], tmp_path, lot=0.0)
    with pytest.raises(LoginRefused):
        worker.run_pass()
    assert worker.not_before - clock.monotonic() == PAUSES.login_seconds


def test_a_server_that_asks_for_a_pause_gets_it(journal: Journal, tmp_path: Path) -> None:
    clock = HandClock()
    worker = worker_with(journal, clock, [MailboxUnavailable("throttled", retry_after_seconds=300)], tmp_path, lot=0.0)
    with pytest.raises(MailboxUnavailable):
        worker.run_pass()
    assert worker.not_before - clock.monotonic() == 300


def test_a_pass_that_broke_off_is_tried_again_without_waiting_for_the_next_poll(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cubbyd.service.worker.PAUSES", Pauses(longest_seconds=0.2, login_seconds=0.2))
    server, clock, stopping = FakeServer(), SystemClock(), threading.Event()
    server.deliver(mail("ill"), RECEIVED)
    worker = worker_with(journal, clock, [MailboxUnavailable("down"), MailboxUnavailable("down"), server], tmp_path)
    thread = WorkerThread(worker, clock, stopping)
    thread.start()
    thread.wake()
    eventually(lambda: "Absence" in server.folders)
    stopping.set()
    thread.wake()
    thread.join(10)
    assert not thread.is_alive()


def test_a_healthy_connection_is_kept_between_passes(journal: Journal, tmp_path: Path) -> None:
    server = FakeServer()
    worker = worker_with(journal, HandClock(), [server], tmp_path)  # a second attempt to connect would find nothing
    worker.run_pass()
    server.deliver(mail("ill"), RECEIVED)
    assert worker.run_pass().found == 1
