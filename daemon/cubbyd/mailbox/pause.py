"""How long to leave a server alone after a failure: longer each time, never for the same time twice, and as it asked. Pure.

Fifty mailboxes on one server lose their connections in the same moment; what scatters them is the lot that each draws.
"""

from __future__ import annotations

from dataclasses import dataclass

from cubbyd.errors import CubbydError, LoginEnded, LoginRefused, MailboxUnavailable

FIRST_SECONDS = 5.0
LOGIN_ENDED_SECONDS = 15.0
"""Where a person has to run `cubbyd login`: nobody is asked before that, so it costs nothing to look whether it was done."""

LONGEST_ASKED_SECONDS = 3600.0
"""What a server asks for in prose may be nonsense, and one that means it says it again."""

ADDED_SHARE = 0.2
"""Share of a pause that is not ours to shorten by which it is made longer at most, so that not all return together."""

MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """The pauses of one who connects again and again."""

    longest_seconds: float
    login_seconds: float
    """After a refused login, however often: servers lock accounts that hammer."""

    def after(self, error: CubbydError, failures: int, lot: float) -> float:
        """Give the seconds to wait after so many failures in a row, at least one, the last of which is `error`.

        `lot` is drawn by chance, from 0 to 1. Our own pause is halved at most by it; what the server asked for, and the pause
        after a refused login, are only made longer.
        """
        if isinstance(error, LoginEnded):
            return LOGIN_ENDED_SECONDS
        if isinstance(error, LoginRefused):
            return self.login_seconds * (1 + ADDED_SHARE * lot)
        doublings = min(max(failures, 1) - 1, MOST_DOUBLINGS)
        own = min(FIRST_SECONDS * 2.0**doublings, self.longest_seconds) * (1 + lot) / 2
        if not isinstance(error, MailboxUnavailable) or error.retry_after_seconds is None:
            return own
        asked = min(error.retry_after_seconds, LONGEST_ASKED_SECONDS)
        return max(own, asked * (1 + ADDED_SHARE * lot))
