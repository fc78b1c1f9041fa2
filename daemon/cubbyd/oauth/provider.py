"""Whom tokens come from, as the rest sees it; `cubbyd login` needs more of it than the daemon does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from cubbyd.oauth.grant import Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What a person does at another device (RFC 8628, 3.3)."""

    address: str
    code: str
    expires_at: datetime


class Provider(Protocol):
    """One client of a login provider, for one mailbox."""

    host: str
    """Whom errors name."""
    needs_person: bool
    """Whether somebody must have consented; then renew() wants what they were given."""
    credential_ends_at: datetime | None
    """When the client's own certificate ends; None where it has none."""

    def renew(self, grant: Grant | None) -> Grant:
        """Get a new token, with the refresh token where there is one.

        Raises LoginEnded where a person must log in again, LoginRefused, MailboxUnavailable.
        """


@runtime_checkable
class DeviceProvider(Provider, Protocol):
    """A provider that a person logs in to at another device."""

    def log_in(self, show: Callable[[DeviceCode], None]) -> Grant:
        """Show a code, and wait until the person has typed it. Raises LoginRefused, MailboxUnavailable."""


@runtime_checkable
class BrowserProvider(Provider, Protocol):
    """A provider that a person logs in to in a browser, which is then sent to an address of ours with a code."""

    def begin(self, redirect: str) -> str:
        """Give the address that the person opens; `redirect` is where the browser is sent afterwards."""

    def finish(self, answer: str) -> Grant:
        """Take the address that the browser was sent to, and get the tokens. Raises LoginRefused, MailboxUnavailable."""
