"""A small office that is filed and measured as the daemon does it, and what a lookout may see."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from tests.mail import mail
from tests.rig import Office, rules, words_classifier
from tests.unit.configuration import load

from cubbyd.filing import Filer, PassReport
from cubbyd.journal import Ends, Journal
from cubbyd.service.health import Trouble
from cubbyd.service.lookout import FRESH_SECONDS, Lookout, Sight, Survey
from cubbyd.service.meter import Meter
from cubbyd.service.observer import ObservedClassifier
from cubbyd.service.view import MailboxView
from cubbyd.service.worker import Worker
from cubbyd.testing import FakeServer, HandClock, WordClassifier

Samples = dict[tuple[str, ...], float]

NOTHING = Ends(filed={}, held={}, taken_by_people=0, taken_back=0, urgent=0)
STOPPED = Trouble(has_stopped=True, since=None, what="Connection refused", way_out="")
WAITS = Trouble(has_stopped=False, since=None, what="a mail waits", way_out="")


@dataclass(slots=True)
class Watched:
    """A small office that is filed and measured, as the daemon does it."""

    folder: Path
    classifier: WordClassifier = field(default_factory=words_classifier)
    clock: HandClock = field(default_factory=HandClock)
    server: FakeServer = field(default_factory=FakeServer)
    meter: Meter = field(init=False)
    lookout: Lookout = field(init=False)
    office: Office = field(init=False)
    journal: Journal = field(init=False)
    expiries: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.office = Office(
            state=self.folder / "state", connect=self.server.connect, clock=self.clock, rules=rules(attempts=1)
        )
        more = '[[categories]]\nid = "meals"\ncode = 3\nname = "Meals"'
        config = load(self.folder / "cubbyd.toml", '[state]\ndirectory = "state"', second=more)
        self.journal = self.office.journal()
        self.lookout = Lookout(config, self.clock)
        self.meter = Meter(self.lookout, self.clock, lambda: self.expiries)

    def deliver(self, *subjects: str, ago: timedelta = timedelta(seconds=40)) -> None:
        for number, subject in enumerate(subjects):
            self.server.deliver(mail(subject, number=number), self.clock.now() - ago)

    def passes(self) -> PassReport:
        """One pass by the worker, as in the daemon."""
        filer = Filer(
            name="office",
            inbox="INBOX",
            rules=self.office.rules,
            journal=self.journal,
            classifier=ObservedClassifier(self.classifier, self.meter, self.clock),
            clock=self.clock,
            noted=lambda record, to, is_old: self.meter.mail_became("office", record, to, is_old=is_old),
            moved=partial(self.meter.mail_moved, "office"),
        )
        worker = Worker(
            name="office",
            open_mailbox=self.server.connect,
            filer=filer,
            journal=self.journal,
            clock=self.clock,
            observer=self.meter,
        )
        try:
            return worker.run_pass()
        finally:
            self.clock.advance(FRESH_SECONDS + 1)

    def samples(self) -> Samples:
        return samples_of(self.meter.exposition().decode())


def samples_of(text: str) -> Samples:
    """What is exposed: names, and the values of the labels in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def seen(*troubles: Trouble | None, clock: HandClock) -> Survey:
    """All mailboxes, of which something happened to a mail just now."""
    view = MailboxView(
        name="office",
        counts={},
        outcome=None,
        oldest_unfiled=None,
        last_change=clock.now(),
        mark=None,
        trouble=None,
        first_sign=None,
    )
    sights = tuple(Sight(view=replace(view, trouble=trouble), today=NOTHING, snags=()) for trouble in troubles)
    return Survey(taken_at=clock.now(), sights=sights)
