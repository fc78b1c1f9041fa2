"""Which digests were sent: the intent is on record before a mail is appended, so that a death in between sends none twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cubbyd.journal.schema import digest
from cubbyd.message.identity import Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A digest that was sent, or was about to be."""

    due_at: datetime
    """When it was due: what it tells of ends there."""
    fingerprint: Fingerprint | None
    """By what it is found in its folder; None where there was nothing to send."""
    first_uid: int | None
    """The folder's UIDNEXT before it was appended, or less."""
    sent_at: datetime | None
    """None where it is not known whether it was appended."""


class DigestBook:
    """The digests of all mailboxes; each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        """Work on an opened database (see store.open_database)."""
        self._engine = engine

    def last(self, mailbox: str) -> Sending | None:
        """Give the newest one that was begun; None where there was none."""
        columns = [column for column in digest.c if column.name != "mailbox"]
        query = sa.select(*columns).where(digest.c.mailbox == mailbox).order_by(digest.c.due_at.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else Sending(**row)

    def last_sent(self, mailbox: str) -> datetime | None:
        """Tell up to when the digests that were sent tell what happened."""
        query = sa.select(sa.func.max(digest.c.due_at)).where(digest.c.mailbox == mailbox, digest.c.sent_at.is_not(None))
        with self._engine.connect() as connection:
            due: datetime | None = connection.scalar(query)
            return due

    def begin(self, mailbox: str, due_at: datetime, fingerprint: Fingerprint, first_uid: int | None) -> None:
        """Put on record that a digest is about to be appended."""
        here = {"mailbox": mailbox, "due_at": due_at}
        with self._engine.begin() as connection:
            connection.execute(digest.delete().where(digest.c.mailbox == mailbox, digest.c.due_at == due_at))
            connection.execute(digest.insert().values(**here, fingerprint=fingerprint, first_uid=first_uid))

    def sent(self, mailbox: str, due_at: datetime, now: datetime) -> None:
        """Put on record that it was appended; or, where nothing was begun, that there is nothing to send before then."""
        here = digest.c.mailbox == mailbox, digest.c.due_at == due_at
        with self._engine.begin() as connection:
            if not connection.execute(digest.update().where(*here).values(sent_at=now)).rowcount:
                connection.execute(digest.insert().values(mailbox=mailbox, due_at=due_at, sent_at=now))
