"""An office that files and is watched every five minutes, and staff who drag mail about."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tests.mail import RECEIVED, mail
from tests.rig import Office, rules

from cubbyd.journal.store import DATABASE_NAME
from cubbyd.testing import FakeMessage, FakeServer, HandClock

FIVE_MINUTES = 300


class Day:
    """An office, and its staff."""

    def __init__(self, folder: Path, *subjects: str, first: bool = True, **how: object) -> None:
        self.clock, self.server = HandClock(), FakeServer()
        for name in ("Absence", "Billing", "Meals", "Review"):
            self.server.create(name)
        made = rules(review="Review")
        self.office = Office(
            state=folder / "state",
            connect=self.server.connect,
            clock=self.clock,
            rules=replace(made, **how),  # type: ignore[arg-type]
        )
        for number, subject in enumerate(subjects):
            self.server.deliver(mail(subject, number=number), RECEIVED)
        if first:
            self.office.run(watch=True)

    def drag(self, source: str, target: str) -> None:
        self.server.drag(max(self.server.folders[source].mails), source, target)

    def copy(self, source: str, target: str) -> FakeMessage:
        original = self.server.folders[source].mails[max(self.server.folders[source].mails)]
        self.server.folders[target].add(FakeMessage(original.raw, original.received_at))
        return original

    def state(self, statement: str) -> None:
        with closing(sqlite3.connect(self.office.state / DATABASE_NAME)) as state, state:
            state.execute(statement)

    def forget(self, table: str) -> None:
        self.state(f"DELETE FROM {table}")

    def passes(self, count: int = 4) -> list[tuple[str | None, str | None]]:
        for _ in range(count):
            self.clock.advance(FIVE_MINUTES)
            self.office.run(watch=True)
        return self.office.moved_by_people()
