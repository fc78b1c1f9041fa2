"""The part of a login that a person does: a code at another device, or a consent in a browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Final

import click

from cubbyd.cli.output import local_time, say_json
from cubbyd.errors import LoginEnded, LoginRefused

if TYPE_CHECKING:
    from cubbyd.mailbox import Account
    from cubbyd.oauth import BrowserProvider, DeviceCode, Grant, Tokens

CONSENT_SECONDS: Final = 600.0
NOWHERE: Final = "http://127.0.0.1:1"
"""Where the browser of another machine is sent: it shows an error, and the address that we need."""
SEEN: Final = b"cubbyd has your answer. You can close this window."
LONGEST_TARGET: Final = 8192


class Signing:
    """Leads a person through a login; what they have to do is said on standard output."""

    def __init__(self, *, paste: bool, as_json: bool = False, aside: bool = False) -> None:
        """`paste`: ask for the address that the browser ends at, in the place of listening for it.

        What the person has to do is said as JSON, or as text, which may go aside: to standard error.
        """
        self._paste, self._as_json, self._aside = paste, as_json, aside

    def sign_in(self, tokens: Tokens, username: str) -> None:
        """Have a person log in where one is needed, and keep the tokens. Raises LoginRefused, MailboxUnavailable."""
        from cubbyd.oauth import BrowserProvider, DeviceProvider

        match tokens.provider:
            case DeviceProvider() as provider:
                tokens.adopt(provider.log_in(self._show_code))
            case BrowserProvider() as provider:
                tokens.adopt(self._consent(provider, username))
            case _:
                pass  # a program logs in as itself

    def _show_code(self, code: DeviceCode) -> None:
        text = (
            f"Open {code.address} in any browser, log in as the mailbox, and type this code:\n\n    {code.code}\n\n"
            f"It is good until {local_time(code.expires_at)}. Waiting …"
        )
        self._say(text, do="type the code", address=code.address, code=code.code, until=code.expires_at)

    def _consent(self, provider: BrowserProvider, username: str) -> Grant:
        if self._paste:
            self._say_address(provider.begin(NOWHERE), username)
            prompt = "The address that the browser shows at the end (it cannot open that page; that is right)"
            return provider.finish(str(click.prompt(prompt, err=self._as_json or self._aside)))
        with _listening() as (redirect, wait):
            self._say_address(provider.begin(redirect), username)
            return provider.finish(wait(CONSENT_SECONDS))

    def _say_address(self, address: str, username: str) -> None:
        where = "in any browser" if self._paste else "in a browser on this machine (on another one: --paste)"
        self._say(
            f"Open this address {where}, log in as {username}, and consent:\n\n{address}\n", do="consent", address=address
        )

    def _say(self, text: str, **facts: str | datetime) -> None:
        if self._as_json:
            say_json(facts)
        else:
            click.echo(text, err=self._aside)


class _Server(HTTPServer):
    """Takes one answer from a browser."""

    answer: str | None = None
    has_answer: threading.Event


class _Handler(BaseHTTPRequestHandler):
    """Takes the first request that has an answer in it; a browser also asks for an icon."""

    timeout = 10
    server: _Server

    def do_GET(self) -> None:
        is_answer = len(self.path) < LONGEST_TARGET and ("code=" in self.path or "error=" in self.path)
        self.send_response(200 if is_answer else 404)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(SEEN if is_answer else b"Not here.")
        if is_answer and self.server.answer is None:
            self.server.answer = self.path
            self.server.has_answer.set()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Keep the code, which is in the path, out of every log."""


@contextmanager
def _listening() -> Iterator[tuple[str, Callable[[float], str]]]:
    """Listen on loopback for the browser (RFC 8252, 7.3); give the address, and a function that waits for the answer."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.has_answer = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()

    def wait(seconds: float) -> str:
        if not server.has_answer.wait(seconds):
            raise LoginRefused("nobody has consented within ten minutes; begin again")
        return server.answer or ""

    try:
        host, port = server.server_address[0], server.server_address[1]
        yield f"http://{host!s}:{port}", wait
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def signed_in(account: Account, *, paste: bool = False, aside: bool = True) -> Account:
    """Have a person log in where one is needed and none has. Raises LoginRefused, MailboxUnavailable."""
    from cubbyd.oauth import Tokens

    if isinstance(account.tokens, Tokens):
        try:
            account.tokens.token()
        except LoginEnded:
            Signing(paste=paste, aside=aside).sign_in(account.tokens, account.section.username)
    return account
