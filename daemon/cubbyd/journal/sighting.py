"""Where people put mail after it was decided: what was seen of it, and what it turned out to mean.

A sighting is a mail on record that lies in a folder into which cubbyd did not put it. It waits until it is accepted, as a
move, or dropped, as a copy or as a stop on the way to another folder. Each method is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cubbyd.journal.schema import shelf, sighting
from cubbyd.message.identity import Fingerprint, MessageKey

PARAMETERS_AT_ONCE = 500


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

    def pending(self, mailbox: str, before: datetime, now: datetime) -> list[Sighting]:
        """Give the sightings from before a moment of which it is not known what they mean, first come first served.

        One from after `now` was put on record while the clock was ahead, and is old enough.
        """
        is_due = sa.or_(sighting.c.seen_at <= before, sighting.c.seen_at > now)
        return self._sightings(sighting.c.mailbox == mailbox, sighting.c.accepted_at.is_(None), is_due)

    def latest(self, records: Iterable[int]) -> dict[int, Sighting]:
        """Give, for mails by their rows, where a person put each last."""
        found: dict[int, Sighting] = {}
        wanted = list(records)
        for start in range(0, len(wanted), PARAMETERS_AT_ONCE):
            some = sighting.c.record_id.in_(wanted[start : start + PARAMETERS_AT_ONCE])
            found |= {one.record_id: one for one in self._sightings(some) if one.record_id is not None}
        return found

    def drop(self, ids: Iterable[int]) -> None:
        """Forget sightings that meant nothing."""
        rows = [{"row": row} for row in ids]
        if rows:
            with self._writing() as connection:
                connection.execute(sighting.delete().where(sighting.c.id == sa.bindparam("row")), rows)

    def accept(self, number: int, record: int, was: str | None, category: str | None, now: datetime) -> None:
        """Put on record that a person moved a mail there, and from what to what."""
        values = {"record_id": record, "was": was, "category": category, "accepted_at": now}
        with self._writing() as connection:
            connection.execute(sighting.update().where(sighting.c.id == number).values(**values))

    def accepted(self, mailbox: str, since: datetime, until: datetime) -> list[Sighting]:
        """Give what people moved in [since, until), in order."""
        then = sighting.c.accepted_at >= since, sighting.c.accepted_at < until
        return self._sightings(sighting.c.mailbox == mailbox, *then)

    def _sightings(self, *conditions: sa.ColumnElement[bool]) -> list[Sighting]:
        query = sa.select(sighting).where(*conditions).order_by(sighting.c.id)
        with self._engine.connect() as connection:
            return [Sighting(**_plain(row)) for row in connection.execute(query).mappings()]


def _plain(row: sa.RowMapping) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}
