"""Many mailboxes in one daemon: what one of them suffers is none of the others' business, and what they share is shared."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.contract.test_mailbox import account
from tests.dovecot import PASSWORD, Dovecot, free_port
from tests.faults.proxy import FaultProxy
from tests.mail import Outside, mail
from tests.patience import PATIENCE_SECONDS, eventually
from tests.rig import FOLDERS, WORDS, words_classifier

from cubbyd.classify.protocol import Prediction
from cubbyd.clock import SystemClock
from cubbyd.config import Config
from cubbyd.errors import ClassifierError
from cubbyd.journal import Journal, open_database
from cubbyd.mailbox import Account
from cubbyd.mailbox.connect import tls_context
from cubbyd.message import ClassifierInput
from cubbyd.service.daemon import GRACE_SECONDS, Runtime
from cubbyd.testing import WordClassifier

LINE_SECONDS = 0.2
"""How long each line of a slow server's answers takes."""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(open_database(tmp_path))
    yield made
    made.close()


@contextmanager
def serving(
    journal: Journal, ports: dict[str, int], *, users: dict[str, str], classifier: WordClassifier | None = None
) -> Iterator[Runtime]:
    """The threads of a daemon that serves these mailboxes, each by its port and user."""
    boxes = {
        name: {"host": "127.0.0.1", "port": port, "security": "plain", "username": users[name], "password_env": "P"}
        for name, port in ports.items()
    }
    categories = [{"id": one, "code": code, "name": folder} for code, (one, folder) in enumerate(FOLDERS.items(), start=1)]
    config = Config.model_validate({"mailboxes": boxes, "categories": categories, "filing": {"backlog": "file"}})
    accounts = [account("127.0.0.1", port, users[name], PASSWORD) for name, port in ports.items()]
    named = [Account(name=name, section=config.mailboxes[name], password=accounts[0].password) for name in ports]
    runtime = Runtime(config, named, classifier or words_classifier(), journal, SystemClock(), observe=False)
    runtime.start()
    try:
        yield runtime
    finally:
        runtime.stop()


def slowly(line: bytes) -> bytes:
    time.sleep(LINE_SECONDS)
    return line


@pytest.mark.slow
@pytest.mark.dovecot
def test_a_slow_a_silent_and_a_dead_mailbox_hold_up_no_other(journal: Journal, dovecot: Dovecot, user: str) -> None:
    """The silent one is waited for longer than this test may take at all."""
    slow_user = f"{user}slow"
    with ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(dovecot.port, rewrite=slowly))
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        outside, slow = (stack.enter_context(Outside(dovecot, name)) for name in (user, slow_user))
        slow.deliver(mail("ill"))
        ports = {"slow": proxy.port, "silent": silent.getsockname()[1], "dead": free_port(), "well": dovecot.port}
        with serving(journal, ports, users={"slow": slow_user, "silent": "s", "dead": "d", "well": user}):
            for number in range(1, 4):
                before = time.monotonic()
                outside.deliver(mail("the invoice", number=number))
                eventually(lambda number=number: outside.everything() == {"Billing": ["the invoice"] * number})  # type: ignore[misc]
                assert time.monotonic() - before < 15, "the silent server is given up after 15 s and more"
            eventually(lambda: slow.everything() == {"Absence": ["ill"]})
            well, dead = journal.poll_outcome("well"), journal.poll_outcome("dead")
            assert well is not None
            assert well.error is None
            assert dead is not None
            stopping = time.monotonic()
        assert time.monotonic() - stopping < GRACE_SECONDS, "whom nobody answers has no mail in hand, and a reload goes on"


class StuckClassifier(WordClassifier):
    """Gives no answer about invoices until it is let go."""

    def __init__(self) -> None:
        super().__init__(FOLDERS, WORDS)
        self.is_asked, self.let_go = threading.Event(), threading.Event()

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        if any("invoice" in given.subject for given in inputs):
            self.is_asked.set()
            assert self.let_go.wait(PATIENCE_SECONDS)
        return super().classify(inputs)


@pytest.mark.dovecot
def test_a_classifier_that_takes_its_time_over_one_mailbox_answers_for_the_others(
    journal: Journal, dovecot: Dovecot, user: str
) -> None:
    other, classifier = f"{user}other", StuckClassifier()
    users = {"office": user, "other": other}
    with Outside(dovecot, user) as outside, Outside(dovecot, other) as beside:
        outside.deliver(mail("the invoice"))
        with serving(journal, dict.fromkeys(users, dovecot.port), users=users, classifier=classifier):
            try:
                assert classifier.is_asked.wait(PATIENCE_SECONDS)
                beside.deliver(mail("ill"))
                eventually(lambda: beside.everything() == {"Absence": ["ill"]})
                assert outside.everything() == {"INBOX": ["the invoice"]}
            finally:
                classifier.let_go.set()
            eventually(lambda: outside.everything() == {"Billing": ["the invoice"]})


def test_threads_that_write_at_the_same_time_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has no queue: with no patience at all, whoever meets another's write would fail at once."""
    monkeypatch.setattr("cubbyd.journal.store.BUSY_SECONDS", 0)
    journal = Journal(open_database(tmp_path))
    begin, now = threading.Barrier(20), datetime(2026, 11, 21, tzinfo=UTC)
    failed: list[Exception] = []

    def write(name: str) -> None:
        begin.wait()
        try:
            for _ in range(5):
                journal.poll_started(name, now)
        except Exception as error:  # noqa: BLE001  (any is one too many)
            failed.append(error)

    threads = [threading.Thread(target=write, args=(f"box{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert failed == []


@pytest.mark.dovecot
def test_mailboxes_share_the_authorities_that_they_trust_until_the_file_changes(dovecot: Dovecot, tmp_path: Path) -> None:
    """Those of a usual machine take a megabyte, for each connection that has its own."""
    file = tmp_path / "ca.pem"
    shutil.copy(dovecot.certificate, file)
    section = account("localhost", dovecot.tls_port, "u", "p").section.model_copy(update={"ca_file": file})
    first = tls_context(section)
    assert tls_context(section.model_copy(update={"username": "another"})) is first
    file.write_bytes(file.read_bytes() * 2)
    assert tls_context(section) is not first
