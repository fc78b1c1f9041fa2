"""Where people put mail after it was decided: what was seen of it, and what it turned out to mean.

A sighting is a mail on record that lies in a folder into which cubbyd did not put it. It waits until it is accepted, as a
move, or dropped, as a copy or as a stop on the way to another folder. Each method is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from cubbyd.journal.schema import PARAMETERS_AT_ONCE, message, shelf, sighting
from cubbyd.message.identity import Fingerprint, MessageKey

_ACCEPT = (
    sighting.update()
    .where(sighting.c.id == sa.bindparam("row"))
    .values(record_id=sa.bindparam("mail"), was=sa.bindparam("from"), category=sa.bindparam("to"))
)
_FORGET = sighting.delete().where(sighting.c.id == sa.bindparam("row"))
_PLACE: dict[str, sa.ColumnElement[int]] = {"uidvalidity": sa.bindparam("epoch"), "uid": sa.bindparam("number")}
_LAST = sa.select(sa.func.max(sighting.c.id)).where(sighting.c.record_id == sa.bindparam("row")).scalar_subquery()
_MOVE_SIGHTING = sighting.update().where(sighting.c.id == _LAST).values(folder=sa.bindparam("at"), **_PLACE)
_MOVE_RECORD = (
    message.update()
    .where(message.c.id == sa.bindparam("row"), ~sa.exists().where(sighting.c.record_id == sa.bindparam("row")))
    .values(target_folder=sa.bindparam("at"), target_uidvalidity=sa.bindparam("epoch"), target_uid=sa.bindparam("number"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A mail that a person put into a folder, or that seems to be one."""

    id: int
    mailbox: str
    folder: str
    uidvalidity: int
    uid: int
    fingerprint: Fingerprint
    seen_at: datetime
    record_id: int | None
    """Which mail on record it is; None until it is accepted."""
    was: str | None
    """The category that it had until then; None of a mail that was held."""
    category: str | None
    """The category of the folder; None of the folder for unsure mail."""
    accepted_at: datetime | None

    @property
    def key(self) -> MessageKey:
        """Where it was seen."""
        return MessageKey(mailbox=self.mailbox, folder=self.folder, uidvalidity=self.uidvalidity, uid=self.uid)


class Means(StrEnum):
    """What a sighting turned out to mean."""

    MOVED = "moved"  # a person put the mail there, and that says something
    SAME = "same"  # the mail lies there now, and is what it was
    NOTHING = "nothing"  # a copy, or no longer there


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one sighting means."""

    sighting: Sighting
    means: Means
    record_id: int | None = None
    was: str | None = None
    category: str | None = None


class SightingBook:
    """The sightings of all mailboxes."""

    def __init__(self, engine: sa.Engine, writing: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        """Work on an opened database (see store.open_database); `writing` begins a transaction that writes."""
        self._engine, self._writing = engine, writing

    def mark(self, mailbox: str, folder: str) -> tuple[int, int] | None:
        """Tell how far a folder was looked through, as UIDVALIDITY and UID; None where it never was."""
        query = sa.select(shelf.c.uidvalidity, shelf.c.last_uid).where(shelf.c.mailbox == mailbox, shelf.c.folder == folder)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.uidvalidity, row.last_uid)

    def note(
        self, mailbox: str, folder: str, uidvalidity: int, last_uid: int, seen: Mapping[int, Fingerprint], now: datetime
    ) -> None:
        """Put on record how far a folder was looked through, and the mails by UID that were seen on the way."""
        place = {"mailbox": mailbox, "folder": folder, "uidvalidity": uidvalidity}
        rows = [{**place, "uid": uid, "fingerprint": identity, "seen_at": now} for uid, identity in seen.items()]
        with self._writing() as connection:
            if rows:
                connection.execute(sighting.insert().prefix_with("OR IGNORE"), rows)
            connection.execute(shelf.insert().prefix_with("OR REPLACE").values(**place, last_uid=last_uid))

    def pending(self, mailbox: str, before: datetime, now: datetime, *, above: int, limit: int) -> list[Sighting]:
        """Give the sightings from before a moment of which it is not known what they mean, from above a number on, in order.

        One from far after `now` was put on record while the clock was ahead, and is old enough.
        """
        is_due = sa.or_(sighting.c.seen_at <= before, sighting.c.seen_at > now + (now - before))
        here = sighting.c.mailbox == mailbox, sighting.c.accepted_at.is_(None), sighting.c.id > above
        return self._sightings(*here, is_due, limit=limit)

    def latest(self, records: Iterable[int]) -> dict[int, Sighting]:
        """Give, for mails by their rows, where a person put each last."""
        found: dict[int, Sighting] = {}
        wanted = list(records)
        for start in range(0, len(wanted), PARAMETERS_AT_ONCE):
            some = sighting.c.record_id.in_(wanted[start : start + PARAMETERS_AT_ONCE])
            found |= {one.record_id: one for one in self._sightings(some) if one.record_id is not None}
        return found

    def judge(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        """Put on record what sightings mean: moves are accepted, and all other sightings are forgotten."""
        moves = [
            {"row": one.sighting.id, "mail": one.record_id, "from": one.was, "to": one.category}
            for one in verdicts
            if one.means is Means.MOVED
        ]
        places = [
            {"row": one.record_id, "at": one.sighting.folder, "epoch": one.sighting.uidvalidity, "number": one.sighting.uid}
            for one in verdicts
            if one.means is Means.SAME
        ]
        forgotten = [{"row": one.sighting.id} for one in verdicts if one.means is not Means.MOVED]
        with self._writing() as connection:
            if moves:
                connection.execute(_ACCEPT.values(accepted_at=now), moves)
            if forgotten:
                connection.execute(_FORGET, forgotten)
            if places:
                connection.execute(_MOVE_SIGHTING, places)
                connection.execute(_MOVE_RECORD, places)

    def accepted(self, mailbox: str, since: datetime, until: datetime) -> list[Sighting]:
        """Give what people moved in [since, until), in order."""
        then = sighting.c.accepted_at >= since, sighting.c.accepted_at < until
        return self._sightings(sighting.c.mailbox == mailbox, *then)

    def _sightings(self, *conditions: sa.ColumnElement[bool], limit: int | None = None) -> list[Sighting]:
        query = sa.select(sighting).where(*conditions).order_by(sighting.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [Sighting(**_plain(row)) for row in connection.execute(query).mappings()]


def _plain(row: sa.RowMapping) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}
