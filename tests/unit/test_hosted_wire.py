"""Servers that do not even speak HTTP properly: each is an outage, within its time, and never a crash."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tenacity import wait_none
from tests.hosted import WORDS, ask, opened, predict
from tests.patience import PATIENCE_SECONDS

from cubbyd.errors import ClassifierUnavailable, ConfigError
from cubbyd.standin import Fault, Standin

pytestmark = pytest.mark.usefixtures("quick_disk")

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cubbyd.classify.hosted.retry._backoff", wait_none())


@contextmanager
def saying(answer: bytes, pause: float = 0.0) -> Iterator[str]:
    """Listen, and answer whoever connects with these bytes, with a pause after each where one is given."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(65_536)
            for piece in [bytes([byte]) for byte in answer] if pause else [answer]:
                connection.sendall(piece)
                time.sleep(pause)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"* OK IMAP4rev1 ready\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 99 Odd\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000 + b"\r\n\r\n",
        OK + b"content-length: -1\r\n\r\n{}",
        OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        OK + b"content-length: 1000000000\r\n\r\n{}",
        OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        OK + b"\r\n" + b"[" * 200_000,
        OK + b"x-request-id: \xff\xfe\r\n\r\n{}",
        OK + b"content-encoding: br\r\ncontent-length: 2\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {"a": 1}\n\n',
        b"HTTP/1.1 500 Odd\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 429 Odd\r\nretry-after: \xff\r\ncontent-length: 4\r\n\r\nnull",
        b'HTTP/1.1 400 Odd\r\ncontent-length: 14\r\n\r\n{"error": "x"}',
        b'HTTP/1.1 400 Odd\r\ncontent-length: 28\r\n\r\n{"error": {"code": ["a"]}}  ',
    ],
    ids=range(22),
)
def test_nonsense_is_an_outage(tmp_path: Path, answer: bytes) -> None:
    with saying(answer) as base_url, opened(tmp_path, base_url, "timeout_seconds = 2") as classifier:
        error = ask(classifier)

    assert type(error) is ClassifierUnavailable


@pytest.mark.parametrize("answer", [OK + b"\r\n{}", b"HTTP/1.1 100 Continue\r\n\r\n" * 50], ids=["headers", "continue"])
def test_headers_that_drip_end_with_the_time(tmp_path: Path, answer: bytes) -> None:
    started = time.monotonic()
    with saying(answer, pause=0.1) as base_url, opened(tmp_path, base_url, "timeout_seconds = 1\nattempts = 1") as classifier:
        error = ask(classifier)

        assert "no answer in time" in str(error)
        assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    "location",
    [
        "http://[::1",
        "//",
        "",
        "javascript:alert(1)",
        "http://evil.example:99999/",
        "\xff",
        "http://\x7f/",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_to_nonsense_is_an_outage(tmp_path: Path, location: str) -> None:
    answer = f"HTTP/1.1 307 Away\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode("latin-1")
    with saying(answer) as base_url, opened(tmp_path, base_url) as classifier:
        assert type(ask(classifier)) is ClassifierUnavailable


# --- certificates --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody trusts, with its key in the same file."""
    folder = tmp_path_factory.mktemp("certificate")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "certificate.pem"


def secured(standin: Standin, certificate: Path) -> str:
    """Let the stand-in speak TLS; give its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    standin._server.socket = context.wrap_socket(standin._server.socket, server_side=True)
    return standin.base_url.replace("http:", "https:")


def test_a_certificate_that_the_configuration_does_not_trust_gets_no_mail(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("SSL_CERT_DIR", str(certificate.parent))
    standin = Standin(WORDS)
    with standin, opened(tmp_path, secured(standin, certificate)) as classifier:
        assert type(ask(classifier)) is ClassifierUnavailable
    assert standin.requests == []


def test_an_authority_of_ones_own_is_trusted_for_its_own_names(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    standin = Standin(WORDS)
    address = secured(standin, certificate)
    with standin:
        with opened(tmp_path, address, f'ca_file = "{certificate}"') as classifier:
            assert predict(classifier).top == "absence"
        with opened(tmp_path, address.replace("127.0.0.1", "127.0.0.2"), f'ca_file = "{certificate}"') as classifier:
            assert type(ask(classifier)) is ClassifierUnavailable
    assert len(standin.requests) == 1
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_without_authorities_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with (
        pytest.raises(ConfigError, match=r"classifier\.openai\.ca_file: .*ca\.pem cannot be used"),
        opened(tmp_path, "http://127.0.0.1:9/v1", 'ca_file = "ca.pem"'),
    ):
        pass


def test_a_cookie_is_not_kept(tmp_path: Path) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin) as classifier:
        standin.then(Fault(headers={"set-cookie": "family=hofmann; Path=/"}))
        predict(classifier)
        predict(classifier)
        assert "cookie" not in standin.requests[1].headers


def test_closing_ends_a_call_that_is_under_way(tmp_path: Path) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin, "timeout_seconds = 30") as classifier:
        standin.always(Fault(wait=3))
        outcomes: list[object] = []
        thread = threading.Thread(target=lambda: outcomes.append(ask(classifier)))
        thread.start()
        while not standin.requests:
            time.sleep(0.01)
        started = time.monotonic()
        classifier.close()
        thread.join(PATIENCE_SECONDS)
        assert time.monotonic() - started < 2
        assert isinstance(outcomes[0], ClassifierUnavailable)


def test_many_threads_may_ask_at_once(tmp_path: Path) -> None:
    with Standin(WORDS) as standin, opened(tmp_path, standin) as classifier:
        tops: list[str] = []
        threads = [threading.Thread(target=lambda: tops.append(predict(classifier).top)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tops == ["absence"] * 8
        assert standin.violations == []
