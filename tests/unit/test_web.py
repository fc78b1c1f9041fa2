"""The three pages over a real socket: what they say, with which headers, and that no client keeps them from others."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from tests.rig import words_classifier
from tests.watched import Watched, seen

from cubbyd.errors import ClassifierRejected, ClassifierUnavailable
from cubbyd.service import web
from cubbyd.service.health import Trouble
from cubbyd.service.lookout import FRESH_SECONDS, Survey
from cubbyd.service.page import render_page
from cubbyd.service.web import LARGEST_REQUEST, SERVED_AT_ONCE, WebServer
from cubbyd.testing import HandClock

PATHS = ("/", "/healthz", "/metrics")


@dataclass(slots=True)
class Site:
    """A server, and the office that it tells of."""

    watched: Watched
    port: int

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, str]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read().decode()

    def raw(self, request: bytes) -> bytes:
        """Send bytes, and read until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    watched = Watched(tmp_path)
    with closing(watched.journal), serving(watched) as port:
        yield Site(watched, port)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One of which nothing changes, for questions that need no more."""
    watched = Watched(tmp_path_factory.mktemp("calm"))
    with closing(watched.journal), serving(watched) as port:
        yield Site(watched, port)


@contextmanager
def serving(watched: Watched) -> Iterator[int]:
    server = WebServer("127.0.0.1", 0, watched.lookout, watched.meter)
    try:
        yield server.port
    finally:
        server.close()


def test_healthz_is_200_while_mail_is_filed_and_503_with_what_to_do_where_it_is_not(site: Site) -> None:
    site.watched.passes()
    answer, body = site.ask("/healthz")
    assert (answer.status, json.loads(body)["ok"]) == (200, True)

    site.watched.classifier.outage = ClassifierUnavailable("the vendor is down")
    site.watched.deliver("Secretname is ill")
    site.watched.passes()
    site.watched.clock.advance(3700)
    site.watched.passes()
    answer, body = site.ask("/healthz")

    assert answer.status == 503
    (mailbox,) = json.loads(body)["mailboxes"]
    assert (mailbox["mailbox"], mailbox["ok"], mailbox["stopped"], mailbox["waiting"]) == ("office", False, True, 1)
    assert mailbox["trouble"] == "the vendor is down"
    assert "cubbyd check" in mailbox["way_out"]
    assert "Secretname" not in body


def test_healthz_is_503_where_the_state_cannot_be_read(site: Site) -> None:
    for file in (site.watched.folder / "state").iterdir():
        file.write_bytes(b"lettuce")

    answer, body = site.ask("/healthz")

    assert answer.status == 503
    assert "cannot be used" in json.loads(body)["error"]
    assert "The state cannot be read" in site.ask("/")[1]


def test_the_page_shows_counts_errors_and_the_oldest_mail_and_nothing_of_its_text(site: Site) -> None:
    site.watched.classifier = words_classifier(strange=ClassifierRejected("too <b>long</b>"))
    site.watched.deliver("Secretname ill", "Secretname strange", "hello", ago=timedelta(hours=3))
    site.watched.passes()

    _, page = site.ask("/")

    assert "<td>absence</td><td class=n>1</td>" in page
    assert "<td>mail 2</td>" in page
    assert "too &lt;b&gt;long&lt;/b&gt;" in page
    assert "<dt>oldest unfiled</dt><dd>3 h</dd>" in page
    assert "Secretname" not in page
    assert "ann@example.com" not in page


def test_the_page_counts_what_people_corrected_of_late(site: Site) -> None:
    site.watched.deliver("ill", "the invoice")
    site.watched.passes()
    assert "corrected by people" not in site.ask("/")[1]
    site.watched.server.drag(1, "Absence", "Billing")
    for _ in range(2):
        site.watched.clock.advance(900)
        site.watched.passes()

    assert "<td>corrected by people</td><td class=n>1</td>" in site.ask("/")[1]


class Elements(HTMLParser):
    """The names of all elements and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attrs)}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_that_its_own_policy_forbids(calm: Site) -> None:
    answer, page = calm.ask("/")
    elements = Elements(page)

    assert elements.open == []
    assert elements.found & {"script", "img", "link", "iframe", "form", "a", "href", "src", "onclick"} == set()
    assert "style" in elements.found
    assert page.count("style=") == 0, "the policy lets through the one style sheet alone"
    policy = str(answer.getheader("Content-Security-Policy"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_kept_from_caches_frames_and_guesses(calm: Site, path: str) -> None:
    answer, _ = calm.ask(path)
    headers = {name.lower(): value for name, value in answer.getheaders()}

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


@pytest.mark.parametrize("path", PATHS)
def test_head_gives_the_same_without_a_body(calm: Site, path: str) -> None:
    answer, body = calm.ask(path, "HEAD")

    assert (answer.status, body) == (200, "")
    assert int(str(answer.getheader("Content-Length"))) > 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/etc/passwd", 404),
        ("GET", "/../metrics", 404),
        ("GET", "/healthz?x=1", 200),
        ("POST", "/", 501),
        ("DELETE", "/metrics", 501),
    ],
)
def test_there_is_nothing_else_and_nothing_that_changes_anything(calm: Site, method: str, path: str, status: int) -> None:
    answer, body = calm.ask(path, method)

    assert answer.status == status
    assert path not in body or path == "/healthz?x=1"


