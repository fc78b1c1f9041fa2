"""A circuit breaker: after some failures in a row nobody is asked for a while, then one call tries whether it works again."""

from __future__ import annotations

import threading
from typing import Final

from cubbyd.clock import Clock
from cubbyd.errors import ClassifierUnavailable

FAILURES: Final = 5
FIRST_PAUSE: Final = 300.0
LONGEST_PAUSE: Final = 3600.0


class Breaker:
    """Counts failures of one backend, for all threads."""

    def __init__(self, server: str, clock: Clock) -> None:
        """Begin closed: everybody may ask."""
        self._server, self._clock = server, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pauses = 0
        self._until = 0.0
        self._reason = ""
        self._probing = False

    def admit(self) -> None:
        """Let one call through, or say how long to wait. Raises ClassifierUnavailable.

        Whoever is let through must tell the outcome by succeeded, failed, rest or withdraw.
        """
        with self._lock:
            left = self._until - self._clock.monotonic()
            if self._reason and (left > 0 or self._probing):
                wait = max(left, 1.0)
                raise ClassifierUnavailable(
                    f"{self._server}: not asked for another {wait:.0f} seconds, because: {self._reason}",
                    retry_after_seconds=wait,
                )
            self._probing = bool(self._reason)

    def succeeded(self) -> None:
        """The call was answered, with whatever: the service works."""
        with self._lock:
            self._failures = self._pauses = 0
            self._reason, self._probing = "", False

    def failed(self, reason: str) -> None:
        """The call got no answer; after FAILURES of them, or when this was the probe, rest."""
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES or self._probing:
                self._rest(min(FIRST_PAUSE * 2 ** min(self._pauses, 10), LONGEST_PAUSE), reason)
                self._pauses += 1

    def rest(self, seconds: float, reason: str) -> None:
        """Ask nobody for so long: more calls cannot help, or the service wants it so."""
        with self._lock:
            self._rest(seconds, reason)

    def withdraw(self) -> None:
        """The call was not made after all."""
        with self._lock:
            self._probing = False

    def _rest(self, seconds: float, reason: str) -> None:
        self._until = max(self._until, self._clock.monotonic() + seconds)
        self._reason, self._probing = reason, False
