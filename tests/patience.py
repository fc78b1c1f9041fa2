"""How long a test waits for what must come: long, as a busy machine may be ten times slower; what comes at once costs nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 240.0


def eventually(is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until it is so. Raises AssertionError after so many seconds."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "did not come true in time"
        time.sleep(0.05)
