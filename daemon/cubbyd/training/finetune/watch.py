"""Watching jobs: one look after the other, seldom where nothing changes, and through a vendor's bad minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cubbyd.classify.hosted.tuning import TuningClient
from cubbyd.clock import Clock
from cubbyd.errors import TuningUnavailable
from cubbyd.training.finetune.record import Job, Sweep
from cubbyd.training.finetune.work import Work, minutes_left, steps_of

LONGEST_WAIT: Final = 60.0
GROWTH: Final = 1.5
MOST_FAILURES: Final = 8
"""In a row, until a watch gives up; the jobs go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is known of a job at one moment."""

    job: str
    epochs: int | None
    status: str
    step: int | None = None
    steps: int | None = None
    train_loss: float | None = None
    valid_loss: float | None = None
    minutes_left: float | None = None
    model: str = ""
    error_code: str = ""


class Tell(Protocol):
    """Is told how jobs are doing, and of trouble."""

    def progress(self, progress: Progress) -> None:
        """Take a job's state."""
        ...

    def trouble(self, reason: str, wait_seconds: float) -> None:
        """Take why a look failed, and when the next one is."""
        ...


class Watch:
    """Watches the jobs of one sweep to their end."""

    def __init__(
        self, client: TuningClient, work: Work, clock: Clock, tell: Tell, *, first: float, sleep: Callable[[float], None]
    ) -> None:
        """Take the connection, whom to tell, and the seconds between the first two looks."""
        self._client, self._work, self._clock, self._tell = client, work, clock, tell
        self._first, self._sleep = first, sleep

    def follow(self, sweep: Sweep) -> Sweep:
        """Look until every job is over; give the last state. Raises TuningError and its kinds."""
        wait, failures = self._first, 0
        while True:
            before = [(job.status, job.model) for job in sweep.jobs]
            try:
                sweep = self._round(sweep)
                failures = 0
            except TuningUnavailable as error:
                failures += 1
                if failures >= MOST_FAILURES:
                    raise
                wait = min(max(error.retry_after_seconds or 0.0, wait * GROWTH), max(LONGEST_WAIT, self._first))
                self._tell.trouble(str(error), wait)
            else:
                if sweep.is_over:
                    return sweep
                is_changed = before != [(job.status, job.model) for job in sweep.jobs]
                wait = self._first if is_changed else min(wait * GROWTH, max(LONGEST_WAIT, self._first))
            self._sleep(wait)

    def _round(self, sweep: Sweep) -> Sweep:
        for job in sweep.jobs:
            if not job.is_over:
                sweep = self._work.look(sweep, job)
                newest = next(known for known in sweep.jobs if known.run == job.run)
                self._tell.progress(self._progress(sweep, newest))
        return self._work.clean(sweep) if sweep.is_over else sweep

    def _progress(self, sweep: Sweep, job: Job) -> Progress:
        step = self._client.last_step(job.id) if job.status in {"running", "succeeded"} else None
        number = step.number if step else None
        return Progress(
            job=job.id,
            epochs=job.epochs,
            status=job.status,
            step=number,
            steps=steps_of(sweep, job),
            train_loss=step.train_loss if step else None,
            valid_loss=step.valid_loss if step else None,
            minutes_left=minutes_left(sweep, job, number, self._clock.now()),
            model=job.model,
            error_code=job.error_code,
        )
