"""Ways to die: a journal whose process ends at a commit, and a fuse that says at which step."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from cubbyd.journal import Journal


class Death(BaseException):
    """The process is gone."""


class DyingJournal:
    """A journal whose process dies before or after the n-th commit of a pass."""

    def __init__(self, journal: Journal, tick: Callable[[str], None], commits: Collection[str]) -> None:
        self._journal, self._tick, self._commits = journal, tick, commits

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._journal, name)
        if name not in self._commits:
            return method

        def commit(*arguments: Any, **named: Any) -> Any:
            self._tick(f"before {name}")
            result = method(*arguments, **named)
            self._tick(f"after {name}")
            return result

        return commit


class Fuse:
    """Counts steps, and burns through at one of them."""

    def __init__(self, burns_at: int | None, death: Callable[[], BaseException]) -> None:
        self.steps: list[str] = []
        self._burns_at, self._death = burns_at, death

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if len(self.steps) == self._burns_at:
            raise self._death()
