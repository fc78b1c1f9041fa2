"""A small facility for tests of filing: three categories, a classifier that reads the subject, and one filer's parts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cubbyd.classify.protocol import Classifier
from cubbyd.clock import Clock
from cubbyd.config import Backlog, Labels
from cubbyd.errors import ClassifierError
from cubbyd.filing import Filer, PassReport, Rules
from cubbyd.journal import Journal, Record, open_database
from cubbyd.journal.store import DATABASE_NAME
from cubbyd.mailbox import Mailbox
from cubbyd.taxonomy import Category, CategoryId, Taxonomy
from cubbyd.testing import HandClock, WordClassifier

WORDS: dict[str, str | ClassifierError] = {"ill": "absence", "invoice": "billing", "milk": "meals"}
FOLDERS = {"absence": "Absence", "billing": "Billing", "meals": "Meals"}
TAXONOMY = Taxonomy(
    tuple(
        Category(
            id=CategoryId(name),
            code=code,
            name=name.title(),
            description="",
            folder=folder,
            keyword=f"cubbyd-{name}",
        )
        for code, (name, folder) in enumerate(FOLDERS.items(), start=1)
    )
)


def rules(
    *,
    move: bool = True,
    label: bool = False,
    observe: bool = False,
    review: str | None = None,
    attempts: int = 3,
    labels: Labels = Labels.ONE,
    backlog: Backlog | int = Backlog.FILE,
) -> Rules:
    return Rules(
        taxonomy=TAXONOMY,
        threshold=0.6,
        attempts=attempts,
        observe=observe,
        move=move,
        label=label,
        review_folder=review,
        labels=labels,
        backlog=backlog,
    )


def words_classifier(**more: str | ClassifierError) -> WordClassifier:
    return WordClassifier(FOLDERS, {**WORDS, **more})


@cache
def empty_state() -> bytes:
    """The state file as it is first made, which takes a while; hundreds of tests begin with one."""
    with tempfile.TemporaryDirectory() as folder:
        open_database(Path(folder)).dispose()
        return (Path(folder) / DATABASE_NAME).read_bytes()


def once(*, is_due: bool) -> Callable[[], bool]:
    """Say the first time alone whether something is due."""
    answers = iter([is_due])
    return lambda: next(answers, False)


@dataclass(slots=True, kw_only=True)
class Office:
    """One mailbox's filer with everything that it works with."""

    state: Path
    connect: Callable[[], Mailbox]
    rules: Rules = field(default_factory=rules)
    classifier: Classifier = field(default_factory=words_classifier)
    clock: Clock = field(default_factory=HandClock)
    should_stop: Callable[[], bool] = lambda: False

    def journal(self) -> Journal:
        self.state.mkdir(exist_ok=True)
        if not (self.state / DATABASE_NAME).exists():
            (self.state / DATABASE_NAME).write_bytes(empty_state())
        return Journal(open_database(self.state))

    def filer(self, journal: Journal) -> Filer:
        return Filer(
            name="office",
            inbox="INBOX",
            rules=self.rules,
            journal=journal,
            classifier=self.classifier,
            clock=self.clock,
            should_stop=self.should_stop,
        )

    def run(
        self,
        *,
        full_scan: bool = False,
        watch: bool = False,
        wrap: Callable[[Journal], Journal] = lambda journal: journal,
    ) -> PassReport:
        """One pass on a connection of its own."""
        journal, mailbox = self.journal(), self.connect()
        try:
            return self.filer(wrap(journal)).run(mailbox, full_scan=full_scan, watch=once(is_due=watch))
        finally:
            mailbox.close()
            journal.close()

    def moved_by_people(self) -> list[tuple[str | None, str | None]]:
        """From which category to which, in order."""
        journal = self.journal()
        try:
            last = datetime.max.replace(tzinfo=UTC)
            return [(one.was, one.category) for one in journal.sightings.accepted("office", last.replace(year=1), last)]
        finally:
            journal.close()

    def records(self) -> list[Record]:
        journal = self.journal()
        try:
            return sorted(journal.history(limit=100_000), key=lambda record: record.id)
        finally:
            journal.close()
