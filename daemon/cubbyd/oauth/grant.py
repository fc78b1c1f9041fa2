"""What a provider gives: a token, until when it is good, and what the next one is asked for with. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

AHEAD: Final = timedelta(minutes=5)
"""A token that ends sooner than this is replaced before it is used: a login takes seconds, and clocks differ by minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A token and its future; times are aware and UTC."""

    access_token: SecretStr = field(repr=False)
    expires_at: datetime
    """When the token ends."""
    refresh_token: SecretStr | None = field(default=None, repr=False)
    """What the next token is asked for with; None where the configuration has all that is needed."""
    ends_at: datetime | None = None
    """When a person must log in again, where the provider has said so; None where it has not."""

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether the token can still be used."""
        return self.expires_at - now >= AHEAD


def refresh_token_of(grant: Grant | None) -> SecretStr:
    """Give what the next token is asked for with. Raises ValueError where a person has to log in first."""
    if grant is None or grant.refresh_token is None:
        raise ValueError("there is no refresh token")
    return grant.refresh_token
