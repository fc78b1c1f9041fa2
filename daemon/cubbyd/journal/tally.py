"""Questions of reports to the state file: how many mails had which end in a time, what they cost, which errors are on record.

Nothing here changes anything. As the journal does, it names no mail but by its UID.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cubbyd.journal.schema import in_mailbox, message, sighting
from cubbyd.lifecycle import TAKEN_BACK, TOUCHED_BY_PEOPLE, UNFILED, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Mails that people moved from one category to another."""

    was: str | None
    """None: held for people."""
    category: str | None
    """None: the folder for unsure mail. Where it is what it was, a person chose as cubbyd would have."""
    mails: int

    @property
    def is_correction(self) -> bool:
        """Tell whether cubbyd was wrong, or unsure."""
        return self.was != self.category


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What became of the mail of one mailbox in a time."""

    filed: Mapping[str, int]
    """Filed mails by category."""
    held: Mapping[str, int]
    """Mails left to people, by the reason on record."""
    taken_by_people: int
    """Moved or deleted by a person before cubbyd could."""
    taken_back: int
    """Brought back to the inbox by an undo."""
    urgent: int
    """Mails that came in this time and that a person should have looked at soon."""
    moves: Sequence[Moves] = ()
    """What people moved, the most first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expense:
    """What the answers took for the mail that came in a time."""

    answers: int
    tokens: int
    money: float
    """In the currency of the backend's price list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snag:
    """A mail that is not filed, and why."""

    uid: int
    state: State
    since: datetime
    error: str


class Tally:
    """Counts what is on record."""

    def __init__(self, engine: sa.Engine) -> None:
        """Read an opened database (see store.open_database)."""
        self._engine = engine

    def ends(self, mailbox: str, since: datetime, until: datetime) -> Ends:
        """Count by what became of mail in [since, until)."""
        here = _of(mailbox, since)
        settled = sa.func.coalesce(message.c.filed_at, message.c.changed_at, type_=message.c.changed_at.type)
        then = settled >= since, settled < until
        changed = message.c.changed_at < until
        came = message.c.seen_at >= since, message.c.seen_at < until
        return Ends(
            filed=self._by(message.c.category, here, message.c.state == State.FILED, *then),
            held=self._by(message.c.hold, here, message.c.state == State.HELD, *then),
            taken_by_people=self._count(here, message.c.state.in_(TOUCHED_BY_PEOPLE), changed),
            taken_back=self._count(here, message.c.state.in_(TAKEN_BACK), changed),
            urgent=self._count(here, message.c.urgent.is_not(None), message.c.urgent != "", *came),
            moves=tuple(self.moves(mailbox, since, until)),
        )

    def moves(self, mailbox: str, since: datetime, until: datetime) -> list[Moves]:
        """Count what people moved in [since, until) by what it was and became, the most first."""
        number = sa.func.count()
        query = (
            sa.select(sighting.c.was, sighting.c.category, number)
            .where(sighting.c.mailbox == mailbox, sighting.c.accepted_at >= since, sighting.c.accepted_at < until)
            .group_by(sighting.c.was, sighting.c.category)
            .order_by(number.desc(), sighting.c.was, sighting.c.category)
        )
        with self._engine.connect() as connection:
            return [Moves(was=was, category=category, mails=mails) for was, category, mails in connection.execute(query).all()]

    def expense(self, mailbox: str, since: datetime, until: datetime) -> Expense:
        """Add up what was paid for the mail that was found in [since, until): each mail counts once, whatever became of it."""
        cost = message.c.prediction["cost"]
        tokens = cost["input_tokens"].as_integer() + cost["output_tokens"].as_integer()
        query = sa.select(sa.func.count(), sa.func.sum(tokens), sa.func.sum(cost["money"].as_float())).where(
            _of(mailbox, since),
            message.c.seen_at >= since,
            message.c.seen_at < until,
            cost["money"].as_float().is_not(None),
        )
        with self._engine.connect() as connection:
            answers, tokens_sum, money = connection.execute(query).one()
        return Expense(answers=answers, tokens=int(tokens_sum or 0), money=float(money or 0.0))

    def snags(self, mailbox: str, limit: int) -> list[Snag]:
        """Give the mails that are not filed and have an error on record, the newest first."""
        query = (
            sa.select(message.c.uid, message.c.state, message.c.changed_at, message.c.error)
            .where(message.c.mailbox == mailbox, message.c.state.in_(UNFILED), message.c.error.is_not(None))
            .order_by(message.c.changed_at.desc(), message.c.id.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [
                Snag(uid=row.uid, state=State(row.state), since=row.changed_at, error=row.error)
                for row in connection.execute(query)
            ]

    def held_in_inbox(self, mailbox: str) -> int:
        """Count the mails that were left to people in the inbox and have not been seen to leave it."""
        return self._count(
            message.c.mailbox == mailbox,
            message.c.state == State.HELD,
            message.c.target_folder.is_(None),
            message.c.left_at.is_(None),
        )

    def _by(self, column: sa.Column[str], *conditions: sa.ColumnElement[bool]) -> dict[str, int]:
        number = sa.func.count()
        query = sa.select(column, number).where(*conditions).group_by(column).order_by(number.desc(), column)
        with self._engine.connect() as connection:
            return {value or "": count for value, count in connection.execute(query).all()}

    def _count(self, *conditions: sa.ColumnElement[bool]) -> int:
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(message).where(*conditions)) or 0


def _of(mailbox: str, since: datetime) -> sa.ColumnElement[bool]:
    """Look at what has changed since then: what was seen, filed or held then has. See `in_mailbox`."""
    return sa.and_(in_mailbox(mailbox), message.c.changed_at >= since)
