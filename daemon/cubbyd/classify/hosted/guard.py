"""What stands around each call to a server: the breaker that may forbid it, and the patience to try it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cubbyd.classify.hosted.breaker import Breaker
from cubbyd.classify.hosted.failure import Action, Failure
from cubbyd.classify.hosted.retry import Patience

Answer = TypeVar("Answer")


class Guard:
    """Lets calls through, and tells the breaker what became of them; thread-safe."""

    def __init__(self, breaker: Breaker, patience: Patience) -> None:
        """Take the parts."""
        self._breaker, self._patience = breaker, patience

    def call(self, ask: Callable[[float], Answer]) -> Answer:
        """Ask with so many seconds, as often as patience allows.

        Raises ClassifierUnavailable where nobody may ask now, and Failure, of which `note` has to be told.
        """
        self._breaker.admit()
        try:
            answer = self._patience.call(ask)
        except Failure:
            raise
        except BaseException:
            self._breaker.withdraw()
            raise
        self._breaker.succeeded()
        return answer

    def note(self, failure: Failure) -> None:
        """Take in that a call failed for good."""
        row = failure.row
        if row.action is Action.PAUSE:
            self._breaker.rest(failure.pause or 0.0, row.says)
        elif row.action is Action.RETRY:
            self._breaker.failed(row.says)
        else:
            self._breaker.succeeded()  # the service works; it is this mail

    def stop(self) -> None:
        """Wait no more, and try nothing again."""
        self._patience.stop()
