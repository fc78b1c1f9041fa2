"""Watching jobs: one look after the other, seldom where nothing changes, and through a vendor's bad minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cubbyd.classify.hosted.tuning import Step, TuningClient
from cubbyd.clock import Clock
from cubbyd.errors import TuningError, TuningUnavailable
from cubbyd.training.finetune.record import Job, Sweep
from cubbyd.training.finetune.work import Work, minutes_left, steps_of

LONGEST_WAIT: Final = 60.0
LONGEST_ASKED: Final = 900.0
"""A vendor may ask for a longer pause; a look every quarter of an hour is no burden."""
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
        for job in sweep.jobs:
            if job.is_over:
                self._tell.progress(self._progress(sweep, job, None))
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
                asked = min(error.retry_after_seconds or 0.0, LONGEST_ASKED)
                wait = max(asked, min(wait * GROWTH, max(LONGEST_WAIT, self._first)))
                self._tell.trouble(str(error), wait)
            else:
                if sweep.is_over:
                    return sweep
                is_changed = before != [(job.status, job.model) for job in sweep.jobs]
                wait = self._first if is_changed else min(wait * GROWTH, max(LONGEST_WAIT, self._first))
            self._sleep(wait)

    def _round(self, sweep: Sweep) -> Sweep:
        for job in sweep.jobs:
            if job.is_over:
                continue
            sweep = self._work.look(sweep, job)
            newest = sweep.job(job.run)
            self._tell.progress(self._progress(sweep, newest, self._last_step(newest)))
        return sweep if sweep.is_done or not sweep.is_over else self._work.clean(sweep)

    def _last_step(self, job: Job) -> Step | None:
        """Give the newest step, where there is one and the vendor tells of steps at all."""
        if job.status not in {"running", "succeeded"}:
            return None
        try:
            return self._client.last_step(job.id)
        except TuningUnavailable:
            raise
        except TuningError:
            return None

    def _progress(self, sweep: Sweep, job: Job, step: Step | None) -> Progress:
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
