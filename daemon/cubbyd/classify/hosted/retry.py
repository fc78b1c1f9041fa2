"""Trying again: the one layer that does (the SDK's own is off), within a time that is bounded as a whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_any, stop_when_event_set, wait_random_exponential
from tenacity.stop import stop_base

from cubbyd.classify.hosted.failure import LONGEST_WAIT, Action, Failure
from cubbyd.clock import Clock

LONGEST_BACKOFF: Final = 20.0
_backoff = wait_random_exponential(multiplier=0.5, max=LONGEST_BACKOFF)

Answer = TypeVar("Answer")


class Patience:
    """How often and for how long one mail is asked about."""

    def __init__(self, *, attempts: int, timeout: float, total: float, clock: Clock) -> None:
        """Take the number of tries, the seconds of each and of all together, waits included."""
        self._attempts, self._timeout, self._total = attempts, timeout, total
        self._clock, self._stopping = clock, threading.Event()

    def stop(self) -> None:
        """Wait no more, and try nothing again."""
        self._stopping.set()

    def call(self, ask: Callable[[float], Answer]) -> Answer:
        """Ask with so many seconds, until there is an answer or trying again makes no sense. Raises Failure."""
        started = self._clock.monotonic()

        def left() -> float:
            return self._total - (self._clock.monotonic() - started)

        retrying = Retrying(
            retry=retry_if_exception(_may_help),
            wait=_wait,
            stop=stop_any(_Enough(self._attempts, left), stop_when_event_set(self._stopping)),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(lambda: ask(max(0.1, min(self._timeout, left()))))

    def _sleep(self, seconds: float) -> None:
        self._stopping.wait(seconds)


class _Enough(stop_base):
    """Stops after the tries, after two where a second answer outside the rules proves nothing, and before time is up."""

    def __init__(self, attempts: int, left: Callable[[], float]) -> None:
        self._attempts, self._left = attempts, left

    def __call__(self, state: RetryCallState) -> bool:
        failure = state.outcome.exception() if state.outcome else None
        once_more = isinstance(failure, Failure) and failure.row.action is Action.ONCE_MORE
        most = min(2, self._attempts) if once_more else self._attempts
        return state.attempt_number >= most or state.upcoming_sleep >= self._left()


def _may_help(error: BaseException) -> bool:
    return isinstance(error, Failure) and error.row.action in {Action.RETRY, Action.ONCE_MORE}


def _wait(state: RetryCallState) -> float:
    """Wait what the server asks for, else a random time that grows."""
    failure = state.outcome.exception() if state.outcome else None
    asked = failure.symptom.retry_after if isinstance(failure, Failure) else None
    return min(asked, LONGEST_WAIT) if asked is not None else _backoff(state)
