"""The web server for Prometheus, monitors and people: three read-only pages, on loopback, without a third party's code in them.

Whoever talks to it may be hostile or broken. So a request is read whole, within a time and a size, before anything looks at it;
few are served at once, and so many a second; the rest waits in the kernel. What it says is read beside the work (lookout.py).
"""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import structlog

from cubbyd.config.section import is_loopback
from cubbyd.service.lookout import Lookout
from cubbyd.service.page import STYLE_HASH, healthz, render_page

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.service")

REQUEST_SECONDS: Final = 5.0
"""From the connection to the end of the request's head, and for each write of the answer."""
LARGEST_REQUEST: Final = 8_192
"""Bytes of a request's head; Prometheus and browsers send some hundred."""
SERVED_AT_ONCE: Final = 8
WAIT_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 0.01
"""Between two connections: at most a hundred a second, so that a flood leaves the processor to the mail."""

HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src '{STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class Exposition(Protocol):
    """What writes the metrics down."""

    def exposition(self) -> bytes:
        """Give the text format of Prometheus."""
        ...


class _Server(ThreadingMixIn, TCPServer):
    """A thread for each connection, and no more than a few of them."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 32

    def __init__(self, host: str, port: int, lookout: Lookout, meter: Exposition) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.lookout, self.meter = lookout, meter
        self.is_local = is_loopback(host)
        self._seats = threading.BoundedSemaphore(SERVED_AT_ONCE)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Wait a little for a seat, and hang up where none is free; whoever has one leaves by its deadline."""
        time.sleep(PAUSE_SECONDS)
        if not self._seats.acquire(timeout=WAIT_SECONDS):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._seats.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve, and give the seat back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._seats.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  (the signature is socketserver's)
        """Say that a page failed; a client that goes away in the middle is nobody's fault."""
        log.debug("a page was not delivered", error=type(sys.exc_info()[1]).__name__)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request of one connection."""

    server: _Server
    protocol_version = "HTTP/1.0"  # one request, one connection

    def setup(self) -> None:
        """Read the head of the request before anything parses it."""
        super().setup()
        self.rfile.close()
        self.connection.settimeout(REQUEST_SECONDS)
        self.rfile = io.BufferedReader(io.BytesIO(_read_head(self.connection)))

    def do_GET(self) -> None:
        """Serve a page."""
        if self.server.is_local and not self._is_for_this_machine():
            self._send(HTTPStatus.MISDIRECTED_REQUEST, "text/plain; charset=utf-8", b"not this host\n")
            return
        pages: dict[str, Callable[[], None]] = {"/": self._page, "/healthz": self._health, "/metrics": self._metrics}
        page = pages.get(urlsplit(self.path).path)
        if page is None:
            self._send(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"there are / and /healthz and /metrics\n")
            return
        page()

    do_HEAD = do_GET  # noqa: N815  (the name is http.server's)

    def _is_for_this_machine(self) -> bool:
        """Refuse a name that somebody points at this machine, so that a page in a browser here cannot read ours."""
        host = self.headers.get("Host", "localhost")
        try:
            return is_loopback(urlsplit(f"//{host}").hostname or "")
        except ValueError:
            return False

    def _page(self) -> None:
        page = render_page(self.server.lookout.survey())
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", page.encode())

    def _health(self) -> None:
        survey = self.server.lookout.survey()
        status = HTTPStatus.OK if survey.is_well else HTTPStatus.SERVICE_UNAVAILABLE
        body = json.dumps(healthz(survey), ensure_ascii=False).encode() + b"\n"
        self._send(status, "application/json", body)

    def _metrics(self) -> None:
        self._send(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", self.server.meter.exposition())

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response_only(status)
        for name, value in {**HEADERS, "Content-Type": content_type, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what is no request of ours, without repeating any of it."""
        if not hasattr(self, "command") or self.command is None:
            self.command = "GET"
        with suppress(ValueError):
            self._send(HTTPStatus(code), "text/plain; charset=utf-8", b"no\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is http.server's)
        """Log nothing: a client chooses what it asks for, and how often."""


def _read_head(connection: socket.socket) -> bytes:
    """Read up to the empty line; nothing at all where that does not come in time, or is too far away."""
    until = time.monotonic() + REQUEST_SECONDS
    head = bytearray()
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        left = until - time.monotonic()
        if left <= 0:
            return b""
        connection.settimeout(left)
        try:
            some = connection.recv(LARGEST_REQUEST)
        except OSError:
            return b""
        head += some
        if not some or len(head) > LARGEST_REQUEST:
            return b""
    connection.settimeout(REQUEST_SECONDS)
    return bytes(head)


class WebServer:
    """Serves the three pages until it is closed, in a thread of its own."""

    def __init__(self, host: str, port: int, lookout: Lookout, meter: Exposition) -> None:
        """Listen; port 0 takes any that is free. Raises OSError where the address cannot be had."""
        self._server = _Server(host, port, lookout, meter)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), name="web", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._server.socket.getsockname()[1]
        return port

    def close(self) -> None:
        """Stop listening, within some two seconds; who is being served is served to the end, or to that of the process."""
        self._server.shutdown()
        self._server.server_close()
