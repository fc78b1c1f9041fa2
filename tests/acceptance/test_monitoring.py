"""What an admin's monitors see of the daemon: metrics, /healthz, the page, the heartbeat; over real sockets, with a real Dovecot."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.acceptance.cubbyd import Cubbyd
from tests.dovecot import Dovecot, free_port
from tests.mail import Outside, mail

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


def eventually(is_so: Callable[[], bool], seconds: float = SECONDS) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "did not come true in time"
        time.sleep(0.05)


def ask(port: int, path: str, **headers: str) -> tuple[HTTPResponse, str]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=SECONDS)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()


def samples(port: int) -> dict[tuple[str, ...], float]:
    """Everything that is exposed: the name and the values of its labels, in the order of their names."""
    _, text = ask(port, "/metrics")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


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
