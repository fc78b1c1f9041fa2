"""Labeled mail to fine-tune on, and the steps at a stand-in vendor without the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.hosted import configure

from cubbyd.classify.hosted.tuning import TuningClient, open_tuning
from cubbyd.clock import SystemClock
from cubbyd.config import Config
from cubbyd.dataset import Example
from cubbyd.standin import Standin
from cubbyd.taxonomy import CategoryId
from cubbyd.training.finetune.lesson import Lesson, Taught, Teacher
from cubbyd.training.finetune.record import Job, Records, Sweep
from cubbyd.training.finetune.watch import Progress, Watch
from cubbyd.training.finetune.work import Wish, Work

BASE = "gpt-4o-mini-2024-07-18"
NAMES = ("Emma", "Noah", "Mia", "Leo", "Ava", "Ben", "Zoe", "Max")
TEXTS = {
    "absence": (
        "{} is ill today",
        "{} has a fever and stays home",
        "no daycare for {} tomorrow, she is sick",
        "{} is sick again",
    ),
    "billing": ("the invoice for {} is wrong", "please send {}'s receipt", "tuition payment for {}", "the bill of {} is wrong"),
}


def write_mails(file: Path, greeting: str, names: tuple[str, ...] = NAMES) -> Path:
    """Write four texts of each category for each name; another greeting makes other mails."""
    lines = [
        json.dumps({"subject": text.format(name), "body": f"{greeting} {text.format(name)}. Thank you", "label": label})
        for label, texts in TEXTS.items()
        for text in texts
        for name in names
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def examples(greeting: str = "Hello,", names: tuple[str, ...] = ("Emma", "Noah")) -> list[Example]:
    """Make 16 examples, or as many as names say."""
    return [
        Example(subject=text.format(name), body=f"{greeting} {text.format(name)}", labels=(CategoryId(label),), line=line)
        for line, (label, text, name) in enumerate(
            ((label, text, name) for label, texts in TEXTS.items() for text in texts for name in names), start=1
        )
    ]


def lesson(config: Config, *given: Example, taught: Taught = Taught.CODE) -> Lesson:
    """Make training lines of examples."""
    return Teacher(config, taught).teach(given or examples())


@dataclass
class Told:
    """Whoever is told how jobs are doing."""

    progresses: list[Progress] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def progress(self, progress: Progress) -> None:
        self.progresses.append(progress)

    def trouble(self, reason: str, wait_seconds: float) -> None:
        assert wait_seconds > 0
        self.troubles.append(reason)

    @property
    def states(self) -> list[str]:
        """The states in order, each once."""
        return list(dict.fromkeys(one.status for one in self.progresses))


@dataclass
class Vendor:
    """A state directory, a stand-in, and the steps between them."""

    config: Config
    client: TuningClient
    standin: Standin
    told: Told = field(default_factory=Told)

    @property
    def records(self) -> Records:
        return Records(self.config.state.directory)

    @property
    def work(self) -> Work:
        return Work(self.client, self.records, SystemClock())

    def start(self, *epochs: int | None, validation: Lesson | None = None, training: Lesson | None = None) -> Sweep:
        """Start a job for each number of epochs."""
        wish = Wish(
            base_url=self.standin.base_url,
            base=BASE,
            taught=Taught.CODE,
            suffix="cubbyd",
            seed=7,
            epochs=epochs or (2,),
            keep_seconds=86_400,
            fingerprint="f",
            data_sha256="d",
        )
        return self.work.start(wish, training or lesson(self.config), validation)

    def follow(self, sweep: Sweep) -> Sweep:
        """Watch to the end, without waiting."""
        watch = Watch(self.client, self.work, SystemClock(), self.told, first=1.0, sleep=self.told.waits.append)
        return watch.follow(sweep)

    def kept(self) -> Sweep:
        """Give the only sweep, as another process would read it."""
        (sweep,) = self.records.read()
        return sweep

    def job(self) -> Job:
        """Give its only job."""
        (job,) = self.kept().jobs
        return job


@contextmanager
def opened_vendor(folder: Path, standin: Standin) -> Iterator[Vendor]:
    """Connect a fresh state directory to the stand-in."""
    config = configure(folder, standin.base_url)
    client = open_tuning(config)
    try:
        yield Vendor(config, client, standin)
    finally:
        client.close()
