"""What an admin's monitors see of the daemon: metrics, /healthz, the page, the heartbeat; over real sockets, with a real Dovecot."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from tests.acceptance.cubbyd import Cubbyd
from tests.dovecot import Dovecot, free_port
from tests.listener import answering
from tests.mail import Outside, mail
from tests.patience import eventually
from tests.watched import Samples, samples_of

pytestmark = [pytest.mark.dovecot, pytest.mark.slow]
SECONDS = 60.0


@pytest.fixture
def outside(dovecot: Dovecot, user: str) -> Iterator[Outside]:
    with Outside(dovecot, user) as client:
        yield client


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def cubbyd(tmp_path: Path, dovecot: Dovecot, user: str, model: Path, port: int) -> Cubbyd:
    shutil.copy(model, tmp_path / "cubbyd.model")
    return Cubbyd(tmp_path, dovecot, user, more=listening(port))


@pytest.fixture
def running(cubbyd: Cubbyd) -> Iterator[subprocess.Popen[str]]:
    process = cubbyd.start()
    eventually(lambda: "started" in cubbyd.events())
    yield process
    process.kill()
    process.wait()


def listening(port: int) -> str:
    return f'[metrics]\nlisten = "127.0.0.1:{port}"\n'


def ask(port: int, path: str, **headers: str) -> tuple[HTTPResponse, str]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=SECONDS)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()


def samples(port: int) -> Samples:
    return samples_of(ask(port, "/metrics")[1])


def test_what_is_filed_shows_in_the_metrics_on_the_page_and_in_healthz(
    outside: Outside, running: subprocess.Popen[str], port: int
) -> None:
    outside.deliver(mail("Secretname is ill today", body="Secretword: ill"), mail("zzz qqq", number=2, body="zzz"))
    eventually(lambda: samples(port).get(("cubbyd_mails", "office", "filed")) == 1)
    eventually(lambda: samples(port)[("cubbyd_mails", "office", "held")] == 1)
    seen = samples(port)
    assert seen[("cubbyd_messages_total", "absence", "office", "filed")] == 1
    assert seen[("cubbyd_messages_total", "billing", "office", "filed")] == 0, "there before it happens"
    assert seen[("cubbyd_abstained_total", "office", "unsure")] == 1
    assert seen[("cubbyd_classifier_seconds_count", "local")] == 2
    assert seen[("cubbyd_healthy", "office")] == 1
    assert abs(seen[("cubbyd_last_success_timestamp_seconds", "office")] - time.time()) < SECONDS
    assert seen[("cubbyd_cycle_duration_seconds_count", "office")] >= 1
    answer, body = ask(port, "/healthz")
    assert (answer.status, answer.getheader("Content-Type")) == (200, "application/json")
    health = json.loads(body)
    assert health["ok"] is True
    assert [one["mailbox"] for one in health["mailboxes"]] == ["office"]
    answer, page = ask(port, "/")
    assert answer.status == 200
    assert "Mail is filed, and none waits too long." in page
    assert "<td>absence</td><td class=n>1</td>" in page
    assert "<script" not in page
    assert "default-src 'none'" in str(answer.getheader("Content-Security-Policy"))
    for said in (page, body, ask(port, "/metrics")[1]):
        assert "Secretname" not in said
        assert "Secretword" not in said
        assert "ann@example.com" not in said
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=SECONDS) == 0


def test_a_reload_follows_the_address_and_a_refused_one_shows(
    cubbyd: Cubbyd, running: subprocess.Popen[str], port: int
) -> None:
    assert samples(port)[("cubbyd_config_last_reload_success",)] == 1
    cubbyd.write(more="nonsense = 1")
    running.send_signal(signal.SIGHUP)
    eventually(lambda: samples(port)[("cubbyd_config_last_reload_success",)] == 0)
    other = free_port()
    cubbyd.write(more=listening(other))
    running.send_signal(signal.SIGHUP)
    eventually(lambda: is_listening(other))
    assert samples(other)[("cubbyd_config_last_reload_success",)] == 1
    assert not is_listening(port)
    cubbyd.write()
    running.send_signal(signal.SIGHUP)
    eventually(lambda: not is_listening(other))


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_an_address_that_somebody_else_has_is_said_and_mail_is_filed_all_the_same(
    cubbyd: Cubbyd, outside: Outside, port: int
) -> None:
    with socket.create_server(("127.0.0.1", port)):
        process = cubbyd.start()
        try:
            outside.deliver(mail("Emma is ill today"))
            eventually(lambda: "mail filed" in cubbyd.events())
            (said,) = [line for line in cubbyd.log() if "no metrics" in line["event"]]
            assert f"127.0.0.1:{port}: Address already in use" in said["reason"]
        finally:
            process.terminate()
            assert process.wait(timeout=SECONDS) == 0


def test_hostile_clients_do_not_keep_mail_from_being_filed_nor_the_daemon_from_stopping(
    cubbyd: Cubbyd, outside: Outside, running: subprocess.Popen[str], port: int
) -> None:
    done = threading.Event()
    threads = [threading.Thread(target=pester, args=(port, way, done)) for way in (silent, dripping, huge, asking, asking)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        outside.deliver(*(mail(f"Emma is ill, number {number}", number=number, body="ill") for number in range(20)))
        eventually(lambda: cubbyd.events().count("mail filed") == 20)
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0
    finally:
        done.set()
        for thread in threads:
            thread.join()


def pester(port: int, way: Callable[[socket.socket, threading.Event], None], done: threading.Event) -> None:
    """Connect again and again, and behave badly."""
    while not done.is_set():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            way(connection, done)
        time.sleep(0.001)


def silent(connection: socket.socket, _: threading.Event) -> None:
    connection.recv(1)


def dripping(connection: socket.socket, done: threading.Event) -> None:
    while not done.wait(0.05):
        connection.sendall(b"x")


def huge(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000)


def asking(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    while connection.recv(65_536):
        pass


def test_the_heartbeat_is_called_while_mail_is_filed(cubbyd: Cubbyd) -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (port, heard):
        cubbyd.write(more=f'[heartbeat]\nurl = "http://127.0.0.1:{port}/ping/lettuce"')
        process = cubbyd.start()
        try:
            eventually(lambda: bool(heard))
        finally:
            process.terminate()
            assert process.wait(timeout=SECONDS) == 0
    assert heard[0].startswith(b"GET /ping/lettuce HTTP/1.1\r\n")
    assert "lettuce" not in (cubbyd.folder / "log").read_text()


def test_a_digest_is_put_into_the_account_printed_and_never_filed(cubbyd: Cubbyd, outside: Outside) -> None:
    outside.deliver(mail("Secretname is ill today", body="Secretword: ill"))
    assert cubbyd("run", "--once").returncode == 0
    shown = cubbyd("digest", "--show")
    assert shown.returncode == 0, shown.stderr
    assert "FILED: 1\n  Absence        1\n" in shown.stdout
    assert "Secret" not in shown.stdout
    assert outside.subjects("Absence") == ["Secretname is ill today"]
    assert "Digest" not in outside.folders(), "--show changes nothing"
    (facts,) = map(json.loads, cubbyd("digest", "--show", "--json", "--days", "7").stdout.splitlines())
    assert (facts["mailbox"], facts["filed"], facts["waiting"]) == ("office", {"absence": 1}, 0)
    sent = cubbyd("digest")
    assert (sent.returncode, sent.stdout) == (0, "office: a digest is in the folder Digest\n")
    assert outside.subjects("Digest") == ["cubbyd, office: 1 filed, 0 held, nothing needs a person"]
    assert cubbyd("run", "--once").returncode == 0
    assert outside.subjects("Digest") == ["cubbyd, office: 1 filed, 0 held, nothing needs a person"]


def test_the_digest_of_the_day_goes_out_by_itself_once_over_restarts(cubbyd: Cubbyd, outside: Outside) -> None:
    """A state file of yesterday is made by letting the first digest count as sent two days ago."""
    cubbyd.write(more='[digest]\nevery = "day"')
    for _ in range(2):
        assert cubbyd("run", "--once").returncode == 0
    assert "Digest" not in outside.folders(), "the first start tells of nothing that was before"
    with closing(sqlite3.connect(cubbyd.folder / "state" / "cubbyd.sqlite")) as state, state:
        state.execute("UPDATE digest SET due_at = datetime(due_at, '-2 days') || '.000000'")
    for number in range(2):
        outside.deliver(mail("Emma is ill today", number=number))
        process = cubbyd.start()
        eventually(lambda: "mail filed" in cubbyd.events())
        eventually(lambda: "Digest" in outside.folders() and len(outside.subjects("Digest")) == 1)
        process.terminate()
        assert process.wait(timeout=SECONDS) == 0
    assert len(outside.subjects("Digest")) == 1


def test_while_it_only_observes_no_digest_is_put_into_the_account(cubbyd: Cubbyd, outside: Outside) -> None:
    cubbyd.write(more='[digest]\nevery = "day"\n[filing]\naction = "observe"')
    assert cubbyd("run", "--once").returncode == 0
    with closing(sqlite3.connect(cubbyd.folder / "state" / "cubbyd.sqlite")) as state, state:
        state.execute(
            "INSERT INTO digest VALUES ('office', '2026-01-01 06:30:00.000000', NULL, NULL, '2026-01-01 06:30:00.000000')"
        )
    assert cubbyd("run", "--once").returncode == 0
    assert outside.folders() == ["INBOX"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--html",), 2, "--html and --json go with --show"),
        (("--show", "--mailbox", "kitchen"), 2, "found 'kitchen'; allowed: office"),
        (("--show",), 1, "there is no state yet"),
        ((), 78, "digest.folder"),
    ],
)
def test_a_digest_that_cannot_be_made_says_why(cubbyd: Cubbyd, arguments: tuple[str, ...], code: int, said: str) -> None:
    cubbyd.write(more='[digest]\nfolder = "Absence"')
    done = cubbyd("digest", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr
