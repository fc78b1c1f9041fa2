"""What was started at the vendor, in one file of the state directory, so that a watch that was broken off goes on.

What is uploaded is written down before a job is started, and a job before it is watched: whatever happens in between, the next
command knows which files are still to be deleted. The file holds no text of a mail; digests of texts are in it, by which a test
set is kept apart from what was learned.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cubbyd.classify.hosted.tuning import ENDED, Seen
from cubbyd.errors import StateError
from cubbyd.training.finetune.lesson import Taught

FILE_NAME: Final = "finetune.json"
FOLDER_NAME: Final = "finetune"
"""Of the result files that were fetched."""
PLANNED: Final = "planned"
"""Not asked for yet."""
ORDERED: Final = "ordered"
"""Asked for; whether the vendor has it is not known."""
NEVER_STARTED: Final = "never started"
WRITE_LOCK: Final = ".lock"
"""It is held for moments."""
START_LOCK: Final = ".start.lock"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Job(_Value):
    """One job."""

    run: str
    """Its random name, which it had before it had an id."""
    id: str = ""
    epochs: int | None = None
    status: str = PLANNED
    model: str = ""
    error_code: str = ""
    running_since: datetime | None = None
    batch_size: int | None = None
    finish: int | None = None
    """When the vendor expects it to end, in Unix time."""
    result_files: tuple[str, ...] = ()
    """At the vendor."""

    @property
    def is_over(self) -> bool:
        """Tell whether nothing changes any more."""
        return self.status in ENDED or self.status == NEVER_STARTED

    def updated(self, seen: Seen, now: datetime) -> Job:
        """Give the job as the vendor tells of it now."""
        since = self.running_since or (now if seen.status == "running" else None)
        changes: dict[str, object] = {"id": seen.id, "status": seen.status, "model": seen.model, "error_code": seen.error_code}
        changes |= {"batch_size": seen.batch_size, "finish": seen.estimated_finish}
        epochs = {"epochs": self.epochs if seen.epochs is None else seen.epochs}
        return self.model_copy(update=changes | epochs | {"running_since": since, "result_files": seen.result_files})


class Sweep(_Value):
    """One training file, and the jobs that learn it."""

    name: str
    created: datetime
    base_url: str
    base: str
    taught: Taught
    suffix: str
    seed: int
    lines: int
    fingerprint: str
    """Of the way in which the model must be asked (Teacher.fingerprint)."""
    data_sha256: str
    seen: tuple[str, ...]
    """Digests of the texts that were learned or validated on."""
    training_file: str = ""
    validation_file: str = ""
    undeleted: tuple[str, ...] = ()
    """Files that are still at the vendor."""
    sending: str = ""
    """The name of a file that may be at the vendor without our knowing its id."""
    jobs: tuple[Job, ...] = ()

    @property
    def is_over(self) -> bool:
        """Tell whether every job has ended."""
        return all(job.is_over for job in self.jobs)

    @property
    def is_done(self) -> bool:
        """Tell whether nothing of it is left at the vendor but the models."""
        return self.is_over and not self.left_behind and not self.sending

    @property
    def left_behind(self) -> tuple[str, ...]:
        """All files at the vendor: those that were sent, and the losses of jobs that are over and were not fetched yet."""
        return (*self.undeleted, *(file for job in self.jobs for file in job.result_files))

    def job(self, run: str) -> Job:
        """Give a job by its random name."""
        return next(job for job in self.jobs if job.run == run)

    def with_job(self, job: Job) -> Sweep:
        """Give the sweep with a newer state of one of its jobs."""
        jobs = tuple(job if known.run == job.run else known for known in self.jobs)
        return self.model_copy(update={"jobs": jobs})


class _Stored(_Value):
    format: Literal["cubbyd finetune 1"] = "cubbyd finetune 1"
    sweeps: tuple[Sweep, ...] = ()


class Records:
    """All sweeps of one state directory, oldest first."""

    def __init__(self, directory: Path) -> None:
        """Take the state directory; nothing is made before there is something to keep."""
        self._directory = directory
        self.file = directory / FILE_NAME

    def read(self) -> tuple[Sweep, ...]:
        """Read all. Raises StateError where the file is damaged."""
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise StateError(f"{self.file} cannot be read: {error}") from error
        try:
            return _Stored.model_validate_json(text).sweeps
        except ValidationError as error:
            raise StateError(
                f"{self.file} is damaged, or of another version of cubbyd; move it away. The vendor lists its jobs and files, "
                "and deletes the files by itself when they expire"
            ) from error

    @contextmanager
    def starting(self) -> Iterator[bool]:
        """Hold the right to start jobs, and to judge those whose start was broken off; False where another process has it."""
        with self._locked(START_LOCK, wait=False) as is_ours:
            yield is_ours

    def keep(self, sweep: Sweep) -> None:
        """Write a sweep, in the place of an older state of it. Raises StateError."""
        with self._locked(WRITE_LOCK):
            sweeps = self.read()
            is_known = any(known.name == sweep.name for known in sweeps)
            changed = tuple(sweep if known.name == sweep.name else known for known in sweeps)
            self._write(_Stored(sweeps=changed if is_known else (*sweeps, sweep)))

    def forget(self, name: str) -> None:
        """Strike out a sweep of which nothing came. Raises StateError."""
        with self._locked(WRITE_LOCK):
            self._write(_Stored(sweeps=tuple(known for known in self.read() if known.name != name)))

    def result_file(self, job: str) -> Path:
        """Name the file that a job's losses are kept in."""
        return self._directory / FOLDER_NAME / f"{job}.csv"

    def keep_result(self, job: str, content: bytes) -> Path:
        """Keep a job's result file."""
        file = self.result_file(job)
        self._replace(file, content)
        return file

    @contextmanager
    def _locked(self, suffix: str, *, wait: bool = True) -> Iterator[bool]:
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.file.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{self.file} cannot be written: {error.strerror}") from error
        try:
            yield _lock(descriptor, wait=wait)
        finally:
            os.close(descriptor)

    def _write(self, stored: _Stored) -> None:
        self._replace(self.file, stored.model_dump_json(indent=1).encode())

    def _replace(self, file: Path, content: bytes) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = file.with_name(file.name + ".new")
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(file)
        except OSError as error:
            raise StateError(f"{file} cannot be written: {error.strerror}") from error


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Lock a file, which closing it ends; give whether it is ours."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
