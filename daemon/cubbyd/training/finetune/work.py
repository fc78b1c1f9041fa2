"""The steps at the vendor: start, look, cancel, clean up. Each writes down what it is about to do, or has done."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from cubbyd.classify.hosted.tuning import Order, Seen, TuningClient
from cubbyd.clock import Clock
from cubbyd.errors import TuningError, TuningNotPermitted, TuningUnavailable
from cubbyd.training.finetune.lesson import Lesson, Taught
from cubbyd.training.finetune.record import NEVER_STARTED, ORDERED, PLANNED, Job, Records, Sweep

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.training")

UNDER_WAY_SECONDS: Final = 2.0
"""What was sent when somebody pressed Ctrl-C has its effect at the vendor by then, and is seen."""
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
        with self._records.starting() as is_ours:
            if not is_ours:
                raise TuningError("another `cubbyd finetune` is starting jobs with this state directory; wait until it is done")
            sweep = self._plan(wish, training, validation)
            try:
                self._upload(sweep, TRAINING_NAME, training, wish.keep_seconds)
                if validation is not None:
                    self._upload(self._newest(sweep), VALIDATION_NAME, validation, wish.keep_seconds)
                for job in sweep.jobs:
                    self._order(self._newest(sweep), job)
            except TuningError:
                self._give_up(self._newest(sweep))
                raise
            except KeyboardInterrupt:
                time.sleep(UNDER_WAY_SECONDS)
                self._give_up(self._newest(sweep))
                raise
            return self._newest(sweep)

    def look(self, sweep: Sweep, job: Job) -> Sweep:
        """Look at a job; where it succeeded, fetch its losses; once all are over, delete the files. Raises TuningError."""
        sweep = self._update(sweep, job, self._client.look(job.id)) if job.id else self._judge(sweep)
        return self._tidy(sweep, sweep.job(job.run))

    def cancel(self, sweep: Sweep, job: Job) -> Sweep:
        """Cancel a job, or find that it is over; once all are over, delete the files. Raises TuningError."""
        if not job.id:
            sweep = self._judge(sweep)
            job = sweep.job(job.run)
        if job.id:
            try:
                sweep = self._update(sweep, job, self._client.cancel(job.id))
            except (TuningUnavailable, TuningNotPermitted):
                raise
            except TuningError:  # it may have ended since somebody looked last
                sweep = self.look(sweep, job)
                if not sweep.job(job.run).is_over:
                    raise
        return self._tidy(sweep, sweep.job(job.run))

    def clean(self, sweep: Sweep) -> Sweep:
        """Delete what is still at the vendor, losses once they are here; what cannot be deleted now is tried again later.

        A sweep of which no job ever started is forgotten once nothing of it is left there.
        """
        for job in sweep.jobs:
            if job.result_files:
                sweep = self._fetch(sweep, job)
        if sweep.sending:
            sweep = self._find_sent(sweep)
        for file in sweep.undeleted:
            try:
                self._client.delete_file(file)
            except TuningError as error:
                log.warning("a file at the vendor could not be deleted", file=file, reason=str(error))
                continue
            left = tuple(other for other in sweep.undeleted if other != file)
            sweep = self._keep(sweep.model_copy(update={"undeleted": left}))
        if sweep.is_done and not any(job.id for job in sweep.jobs):
            self._records.forget(sweep.name)
        return sweep

    def _plan(self, wish: Wish, training: Lesson, validation: Lesson | None) -> Sweep:
        return self._keep(
            Sweep(
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
        )

    def _keep(self, sweep: Sweep) -> Sweep:
        self._records.keep(sweep)
        return sweep

    def _newest(self, sweep: Sweep) -> Sweep:
        return next((known for known in self._records.read() if known.name == sweep.name), sweep)

    def _upload(self, sweep: Sweep, name: str, lesson: Lesson, keep_seconds: int) -> None:
        content, sent_as = lesson.content, f"{sweep.name}-{name}"
        log.info("masked text leaves the building", file=sent_as, bytes=len(content), lines=len(lesson.lines))
        sweep = self._keep(sweep.model_copy(update={"sending": sent_as}))
        file = self._client.upload(sent_as, content, expires_seconds=keep_seconds)
        key = "training_file" if name == TRAINING_NAME else "validation_file"
        self._keep(sweep.model_copy(update={key: file, "sending": "", "undeleted": (*sweep.undeleted, file)}))

    def _order(self, sweep: Sweep, job: Job) -> None:
        order = Order(
            base=sweep.base,
            training_file=sweep.training_file,
            validation_file=sweep.validation_file or None,
            suffix=sweep.suffix,
            seed=sweep.seed,
            epochs=job.epochs,
            run=job.run,
        )
        ordered = job.model_copy(update={"status": ORDERED})
        self._update(self._keep(sweep.with_job(ordered)), ordered, self._client.create(order))

    def _give_up(self, sweep: Sweep) -> None:
        """Judge what was broken off; the files of jobs that did start stay until those are over."""
        try:
            sweep = self._judged(sweep)
        except TuningError as error:
            log.warning("it is not known whether a job was started", start=sweep.name, reason=str(error))
        if sweep.is_over:
            self.clean(sweep)

    def _judge(self, sweep: Sweep) -> Sweep:
        """Find out what became of jobs without an id, unless somebody is starting them at this moment."""
        with self._records.starting() as is_ours:
            return self._judged(self._newest(sweep)) if is_ours else sweep

    def _judged(self, sweep: Sweep) -> Sweep:
        """Look for jobs without an id at the vendor; those that were not asked for, or are not there, never started."""
        open_jobs = [job for job in sweep.jobs if not job.id and not job.is_over]
        for job in open_jobs:
            if job.status == PLANNED:
                sweep = self._keep(sweep.with_job(job.model_copy(update={"status": NEVER_STARTED})))
        ordered = [job for job in open_jobs if job.status == ORDERED]
        known = {seen.run: seen for seen in self._client.list_jobs()} if ordered else {}
        for job in ordered:
            if job.run in known:
                sweep = self._update(sweep, job, known[job.run])
            else:
                sweep = self._keep(sweep.with_job(job.model_copy(update={"status": NEVER_STARTED})))
        return sweep

    def _update(self, sweep: Sweep, job: Job, seen: Seen) -> Sweep:
        changed = sweep.with_job(job.updated(seen, self._clock.now()))
        return changed if changed == sweep else self._keep(changed)

    def _tidy(self, sweep: Sweep, job: Job) -> Sweep:
        if job.is_over and job.result_files:
            sweep = self._fetch(sweep, job)
        return self.clean(sweep) if sweep.is_over else sweep

    def _fetch(self, sweep: Sweep, job: Job) -> Sweep:
        """Keep the losses of a job on this machine, and have the vendor's copy deleted with the other files."""
        for file in job.result_files:
            if not self._records.result_file(job.id).exists():
                try:
                    self._records.keep_result(job.id, self._client.read_file(file))
                except TuningUnavailable as error:
                    log.warning("the losses could not be fetched", job=job.id, reason=str(error))
                    return sweep
                except TuningError as error:  # it is gone, or not for us: waiting does not help
                    log.warning("the losses are lost", job=job.id, reason=str(error))
        undeleted = tuple(dict.fromkeys((*sweep.undeleted, *job.result_files)))
        return self._keep(
            sweep.with_job(job.model_copy(update={"result_files": ()})).model_copy(update={"undeleted": undeleted})
        )

    def _find_sent(self, sweep: Sweep) -> Sweep:
        """Find the file whose upload was broken off, if the vendor has it."""
        try:
            found = self._client.find_files(sweep.sending)
        except TuningError as error:
            log.warning("it is not known whether a file is at the vendor", start=sweep.name, reason=str(error))
            return sweep
        return self._keep(sweep.model_copy(update={"sending": "", "undeleted": (*sweep.undeleted, *found)}))


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
