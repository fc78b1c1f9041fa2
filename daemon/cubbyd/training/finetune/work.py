"""The steps at the vendor: start, look, cancel, clean up. Each writes down what it is about to do, or has done."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from cubbyd.classify.hosted.tuning import Order, Seen, TuningClient
from cubbyd.clock import Clock
from cubbyd.errors import TuningError
from cubbyd.training.finetune.lesson import Lesson, Taught
from cubbyd.training.finetune.record import Job, Records, Sweep

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.training")

NEVER_STARTED: Final = "never started"
TRAINING_NAME: Final = "training.jsonl"
VALIDATION_NAME: Final = "validation.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be trained."""

    base_url: str
    base: str
    taught: Taught
    suffix: str
    seed: int
    epochs: tuple[int | None, ...]
    """A job for each."""
    keep_seconds: int
    """After so long the vendor deletes the files by itself."""
    fingerprint: str
    data_sha256: str


class Work:
    """What can be done with one vendor's files and jobs."""

    def __init__(self, client: TuningClient, records: Records, clock: Clock) -> None:
        """Take the connection and the record."""
        self._client, self._records, self._clock = client, records, clock

    def start(self, wish: Wish, training: Lesson, validation: Lesson | None) -> Sweep:
        """Upload the files and start the jobs; what was uploaded is deleted again where none can be started.

        Raises TuningError and its kinds, StateError.
        """
        sweep = Sweep(
            name=secrets.token_hex(3),
            created=self._clock.now(),
            base_url=wish.base_url,
            base=wish.base,
            taught=wish.taught,
            suffix=wish.suffix,
            seed=wish.seed,
            lines=len(training.lines),
            fingerprint=wish.fingerprint,
            data_sha256=wish.data_sha256,
            seen=tuple(dict.fromkeys((*training.texts, *(validation.texts if validation else ())))),
            jobs=tuple(Job(run=secrets.token_hex(8), epochs=epochs) for epochs in wish.epochs),
        )
        self._records.keep(sweep)
        try:
            sweep = self._upload(sweep, TRAINING_NAME, training, wish.keep_seconds)
            if validation is not None:
                sweep = self._upload(sweep, VALIDATION_NAME, validation, wish.keep_seconds)
            for job in sweep.jobs:
                sweep = self._order(sweep, job)
        except (TuningError, KeyboardInterrupt):
            self._give_up(self._newest(sweep))
            raise
        return sweep

    def look(self, sweep: Sweep, job: Job) -> Sweep:
        """Look at a job; where it succeeded, fetch its losses; once all are over, delete the files."""
        if not job.id:
            return sweep
        sweep = self._update(sweep, job, self._client.look(job.id))
        job = next(known for known in sweep.jobs if known.run == job.run)
        if job.is_over:
            sweep = self._fetch(sweep, job)
        return self.clean(sweep) if sweep.is_over else sweep

    def cancel(self, sweep: Sweep, job: Job) -> Sweep:
        """Cancel a job; once all are over, delete the files."""
        sweep = self._update(sweep, job, self._client.cancel(job.id))
        return self.clean(sweep) if sweep.is_over else sweep

    def clean(self, sweep: Sweep) -> Sweep:
        """Delete what is still at the vendor; what cannot be deleted now is kept in mind, and tried again later."""
        for file in sweep.undeleted:
            try:
                self._client.delete_file(file)
            except TuningError as error:
                log.warning("a file at the vendor could not be deleted", file=file, reason=str(error))
                continue
            sweep = sweep.model_copy(update={"undeleted": tuple(left for left in sweep.undeleted if left != file)})
            self._records.keep(sweep)
        return sweep

    def _newest(self, sweep: Sweep) -> Sweep:
        return next(known for known in self._records.read() if known.name == sweep.name)

    def _upload(self, sweep: Sweep, name: str, lesson: Lesson, keep_seconds: int) -> Sweep:
        content = lesson.content
        log.info("masked text leaves the building", file=name, bytes=len(content), lines=len(lesson.lines))
        file = self._client.upload(name, content, expires_seconds=keep_seconds)
        key = "training_file" if name == TRAINING_NAME else "validation_file"
        sweep = sweep.model_copy(update={key: file, "undeleted": (*sweep.undeleted, file)})
        self._records.keep(sweep)
        return sweep

    def _order(self, sweep: Sweep, job: Job) -> Sweep:
        order = Order(
            base=sweep.base,
            training_file=sweep.training_file,
            validation_file=sweep.validation_file or None,
            suffix=sweep.suffix,
            seed=sweep.seed,
            epochs=job.epochs,
            run=job.run,
        )
        return self._update(sweep, job, self._client.create(order))

    def _give_up(self, sweep: Sweep) -> None:
        """Note the jobs that do not start any more; the files of those that did stay until they are over."""
        for job in sweep.jobs:
            if not job.id:
                sweep = sweep.with_job(job.model_copy(update={"status": NEVER_STARTED}))
        self._records.keep(sweep)
        if sweep.is_over:
            self.clean(sweep)

    def _update(self, sweep: Sweep, job: Job, seen: Seen) -> Sweep:
        changed = sweep.with_job(job.updated(seen, self._clock.now()))
        if changed != sweep:
            self._records.keep(changed)
        return changed

    def _fetch(self, sweep: Sweep, job: Job) -> Sweep:
        """Keep the losses of a job on this machine, and have the vendor's copy deleted with the other files."""
        for file in job.result_files:
            if not self._records.result_file(job.id).exists():
                try:
                    self._records.keep_result(job.id, self._client.read_file(file))
                except TuningError as error:
                    log.warning("the losses could not be fetched", job=job.id, reason=str(error))
                    return sweep
        done = job.model_copy(update={"result_files": ()})
        undeleted = tuple(dict.fromkeys((*sweep.undeleted, *job.result_files)))
        sweep = sweep.with_job(done).model_copy(update={"undeleted": undeleted})
        self._records.keep(sweep)
        return sweep


def minutes_left(sweep: Sweep, job: Job, step: int | None, now: datetime) -> float | None:
    """Estimate the minutes until a job ends: as the vendor says, else from the pace of its steps; None where nobody knows."""
    if job.is_over:
        return None
    if job.finish is not None:
        return max(0.0, job.finish - now.timestamp()) / 60
    total = steps_of(sweep, job)
    if not step or total is None or job.running_since is None or step >= total:
        return None
    return (now - job.running_since).total_seconds() * (total - step) / step / 60


def steps_of(sweep: Sweep, job: Job) -> int | None:
    """Give how many steps a job has in all; None where the vendor has not chosen yet."""
    if not job.epochs or not job.batch_size:
        return None
    return job.epochs * -(-sweep.lines // job.batch_size)


def find_jobs(sweeps: Sequence[Sweep], wanted: Sequence[str]) -> list[tuple[Sweep, Job]]:
    """Find jobs by their ids, or by the name of their sweep; without any, those of the newest sweep. Raises TuningError."""
    if not sweeps:
        raise TuningError("nothing was started from this state directory yet; begin with: cubbyd finetune start")
    if not wanted:
        return [(sweeps[-1], job) for job in sweeps[-1].jobs]
    found = []
    for name in wanted:
        matches = [(sweep, job) for sweep in sweeps for job in sweep.jobs if name in {sweep.name, job.id}]
        if not matches:
            raise TuningError(f"{name!r} is no job that was started here; see: cubbyd finetune list")
        found += matches
    return list(dict.fromkeys(found))
