"""How long a mail that could not be handled waits before it is tried again. Pure."""

from __future__ import annotations

from datetime import timedelta

FIRST = timedelta(minutes=1)
FACTOR = 4
LONGEST = timedelta(hours=6)
"""1, 4, 16, 64, 256, 360, 360 minutes: the default budget of 8 attempts lasts some 18 hours, longer than a night."""


def pause_after(attempts: int) -> timedelta:
    """Give the wait after so many attempts, at least one."""
    steps = min(max(attempts, 1) - 1, 10)  # enough to reach LONGEST, and no overflow after a million
    return min(FIRST * int(FACTOR**steps), LONGEST)
