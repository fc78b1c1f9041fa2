"""IDLE against a real Dovecot: the hint comes, also for mail that slips in before, and never stands in the way."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest
from imapclient import IMAPClient
from tests.contract.test_mailbox import account
from tests.dovecot import MAILDIR, PASSWORD, Dovecot
from tests.faults.proxy import FaultProxy
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS, eventually

from cubbyd.mailbox import IdleWatcher, Pauses, wire

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]


class Hints:
    """Counts hints and keeps reports."""

    def __init__(self) -> None:
        self.count = 0
        self.reports: list[str] = []
        self._came = threading.Condition()

    def hint(self) -> None:
        with self._came:
            self.count += 1
            self._came.notify_all()

    def report(self, sentence: str) -> None:
        with self._came:
            self.reports.append(sentence)
            self._came.notify_all()

    def wait_for(self, count: int, seconds: float = PATIENCE_SECONDS) -> bool:
        with self._came:
            return self._came.wait_for(lambda: self.count >= count, seconds)

    def wait_for_report(self, seconds: float = PATIENCE_SECONDS) -> bool:
        with self._came:
            return self._came.wait_for(lambda: bool(self.reports), seconds)


@pytest.fixture
def hints() -> Hints:
    return Hints()


@pytest.fixture
def watcher(dovecot: Dovecot, user: str, hints: Hints) -> Iterator[IdleWatcher]:
    made = IdleWatcher(account("127.0.0.1", dovecot.port, user, PASSWORD), hints.hint, hints.report)
    made.start()
    yield made
    made.stop()
    made.join(PATIENCE_SECONDS)
    assert not made.is_alive()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_mail_that_came_before_idle_began_is_noticed_at_once(dovecot: Dovecot, user: str, *, secure: bool) -> None:
    """Dovecot answers `+ idling` and `* 1 EXISTS` in one segment; the second line then lies in a buffer, and no poll tells."""
    context = ssl.create_default_context(cafile=str(dovecot.certificate)) if secure else None
    port = dovecot.tls_port if secure else dovecot.port
    wake, other_end = socket.socketpair()
    for _ in range(5):
        client = wire.open_client("localhost", port, context, connect_seconds=5, read_seconds=10)
        client.login(user, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        with Outside(dovecot, user) as outside:
            outside.deliver(mail("slipped in"))
        client.idle()
        begun = time.monotonic()
        assert wire.wait_idle(client, wake, 5)
        assert time.monotonic() - begun < 4
        client.idle_done()
        client.logout()
    wake.close()
    other_end.close()


def test_a_new_mail_is_hinted_at(dovecot: Dovecot, user: str, watcher: IdleWatcher, hints: Hints) -> None:
    assert watcher.is_alive()
    assert hints.wait_for(1), "the first hint is for what came while nobody watched"
    with Outside(dovecot, user) as outside:
        for number in (1, 2, 3):
            before = hints.count
            outside.deliver(mail("new", number=number))
            assert hints.wait_for(before + 1)


def test_stopping_takes_no_time(watcher: IdleWatcher, hints: Hints) -> None:
    assert hints.wait_for(1)
    begun = time.monotonic()
    watcher.stop()
    watcher.join(5)
    assert not watcher.is_alive()
    assert time.monotonic() - begun < 2


def test_a_server_without_idle_ends_the_watching_and_says_so(user: str, hints: Hints) -> None:
    with Dovecot(MAILDIR, capability="IMAP4rev1 UIDPLUS MOVE NAMESPACE") as poor:
        watcher = IdleWatcher(account("127.0.0.1", poor.port, user, PASSWORD), hints.hint, hints.report)
        watcher.start()
        watcher.join(PATIENCE_SECONDS)
        assert not watcher.is_alive()
        assert "no IDLE" in hints.reports[0]


def test_a_server_that_dies_is_reported_and_watching_goes_on_afterwards(user: str, hints: Hints) -> None:
    with Dovecot(MAILDIR) as server:
        watcher = IdleWatcher(account("127.0.0.1", server.port, user, PASSWORD), hints.hint, hints.report)
        watcher.start()
        try:
            assert hints.wait_for(1)
            server.stop()
            assert hints.wait_for_report()
            server.start()
            before = hints.count
            assert hints.wait_for(before + 1, seconds=20)
        finally:
            watcher.stop()
            watcher.join(PATIENCE_SECONDS)


def test_a_watch_that_held_for_a_while_makes_the_next_pause_a_short_one(
    dovecot: Dovecot, user: str, hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that restarts once a month must not be waited for longer each time."""
    monkeypatch.setattr("cubbyd.mailbox.watch.PAUSES", Pauses(longest_seconds=0.2, login_seconds=0.2))
    monkeypatch.setattr("cubbyd.mailbox.watch.IDLE_SECONDS", 0.1)
    with FaultProxy(dovecot.port) as proxy:
        watcher = IdleWatcher(account("127.0.0.1", proxy.port, user, PASSWORD), hints.hint, hints.report)
        watcher.start()
        try:
            for drops in (1, 2, 3):
                eventually(lambda: hints.count > 0 and watcher._failures == 0)
                proxy.cut_all()
                eventually(lambda drops=drops: len(hints.reports) >= drops)  # type: ignore[misc]
        finally:
            watcher.stop()
            watcher.join(10)


def test_the_client_never_formats_mail_for_a_log(dovecot: Dovecot, user: str) -> None:
    client: IMAPClient = wire.open_client("localhost", dovecot.port, None, connect_seconds=5, read_seconds=10)
    client.login(user, PASSWORD)
    assert client._imap.debug == 0
    client.logout()


def test_a_refused_login_is_not_tried_again_by_who_only_watches(dovecot: Dovecot, user: str, hints: Hints) -> None:
    """The polls try it already, and servers lock accounts that hammer; the first pause after another failure is 5 s at most."""
    watcher = IdleWatcher(account("127.0.0.1", dovecot.port, user, "wrong"), hints.hint, hints.report)
    watcher.start()
    try:
        assert hints.wait_for_report()
        time.sleep(7)
        assert len(hints.reports) == 1
    finally:
        watcher.stop()
        watcher.join(PATIENCE_SECONDS)
    assert not watcher.is_alive()
