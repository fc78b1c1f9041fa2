"""Time as a dependency: the wall clock for people, the monotonic clock for waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Give the wall clock, aware, in UTC; it may step."""
        ...

    def monotonic(self) -> float:
        """Give seconds that only ever grow."""
        ...


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Give the wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds since some moment in the past."""
        return time.monotonic()
