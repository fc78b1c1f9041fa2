"""Logging in with a token: the two ways there are, as answers to a server's challenges. Pure.

Sources: RFC 7628 (OAUTHBEARER); developers.google.com, "OAuth 2.0 Mechanism" (XOAUTH2), which Microsoft speaks too. In both a
server that refuses says why in a further challenge, and waits for an empty answer before it says NO.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from cubbyd.config import SaslMethod
from cubbyd.errors import LoginNotOffered

MECHANISMS: Final = {SaslMethod.OAUTHBEARER: "OAUTHBEARER", SaslMethod.XOAUTH2: "XOAUTH2"}
SEPARATOR: Final = "\x01"
LONGEST_STATUS: Final = 40


def choose_mechanism(wanted: SaslMethod, offers: Callable[[str], bool], doing: str) -> str:
    """Find the mechanism to use: the one that is configured, else the standard, else the older. Raises LoginNotOffered."""
    candidates = list(MECHANISMS.values()) if wanted is SaslMethod.AUTO else [MECHANISMS[wanted]]
    for mechanism in candidates:
        if offers(f"AUTH={mechanism}"):
            return mechanism
    named = " or ".join(candidates)
    raise LoginNotOffered(f"{doing}: the server does not offer {named}; does it take tokens at all? docs/login.md")


@dataclass(slots=True, kw_only=True)
class Bearer:
    """Answers the challenges of one login."""

    mechanism: str
    username: str
    token: SecretStr = field(repr=False)
    status: str = ""
    """What the server said of a token that it refused, such as invalid_token or 401; empty where it said nothing."""
    _has_spoken: bool = False

    def answer(self, challenge: bytes) -> bytes:
        """Show the token at the first challenge; take the reason of a refusal at the second."""
        if self._has_spoken:
            self.status = status_of(challenge)
            return SEPARATOR.encode() if self.mechanism == "OAUTHBEARER" else b""
        self._has_spoken = True
        who = f"user={self.username}{SEPARATOR}"
        if self.mechanism == "OAUTHBEARER":
            escaped = self.username.replace("=", "=3D").replace(",", "=2C")
            who = f"n,a={escaped},{SEPARATOR}"
        return f"{who}auth=Bearer {self.token.get_secret_value()}{SEPARATOR}{SEPARATOR}".encode()


def status_of(challenge: bytes) -> str:
    """Read a refusal's reason (RFC 7628, 3.2.2); empty where it is none, or no word."""
    try:
        status = json.loads(challenge)["status"]
    except (ValueError, KeyError, TypeError):
        return ""
    return status if isinstance(status, str) and status.isprintable() and len(status) <= LONGEST_STATUS else ""
