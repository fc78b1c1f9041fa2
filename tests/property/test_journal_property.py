"""Whatever is asked of the journal, in whatever order: a mail has exactly one row, and its state follows the table.

A model in memory says what must be on record; the journal works on a real SQLite file.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cubbyd.errors import IllegalTransition
from cubbyd.journal import Change, Journal, open_database
from cubbyd.journal.store import DATABASE_NAME
from cubbyd.lifecycle import TRANSITIONS, VOIDABLE, WAITING, State

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MAILBOX, FOLDER = "office", "INBOX"
UIDS = st.lists(st.integers(1, 12), max_size=5)
STATES = st.sampled_from(State)
PREDICTION = {"probabilities": {"billing": 1.0}}


class JournalMachine(RuleBasedStateMachine):
    """Finds mail, takes it through legal and illegal steps, renumbers the folder, and ends and begins the program."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="cubbyd-journal-")
        self.file = Path(self._directory.name) / DATABASE_NAME
        self.journal = Journal(open_database(self.file.parent))
        self.uidvalidity = 1
        self.now = NOW
        self.ids: dict[tuple[int, int], int] = {}  # UIDVALIDITY and UID to the row
        self.states: dict[int, State] = {}
        self.attempts: Counter[int] = Counter()
        self.decided: set[int] = set()

    def teardown(self) -> None:
        self.journal.close()
        self._directory.cleanup()

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def rows(self) -> list[Any]:
        with closing(sqlite3.connect(self.file)) as connection:
            query = "SELECT id, mailbox, folder, uidvalidity, uid, state, attempts FROM message"
            return connection.execute(query).fetchall()

    def chosen(self, data: st.DataObject, count: int) -> list[int]:
        known = sorted(self.states)
        return data.draw(st.lists(st.sampled_from(known), max_size=count, unique=True)) if known else []

    @initialize()
    def open(self) -> None:
        self.journal.open_folder(MAILBOX, FOLDER, self.uidvalidity, self.now)

    @rule(uids=UIDS)
    def scan(self, uids: list[int]) -> None:
        new = {uid for uid in uids if (self.uidvalidity, uid) not in self.ids}
        assert self.journal.record_scan(MAILBOX, FOLDER, self.uidvalidity, uids, self.tick()) == len(new)
        for id_, _, _, uidvalidity, uid, _, _ in self.rows():
            if (uidvalidity, uid) not in self.ids:
                self.ids[uidvalidity, uid] = id_
                self.states[id_] = State.SEEN

    @rule(data=st.data())
    def advance(self, data: st.DataObject) -> None:
        """Take some mails some steps at once, legal or not."""
        steps = {id_: data.draw(STATES) for id_ in self.chosen(data, 3)}
        if data.draw(st.integers(0, 3)):  # mostly what the table has, so that mail gets far
            steps = {
                id_: data.draw(st.sampled_from(sorted(TRANSITIONS[self.states[id_]]) or [to])) for id_, to in steps.items()
            }
        changes = [
            Change(id=id_, to=to, fields={"prediction": PREDICTION} if to is State.DECIDED else {}) for id_, to in steps.items()
        ]
        if all(to in TRANSITIONS[self.states[id_]] for id_, to in steps.items()):
            self.journal.advance(changes, self.tick())
            self.states |= steps
            self.decided |= {id_ for id_, to in steps.items() if to is State.DECIDED}
        else:
            before = self.rows()
            with pytest.raises(IllegalTransition):
                self.journal.advance(changes, self.tick())
            assert self.rows() == before

    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        ids = self.chosen(data, 3)
        if ids:
            self.journal.claim(ids, self.tick())
            self.attempts.update(ids)

    @rule(data=st.data(), refund=st.booleans())
    def postpone(self, data: st.DataObject, *, refund: bool) -> None:
        ids = self.chosen(data, 3)
        if ids:
            self.journal.postpone(ids, until=self.now, error="busy", refund=refund)
            for id_ in ids:
                if refund and self.states[id_] in WAITING:
                    self.attempts[id_] = max(self.attempts[id_] - 1, 0)

    @rule()
    def retry(self) -> None:
        quarantined = {id_ for id_, state in self.states.items() if state is State.QUARANTINED}
        assert self.journal.retry_quarantined(MAILBOX, self.tick()) == len(quarantined)
        for id_ in quarantined:
            self.states[id_] = State.DECIDED if id_ in self.decided else State.SEEN
            self.attempts[id_] = 0

    @rule()
    def renumber(self) -> None:
        self.uidvalidity += 1
        mark = self.journal.open_folder(MAILBOX, FOLDER, self.uidvalidity, self.tick())
        assert (mark.last_uid, mark.backlog_uid, mark.is_first_epoch) == (0, None, False)
        self.states |= {id_: State.VOID for id_, state in self.states.items() if state in VOIDABLE}

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal(open_database(self.file.parent))

    @invariant()
    def every_mail_has_one_row_and_the_state_that_the_table_allows(self) -> None:
        rows = self.rows()
        assert sorted((row[3], row[4]) for row in rows) == sorted(self.ids)
        assert {row[0]: (State(row[5]), row[6]) for row in rows} == {
            id_: (state, self.attempts[id_]) for id_, state in self.states.items()
        }

    @invariant()
    def the_journals_own_answers_agree(self) -> None:
        assert self.journal.counts(MAILBOX) == Counter(self.states.values())
        for state in WAITING:
            found = self.journal.waiting(MAILBOX, state, self.now, 1000)
            assert {record.id for record in found} == {id_ for id_, stands in self.states.items() if stands is state}
            assert [record.attempts for record in found] == sorted(record.attempts for record in found)

    @invariant()
    def the_watermark_is_the_highest_uid(self) -> None:
        highest = max((uid for uidvalidity, uid in self.ids if uidvalidity == self.uidvalidity), default=0)
        assert self.journal.open_folder(MAILBOX, FOLDER, self.uidvalidity, self.now).last_uid == highest


JournalMachine.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestJournal = JournalMachine.TestCase
