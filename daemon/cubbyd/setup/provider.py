"""Whose server it is, and what that means for the login. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cubbyd.config import OAuthKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to say of a known server, and how to log in to it."""

    sentence: str
    kinds: tuple[OAuthKind, ...]
    """The best one first."""


MICROSOFT: Final = Advice(
    sentence="Microsoft 365 takes no password for IMAP: cubbyd logs in with tokens. docs/login.md says what to do there first.",
    kinds=(OAuthKind.MICROSOFT_APP, OAuthKind.MICROSOFT_DEVICE),
)
GOOGLE: Final = Advice(
    sentence="Google takes tokens, or an app password with 2-step verification. docs/login.md says what to do there first.",
    kinds=(OAuthKind.GOOGLE, OAuthKind.GOOGLE_SERVICE),
)
HOSTS: Final = {
    "outlook.office365.com": MICROSOFT,
    "outlook.office.com": MICROSOFT,
    "imap-mail.outlook.com": MICROSOFT,
    "imap.gmail.com": GOOGLE,
    "imap.googlemail.com": GOOGLE,
}


def advise(host: str) -> Advice | None:
    """Say what is known of a server; None where nothing is."""
    return HOSTS.get(host.strip().rstrip(".").lower())
