"""The watchdog is fed by the work: once everybody who works has made progress since it was last fed, and at no other time.

No thread exists for this alone: whoever completes a round feeds. One mailbox that hangs is one whose turn never comes, so that
the manager ends the process after its WatchdogSec, although all others work on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from cubbyd.clock import Clock

SHARE = 4
"""Who has nothing to do reports this many times within the watchdog's time."""

LONGEST_REST_SECONDS = 30.0


@dataclass(slots=True, kw_only=True, eq=False)
class _Part:
    """Somebody who has to make progress."""

    name: str
    reported_at: float
    has_reported: bool = False
    is_known_silent: bool = False


@dataclass(slots=True, kw_only=True)
class Pulse:
    """Gathers signs of progress from the threads that work; safe to call from all of them."""

    watchdog_seconds: float | None
    """None where there is no watchdog."""
    feed: Callable[[], None]
    clock: Clock
    _parts: list[_Part] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def rest_seconds(self) -> float | None:
        """How long one who has nothing to do may wait before it reports; None where it need not."""
        return None if self.watchdog_seconds is None else min(self.watchdog_seconds / SHARE, LONGEST_REST_SECONDS)

    def enlist(self, name: str) -> Beat:
        """Wait for this one too from now on; give what it reports with."""
        part = _Part(name=name, reported_at=self.clock.monotonic())
        with self._lock:
            self._parts.append(part)
        return Beat(self, part)

    def silent(self) -> list[str]:
        """Name who has made no progress for half the watchdog's time; each silence is told once."""
        if self.watchdog_seconds is None:
            return []
        begin = self.clock.monotonic() - self.watchdog_seconds / 2
        with self._lock:
            found = [part for part in self._parts if part.reported_at < begin and not part.is_known_silent]
            for part in found:
                part.is_known_silent = True
        return [part.name for part in found]

    def _report(self, part: _Part) -> None:
        with self._lock:
            part.reported_at, part.has_reported, part.is_known_silent = self.clock.monotonic(), True, False
            is_whole = part in self._parts and all(one.has_reported for one in self._parts)
            if is_whole:
                for one in self._parts:
                    one.has_reported = False
        if is_whole and self.watchdog_seconds is not None:
            self.feed()

    def _dismiss(self, part: _Part) -> None:
        with self._lock:
            self._parts.remove(part)


class Beat:
    """One part's way to report progress; after `end` it counts no more, whatever its thread still does."""

    def __init__(self, pulse: Pulse, part: _Part) -> None:
        """Belong to a pulse."""
        self._pulse, self._part = pulse, part

    def __call__(self) -> None:
        """Report progress."""
        self._pulse._report(self._part)  # noqa: SLF001  (the two are one thing)

    def end(self) -> None:
        """Be waited for no more."""
        self._pulse._dismiss(self._part)  # noqa: SLF001
