"""Notice that the wall clock was set: it then moved by another amount than the monotonic clock did."""

from __future__ import annotations

from cubbyd.clock import Clock

SMALLEST_STEP_SECONDS = 2.0
"""Below this it is NTP slewing, or a busy machine."""


class StepWatch:
    """Compares the two clocks since the last look."""

    def __init__(self, clock: Clock) -> None:
        """Begin now."""
        self._clock = clock
        self._offset = self._measure()

    def _measure(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    def check(self) -> float | None:
        """Give the step since the last look in seconds, negative where the clock was set back; None where there was none."""
        offset = self._measure()
        step, self._offset = offset - self._offset, offset
        return step if abs(step) >= SMALLEST_STEP_SECONDS else None
