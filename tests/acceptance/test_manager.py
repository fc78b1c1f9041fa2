"""The installed command as systemd sees it: what it says of itself, and that a hang starves the watchdog and is explained."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.dovecot import Dovecot
from tests.mail import Outside, mail
from tests.manager import ListeningManager
from tests.patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]

QUICK = "connect_timeout_seconds = 1\nread_timeout_seconds = 5"
"""Steps of this mailbox take 21 s at most, by its configuration; half as much again is what the watchdog is given."""
WATCHDOG_USEC = str(31_500_000)


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str, model: Path) -> Cubbyd:
    shutil.copy(model, tmp_path / "cubbyd.model")
    return Cubbyd(tmp_path, dovecot, user, mailbox=account(dovecot, dovecot.certificate))


def account(dovecot: Dovecot, ca_file: Path) -> str:
    return f'host = "localhost"\nport = {dovecot.tls_port}\nca_file = "{ca_file}"\n{QUICK}'


@pytest.fixture
def manager() -> Iterator[ListeningManager]:
    with ListeningManager(f"@cubbyd-manager-{os.getpid()}") as listening:
        yield listening


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(cubbyd: Cubbyd, manager: ListeningManager, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start the daemon under the manager, with a watchdog or without; what is left of it is ended."""
    started = []

    def start_it(*, watchdog_seconds: float | None = None) -> subprocess.Popen[str]:
        for key, value in manager.environment(watchdog_seconds=watchdog_seconds).items():
            monkeypatch.setenv(key, value)
        started.append(cubbyd.start())
        return started[-1]

    yield start_it
    for process in started:
        process.kill()
        process.wait()


def test_it_says_when_it_is_ready_how_much_it_filed_and_that_it_stops(
    start: Start, manager: ListeningManager, dovecot: Dovecot, user: str
) -> None:
    with Outside(dovecot, user) as outside:
        outside.deliver(mail("Emma is ill today", body="Emma is ill today"), mail("zzz qqq", number=1, body="zzz qqq"))
    process = start()

    assert manager.wait_for("READY=1")["STATUS"] == "first pass of office is under way; 0 filed, 0 held"
    manager.wait_for("STATUS=1 filed, 1 held")
    process.send_signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    assert process.wait(PATIENCE_SECONDS) == 0
    assert [message for message in manager.heard if "WATCHDOG" in message] == []


def test_a_mail_server_that_is_down_keeps_nobody_from_being_ready_and_shows_in_the_status_line(
    cubbyd: Cubbyd, start: Start, manager: ListeningManager
) -> None:
    cubbyd.write(mailbox=f'host = "127.0.0.1"\nport = 1\nsecurity = "plain"\n{QUICK}')
    start()

    manager.wait_for("READY=1")
    assert manager.wait_for("STATUS=")["STATUS"].startswith("office fails: mailbox office: connecting to 127.0.0.1:1")


def test_a_wrong_configuration_is_never_ready_and_ends_with_its_code(
    cubbyd: Cubbyd, start: Start, manager: ListeningManager
) -> None:
    cubbyd.config.write_text("nonsense = 1")

    assert start().wait(PATIENCE_SECONDS) == 78
    assert manager.take() == []


def test_each_reload_begins_and_ends_and_a_refused_one_shows_in_the_status_line(
    cubbyd: Cubbyd, start: Start, manager: ListeningManager
) -> None:
    process = start()
    manager.wait_for("READY=1")
    right = cubbyd.config.read_text()
    for text, status in (
        ("nonsense = 1", "the configuration was changed and is wrong, the old one"),
        (right, "first pass of office"),
    ):
        cubbyd.config.write_text(text)
        process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC" in manager.wait_for("RELOADING=1")
        assert manager.wait_for("READY=1")["STATUS"].startswith(status)
    manager.wait_for("STATUS=0 filed, 0 held")


def test_a_watchdog_that_is_shorter_than_a_step_may_take_is_lengthened(start: Start, manager: ListeningManager) -> None:
    start(watchdog_seconds=2)

    manager.wait_for(f"WATCHDOG_USEC={WATCHDOG_USEC}")


def test_a_mailbox_that_hangs_starves_the_watchdog_whose_signal_shows_every_stack(
    cubbyd: Cubbyd, dovecot: Dovecot, start: Start, manager: ListeningManager
) -> None:
    """A certificate file that never ends, as one on a network disk that is gone; the second mailbox works on meanwhile."""
    process = start(watchdog_seconds=2)
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")
    os.mkfifo(cubbyd.folder / "hanging.pem")
    healthy = f'[mailboxes.kitchen]\n{account(dovecot, dovecot.certificate)}\nusername = "kitchen"\npassword_file = "password"'
    cubbyd.write(mailbox=account(dovecot, cubbyd.folder / "hanging.pem"), more=healthy)
    process.send_signal(signal.SIGHUP)
    manager.wait_for("READY=1")
    manager.take(2)  # the last sign of life before the hang
    manager.take(2)

    until = time.monotonic() + 25
    while time.monotonic() < until:
        assert [message for message in manager.take(1) if "WATCHDOG" in message] == []
    named = [line for line in cubbyd.log() if "no progress" in line["event"]]
    assert [line["mailbox"] for line in named] == ["office"]

    process.send_signal(signal.SIGABRT)  # what systemd sends then
    assert process.wait(PATIENCE_SECONDS) == -signal.SIGABRT
    said = (cubbyd.folder / "log").read_text()
    assert said.count("(most recent call first)") >= 4
    assert "tls_context" in said
    assert "in _serve" in said
