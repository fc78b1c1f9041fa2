"""From the configuration of a mailbox to an authenticated connection."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from imapclient import IMAPClient
from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from cubbyd import __version__
from cubbyd.config import MailboxSection, Security
from cubbyd.errors import (
    CommandRefused,
    InsecureConnection,
    LoginNotOffered,
    LoginRefused,
    MailboxError,
    MailboxUnavailable,
)
from cubbyd.mailbox import wire
from cubbyd.mailbox.bearer import Bearer, choose_mechanism
from cubbyd.mailbox.border import ours
from cubbyd.mailbox.protocol import Capabilities, TokenSource

ATTEMPTS = 3
"""Tries of one connection within one poll; the next poll tries again anyway."""

LONGEST_WAIT_SECONDS = 4.0

TOKEN_HINT = "the token is for another user, or the app may not open this mailbox: docs/login.md"  # noqa: S105  (a sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who connects where, and how: with a password, or with tokens."""

    name: str
    section: MailboxSection
    password: SecretStr | None = field(default=None, repr=False)
    tokens: TokenSource | None = field(default=None, repr=False)

    @property
    def server(self) -> str:
        """The server as an error names it."""
        return f"{self.section.host}:{self.section.effective_port}"


def connect(account: Account, *, attempts: int = ATTEMPTS, heard: Callable[[], None] = lambda: None) -> IMAPClient:
    """Connect and log in; a broken connection is tried again a few times, what the server itself refuses never.

    Each step calls `heard`.
    A token that is refused is replaced once: it may have been taken back, or a clock may be wrong.
    Raises MailboxUnavailable, LoginRefused, LoginNotOffered, InsecureConnection.
    """
    retrying = Retrying(
        retry=retry_if_exception(_broke),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_SECONDS),
        reraise=True,
    )
    if account.tokens is None:
        return retrying(_connect_once, account, account.password, heard)
    token = account.tokens.token()
    heard()
    try:
        return retrying(_connect_once, account, token, heard)
    except LoginRefused:
        token = account.tokens.renew(token)
        heard()
        return retrying(_connect_once, account, token, heard)


def _broke(error: BaseException) -> bool:
    """Tell whether a connection broke, and the server did not say that it should be left alone."""
    return isinstance(error, MailboxUnavailable) and error.retry_after_seconds is None


def _connect_once(account: Account, secret: SecretStr | None, heard: Callable[[], None]) -> IMAPClient:
    section = account.section
    heard()
    with ours(f"mailbox {account.name}: connecting to {account.server}"):
        context = None if section.security is Security.PLAIN else tls_context(section)
        client = wire.open_client(
            section.host,
            section.effective_port,
            context if section.security is Security.TLS else None,
            connect_seconds=section.connect_timeout_seconds,
            read_seconds=section.read_timeout_seconds,
        )
    heard()
    try:
        if section.security is Security.STARTTLS:
            _start_tls(account, client, context)
            heard()
        _log_in(account, client, secret)
    except MailboxError:
        wire.put_away(client, politely=False)
        raise
    return client


def tls_context(section: MailboxSection) -> ssl.SSLContext:
    """Give the context for the authorities in force: one for all mailboxes, as each takes a megabyte for theirs."""
    trusted = section.ca_file or ssl.get_default_verify_paths().cafile
    found = Path(trusted).stat() if trusted else None
    return _context_of(section.ca_file, (found.st_ino, found.st_size, found.st_mtime_ns) if found else None)


@lru_cache(maxsize=8)
def _context_of(ca_file: Path | None, stamp: tuple[int, ...] | None) -> ssl.SSLContext:  # noqa: ARG001
    """Read the authorities; with another stamp they have changed, and are read anew."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _start_tls(account: Account, client: IMAPClient, context: ssl.SSLContext | None) -> None:
    doing = f"mailbox {account.name}: STARTTLS with {account.server}"
    with ours(doing):
        if not client.has_capability("STARTTLS"):
            raise InsecureConnection(f'{doing}: the server does not offer it; use security = "tls"')
        client.starttls(context)


def _log_in(account: Account, client: IMAPClient, secret: SecretStr | None) -> None:
    """Log in, and say who we are."""
    doing = f"mailbox {account.name}: logging in to {account.server} as {account.section.username}"
    with ours(doing):
        if account.section.oauth is not None:
            mechanism = choose_mechanism(account.section.oauth.method, client.has_capability, doing)
            bearer = Bearer(mechanism=mechanism, username=account.section.username, token=secret or SecretStr(""))
            _show_token(client, bearer, doing)
        else:
            _give_password(account, client, secret or SecretStr(""), doing)
        if client.has_capability("ID"):
            with suppress(CommandRefused):  # some servers want it before SELECT; none needs it answered
                client.id_({"name": "cubbyd", "version": __version__})


def _give_password(account: Account, client: IMAPClient, secret: SecretStr, doing: str) -> None:
    """Log in, refusing where the server forbids it in the clear (imapclient would send the password all the same)."""
    password, username = secret.get_secret_value(), account.section.username
    if client.has_capability("LOGINDISABLED"):
        if account.section.security is Security.PLAIN:
            raise InsecureConnection(f'{doing}: the server takes no password on a plain connection; use "tls" or "starttls"')
        raise LoginNotOffered(f"{doing}: the server takes no password; log in with tokens: docs/login.md")
    if password.isascii() and username.isascii():
        client.login(username, password)
    else:
        client.plain_login(username, password)


def _show_token(client: IMAPClient, bearer: Bearer, doing: str) -> None:
    """Log in with a token. Raises LoginRefused with the server's own reason, where it has given one."""
    try:
        with ours(doing, if_refused=TOKEN_HINT):
            client.sasl_login(bearer.mechanism, bearer.answer)
    except LoginRefused as error:
        said = f" (status {bearer.status})" if bearer.status else ""
        raise LoginRefused(f"{error}{said}") from error


def capabilities_of(client: IMAPClient) -> Capabilities:
    """Read what the server offers to this user."""
    names = frozenset(
        name.decode("ascii", "replace").upper() if isinstance(name, bytes) else str(name).upper()
        for name in client.capabilities()
    )
    return Capabilities(move="MOVE" in names, uidplus="UIDPLUS" in names, idle="IDLE" in names, names=names)