@pytest.mark.parametrize(
    ("host", "status"), [("localhost:9464", 200), ("127.0.0.1", 200), ("[::1]:9464", 200), ("evil.example", 421), ("[", 421)]
)
def test_a_name_that_somebody_points_at_this_machine_gets_nothing(calm: Site, host: str, status: int) -> None:
    assert calm.ask("/metrics", Host=host)[0].status == status


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nX: " + b"x" * LARGEST_REQUEST + b"\r\n\r\n",
        b"G" * 1_000_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n",
    ],
    ids=["huge header", "no end", "TLS", "empty", "one word", "another version", "many headers"],
)
def test_a_request_that_is_none_is_cut_off_and_the_next_is_served(calm: Site, request_: bytes) -> None:
    try:
        answer = calm.raw(request_)
    except OSError:
        answer = b""

    assert b" 200 " not in answer
    assert b"Traceback" not in answer
    assert calm.ask("/healthz")[0].status in (200, 503)


def test_clients_that_say_nothing_are_hung_up_on_and_others_are_served(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "REQUEST_SECONDS", 0.3)
    with ExitStack() as stack:
        for _ in range(SERVED_AT_ONCE):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", site.port)))
            silent.sendall(b"GET / HTTP/1.1\r\n")
        assert site.ask("/healthz")[0].status in (200, 503)
        silent.settimeout(30)
        assert silent.recv(1) == b""


def test_a_client_that_drips_is_cut_off_in_time_however_often_it_says_something(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "REQUEST_SECONDS", 0.3)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection, suppress(OSError):
        while time.monotonic() < begun + 30:
            connection.sendall(b"x")
            time.sleep(0.02)

    assert time.monotonic() - begun < 20


def test_a_thousand_questions_read_the_state_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    look = site.watched.lookout._look

    def counted() -> Survey:
        looks.append(1)
        return look()

    monkeypatch.setattr(site.watched.lookout, "_look", counted)
    threads = [threading.Thread(target=lambda: [site.ask("/healthz") for _ in range(4)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looks) == 1
    site.watched.clock.advance(FRESH_SECONDS + 1)
    site.ask("/healthz")

    assert len(looks) == 2


def test_what_an_error_says_can_make_no_markup() -> None:
    trouble = Trouble(has_stopped=True, since=None, what="<script>alert(1)</script>", way_out="a & b")

    page = render_page(seen(trouble, clock=HandClock()))

    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "a &amp; b" in page
