"""The heartbeat: called while filing goes on, at most once a minute, over a socket that may answer anything or nothing."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.listener import answering
from tests.watched import STOPPED, WAITS, seen

from cubbyd.service.health import Trouble
from cubbyd.service.heartbeat import SECONDS_BETWEEN, Heart, call
from cubbyd.service.lookout import Survey
from cubbyd.testing import HandClock


@dataclass(slots=True)
class Listener:
    """Whom the heart calls; answers with a fault, or none."""

    fault: str = ""
    called: int = 0

    def __call__(self) -> str:
        self.called += 1
        return self.fault


@dataclass(slots=True)
class Ward:
    """A heart, and what it sees and whom it calls."""

    clock: HandClock = field(default_factory=HandClock)
    listener: Listener = field(default_factory=Listener)
    troubles: tuple[Trouble | None, ...] = (None,)
    moved: bool = True

    def heart(self) -> Heart:
        begun = seen(*self.troubles, clock=self.clock)
        return Heart(lambda: seen(*self.troubles, clock=self.clock) if self.moved else begun, self.clock, self.listener)


def test_it_beats_at_most_once_a_minute() -> None:
    ward = Ward()
    heart = ward.heart()
    for _ in range(120):
        heart.beat()
        ward.clock.advance(1)

    assert ward.listener.called == 2


def test_it_beats_only_where_something_has_gone_well_since() -> None:
    ward = Ward(moved=False)
    heart = ward.heart()
    for _ in range(5):
        heart.beat()
        ward.clock.advance(SECONDS_BETWEEN)

    assert ward.listener.called == 1, "the pass that went through was told once"


def test_it_is_still_while_one_mailbox_of_two_has_stopped_and_not_for_a_mail_that_waits() -> None:
    assert not Ward(troubles=(None, STOPPED)).heart().beat()
    assert Ward(troubles=(None, WAITS)).heart().beat()


def test_it_is_still_where_the_state_cannot_be_read() -> None:
    clock, listener = HandClock(), Listener()

    assert not Heart(lambda: Survey(taken_at=clock.now(), error="disk I/O error"), clock, listener).beat()
    assert listener.called == 0


def test_a_fault_is_said_once_and_tried_again_and_its_end_is_said() -> None:
    ward = Ward(moved=False, listener=Listener("no answer in time"))
    heart = ward.heart()
    with capture_logs() as logs:
        for _ in range(3):
            assert heart.beat()
            ward.clock.advance(SECONDS_BETWEEN)
        ward.listener.fault = ""
        heart.beat()

    assert [line["event"] for line in logs] == ["the heartbeat was not taken", "the heartbeat is taken again"]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/lettuce\r\n\r\n", "the answer was 301"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "the answer was 404"),
        (b"lettuce\r\n", "the answer could not be read (BadStatusLine)"),
        (b"", "the answer could not be read (RemoteDisconnected)"),
        (b"HTTP/1.1 200 " + b"x" * 100_000, "the answer could not be read (LineTooLong)"),
        (None, "no answer in time"),
    ],
    ids=["ok", "no content", "a redirection is not followed", "not found", "garbage", "hangs up", "endless", "silence"],
)
def test_whatever_the_other_side_answers_it_is_a_short_sentence(answer: bytes | None, fault: str) -> None:
    with answering(answer) as (port, heard):
        assert call(SecretStr(f"http://127.0.0.1:{port}/ping/lettuce?a=1"), seconds=0.3 if answer is None else 10) == fault

    assert heard[0].startswith(b"GET /ping/lettuce?a=1 HTTP/1.1\r\n")


def test_nobody_there_is_a_sentence_without_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert call(SecretStr(f"http://127.0.0.1:{port}/lettuce")) == "Connection refused"


def test_a_certificate_that_is_not_trusted_gets_no_call(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")

    with answering(b"HTTP/1.1 200 OK\r\n\r\n", context) as (port, heard):
        fault = call(SecretStr(f"https://127.0.0.1:{port}/lettuce"))

    assert fault.startswith("the certificate is not trusted: ")
    assert heard == []


def self_signed(folder: Path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-subj", "/CN=localhost", "-keyout", str(folder / "key.pem"), "-out", str(folder / "crt.pem")]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return folder / "crt.pem"
