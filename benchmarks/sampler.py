"""Where the time of a pass goes: a sampling profiler that knows cubbyd's steps."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from itertools import chain
from types import FrameType
from typing import Final, Self

PACKAGE: Final = f"{files('cubbyd')}/"

SAMPLE_SECONDS: Final = 0.001

STEPS: Final = {
    "message/parser.py:parse": "parse",
    "message/render.py:render": "render",
    "message/identity.py:fingerprint": "fingerprint",
    "classify/local.py:classify": "classify",
    "mailbox/session.py:fetch": "fetch",
    "mailbox/session.py:move": "move",
    "mailbox/session.py": "other IMAP",
    "journal/journal.py": "journal",
    "filing/context.py:note": "log",
}
"""The step that a function of cubbyd belongs to, or else all of its file."""


class Sampler:
    """Looks at the main thread's stack a thousand times a second: it slows nothing down, and waiting counts as time."""

    def __init__(self) -> None:
        """Begin with no samples."""
        self.steps: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        """By function of cubbyd, what it calls included."""

    def __enter__(self) -> Self:
        """Begin to look; a timer of the system interrupts whatever runs (setitimer(2))."""
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, SAMPLE_SECONDS, SAMPLE_SECONDS)
        return self

    def __exit__(self, *error: object) -> None:
        """Stop looking."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _look(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (the signature is signal's)
        stack = []
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith(PACKAGE):
                stack.append(f"{code.co_filename.removeprefix(PACKAGE)}:{code.co_name}")
            frame = frame.f_back
        self.functions.update(set(stack))
        self.steps[_step(stack)] += 1


def _step(stack: Sequence[str]) -> str:
    """Find the step that a stack of functions, innermost first, belongs to."""
    named = (STEPS.get(function) for function in stack)
    filed = (STEPS.get(function.partition(":")[0]) for function in stack)
    return next((step for step in chain(named, filed) if step), "other")
