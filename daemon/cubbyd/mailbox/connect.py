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
from cubbyd.errors import CommandRefused, InsecureConnection, MailboxError, MailboxUnavailable
from cubbyd.mailbox import wire
from cubbyd.mailbox.border import ours
from cubbyd.mailbox.protocol import Capabilities

ATTEMPTS = 3
"""Tries of one connection within one poll; the next poll tries again anyway."""

LONGEST_WAIT_SECONDS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who connects where, and how."""

    name: str
    section: MailboxSection
    password: SecretStr = field(repr=False)

    @property
    def server(self) -> str:
        """The server as an error names it."""
        return f"{self.section.host}:{self.section.effective_port}"


def connect(account: Account, *, attempts: int = ATTEMPTS, heard: Callable[[], None] = lambda: None) -> IMAPClient:
    """Connect and log in; a broken connection is tried again a few times, what the server itself refuses never.

    Each step calls `heard`.
    Raises MailboxUnavailable, LoginRefused, InsecureConnection.
    """
    retrying = Retrying(
        retry=retry_if_exception(_broke),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_SECONDS),
        reraise=True,
    )
    return retrying(_connect_once, account, heard)


def _broke(error: BaseException) -> bool:
    """Tell whether a connection broke, and the server did not say that it should be left alone."""
    return isinstance(error, MailboxUnavailable) and error.retry_after_seconds is None


def _connect_once(account: Account, heard: Callable[[], None]) -> IMAPClient:
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
        _log_in(account, client)
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


def _log_in(account: Account, client: IMAPClient) -> None:
    """Log in, refusing where the server forbids it in the clear (imapclient would send the password all the same)."""
    doing = f"mailbox {account.name}: logging in to {account.server} as {account.section.username}"
    password = account.password.get_secret_value()
    with ours(doing):
        if client.has_capability("LOGINDISABLED"):
            raise InsecureConnection(f'{doing}: the server takes no password on a plain connection; use "tls" or "starttls"')
        if password.isascii() and account.section.username.isascii():
            client.login(account.section.username, password)
        else:
            client.plain_login(account.section.username, password)
        if client.has_capability("ID"):
            with suppress(CommandRefused):  # some servers want it before SELECT; none needs it answered
                client.id_({"name": "cubbyd", "version": __version__})


def capabilities_of(client: IMAPClient) -> Capabilities:
    """Read what the server offers to this user."""
    names = frozenset(
        name.decode("ascii", "replace").upper() if isinstance(name, bytes) else str(name).upper()
        for name in client.capabilities()
    )
    return Capabilities(move="MOVE" in names, uidplus="UIDPLUS" in names, idle="IDLE" in names, names=names)
