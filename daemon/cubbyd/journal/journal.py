"""The journal: what was seen, decided, planned and done with each mail. Every query has its name here, and no other home.

What reports and digests ask is in tally.py and digest.py, what people moved in sighting.py. Each method is one transaction.
No mail is ever deleted, and a step that the life cycle does not allow raises IllegalTransition and changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import sqlalchemy as sa

from cubbyd.errors import IllegalTransition
from cubbyd.journal.digest import DigestBook
from cubbyd.journal.record import MARKED_DELETED, Change, Mark, PollOutcome, Record, Selection, Undo, Wait
from cubbyd.journal.schema import PARAMETERS_AT_ONCE, folder, in_mailbox, message, poll, undo
from cubbyd.journal.sighting import SightingBook
from cubbyd.journal.tally import Tally
from cubbyd.lifecycle import BEING_UNDONE, SETTLED, TAKEN_BACK, UNFILED, UNFINISHED, VOIDABLE, WAITING, State, sources_of
from cubbyd.message.identity import Fingerprint

LONGEST_ERROR = 300
"""Characters of an error that are kept."""

LONGEST_PAUSE = timedelta(days=1)
"""Nothing is made to wait for longer: a time beyond was put on record while the clock was ahead, and means nothing."""

MARK = [column for column in folder.c if column.name not in ("mailbox", "folder")]
"""The columns of a Mark."""


class Journal:
    """The state of all mailboxes of one configuration."""

    def __init__(self, engine: sa.Engine) -> None:
        """Work on an opened database (see store.open_database)."""
        self._engine = engine
        self.tally = Tally(engine)
        """What reports ask."""
        self.digests = DigestBook(engine)
        """Which digests were sent."""
        self._turn = Lock()
        self.sightings = SightingBook(engine, self._writing)
        """Where people put mail after it was decided."""

    def close(self) -> None:
        """Give the database back."""
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """Begin a transaction that writes; the mailboxes' threads take turns.

        SQLite lets one write at a time too, but has no queue: of fifty that try again and again, some wait until they fail.
        """
        with self._turn, self._engine.begin() as connection:
            yield connection

    # --- finding mail ------------------------------------------------------------------------------------------------

    def open_folder(self, mailbox: str, name: str, uidvalidity: int, now: datetime) -> Mark:
        """Begin a scan: give how far the inbox was read.

        A changed UIDVALIDITY makes the old UIDs void (RFC 9051, 2.3.1.1): waiting mail of the old epoch becomes VOID and
        is found again by its fingerprint, and what was there before must be told from what is new once more (`begin`).
        """
        here = folder.c.mailbox == mailbox, folder.c.folder == name
        with self._writing() as connection:
            row = connection.execute(sa.select(*MARK).where(*here)).mappings().one_or_none()
            if row is not None and row["uidvalidity"] == uidvalidity:
                return Mark(**row)
            epoch = {"uidvalidity": uidvalidity, "last_uid": 0, "epoch_at": now}
            if row is None:
                connection.execute(folder.insert().values(mailbox=mailbox, folder=name, begun_at=now, **epoch))
            else:
                connection.execute(
                    message.update()
                    .where(message.c.mailbox == mailbox, message.c.folder == name, message.c.uidvalidity != uidvalidity)
                    .where(message.c.state.in_(VOIDABLE))
                    .values(state=State.VOID, changed_at=now)
                )
                connection.execute(folder.update().where(*here).values(backlog_uid=None, **epoch))
            return Mark(**connection.execute(sa.select(*MARK).where(*here)).mappings().one())

    def mark(self, mailbox: str, name: str) -> Mark | None:
        """Tell how far an inbox was read; None where it was never opened."""
        query = sa.select(*MARK).where(folder.c.mailbox == mailbox, folder.c.folder == name)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else Mark(**row)

    def begin(self, mailbox: str, name: str, *, backlog_uid: int, total: int) -> None:
        """Put on record up to which UID an inbox held old mail when it was opened, and how many; what is read next is above."""
        with self._writing() as connection:
            connection.execute(
                folder.update()
                .where(folder.c.mailbox == mailbox, folder.c.folder == name)
                .values(
                    last_uid=sa.func.max(folder.c.last_uid, backlog_uid),
                    backlog_uid=backlog_uid,
                    backlog_total=total,
                    backlog_left=total,
                )
            )

    def note_backlog(self, mailbox: str, name: str, *, left: int, pace: float | None = None) -> None:
        """Put on record how much old mail is left, and how many seconds one takes where that is known."""
        values = {"backlog_left": left} | ({} if pace is None else {"backlog_pace": pace})
        with self._writing() as connection:
            connection.execute(folder.update().where(folder.c.mailbox == mailbox, folder.c.folder == name).values(**values))

    def record_scan(self, mailbox: str, name: str, uidvalidity: int, uids: Iterable[int], now: datetime) -> int:
        """Put new mail on record and move the watermark, at once; give how many were new. Known UIDs are passed over."""
        found = sorted(set(uids))
        if not found:
            return 0
        with self._writing() as connection:
            query = sa.select(message.c.uid).where(
                message.c.mailbox == mailbox,
                message.c.folder == name,
                message.c.uidvalidity == uidvalidity,
                message.c.uid >= found[0],
            )
            known = set(connection.scalars(query))
            new = [uid for uid in found if uid not in known]
            if not new:
                return 0
            at = {"mailbox": mailbox, "folder": name, "uidvalidity": uidvalidity}
            start = {"state": State.SEEN, "seen_at": now, "changed_at": now, "attempts": 0}
            connection.execute(message.insert(), [{**at, **start, "uid": uid} for uid in new])
            connection.execute(
                folder.update()
                .where(folder.c.mailbox == mailbox, folder.c.folder == name, folder.c.last_uid < new[-1])
                .values(last_uid=new[-1])
            )
            return len(new)

    def note_left(self, mailbox: str, name: str, uidvalidity: int, uids: Iterable[int], now: datetime) -> None:
        """After a look through the whole inbox: note which of the mails that were left in it have left it since.

        One that shows again was never away: a server may leave a mail out of an answer. Mail of an older UIDVALIDITY has left
        in any case: it is on record anew.
        """
        here = set(uids)
        query = sa.select(message.c.id, message.c.uidvalidity, message.c.uid, message.c.left_at).where(
            message.c.mailbox == mailbox,
            message.c.folder == name,
            message.c.target_folder.is_(None),
            message.c.state.in_(SETTLED | TAKEN_BACK),
        )
        with self._writing() as connection:
            left, back = [], []
            for row in connection.execute(query):
                is_here = row.uidvalidity == uidvalidity and row.uid in here
                if is_here and row.left_at is not None:
                    back.append({"row": row.id, "at": None})
                elif not is_here and row.left_at is None:
                    left.append({"row": row.id, "at": now})
            for changes in (left, back):
                if changes:
                    statement = message.update().where(message.c.id == sa.bindparam("row")).values(left_at=sa.bindparam("at"))
                    connection.execute(statement, changes)

    # --- work to be done ---------------------------------------------------------------------------------------------

    def waiting(self, mailbox: str, state: State, now: datetime, limit: int) -> list[Record]:
        """Give up to `limit` mails of one state whose time has come, first come first served; suspects come last.

        A suspect has been tried before: it may be what stopped us, so the others go first.
        """
        query = (
            sa.select(message)
            .where(message.c.mailbox == mailbox, message.c.state == state)
            .where(
                sa.or_(message.c.not_before.is_(None), message.c.not_before <= now, message.c.not_before > now + LONGEST_PAUSE)
            )
            .order_by(message.c.attempts, message.c.id)
            .limit(limit)
        )
        return self._records(query)

    def unfinished(self, mailbox: str) -> list[Record]:
        """Give the mails that were planned, and perhaps done, when something broke off."""
        query = sa.select(message).where(message.c.mailbox == mailbox, message.c.state.in_(UNFINISHED))
        return self._records(query.order_by(message.c.id))

    def twins(self, mailbox: str, fingerprints: Iterable[Fingerprint]) -> dict[Fingerprint, list[Record]]:
        """Give all mails on record with one of these fingerprints, newest first."""
        found: dict[Fingerprint, list[Record]] = defaultdict(list)
        wanted = list(fingerprints)
        for start in range(0, len(wanted), PARAMETERS_AT_ONCE):
            some = wanted[start : start + PARAMETERS_AT_ONCE]
            query = sa.select(message).where(in_mailbox(mailbox), message.c.fingerprint.in_(some))
            for record in self._records(query.order_by(message.c.id.desc())):
                if record.fingerprint:
                    found[record.fingerprint].append(record)
        return found

    def claimed_uids(self, mailbox: str, target: str, uidvalidity: int, above: int = 0) -> set[int]:
        """Give the UIDs above one in a target folder that are known to be mails already filed."""
        query = sa.select(message.c.target_uid).where(
            message.c.mailbox == mailbox,
            message.c.target_folder == target,
            message.c.target_uidvalidity == uidvalidity,
            message.c.target_uid > above,
        )
        with self._engine.connect() as connection:
            return set(connection.scalars(query))

    # --- what became of it -------------------------------------------------------------------------------------------

    def claim(self, ids: Sequence[int], now: datetime) -> None:
        """Count an attempt before anything is tried: a mail that kills the process is counted too."""
        if not ids:
            return
        with self._writing() as connection:
            connection.execute(
                message.update()
                .where(message.c.id == sa.bindparam("row"))
                .values(attempts=message.c.attempts + 1, changed_at=now),
                [{"row": row} for row in ids],
            )

    def identify(self, known: Mapping[int, tuple[Fingerprint, datetime]]) -> None:
        """Put on record by what each mail can be found again: its fingerprint, and when the server received it."""
        if not known:
            return
        with self._writing() as connection:
            connection.execute(
                message.update()
                .where(message.c.id == sa.bindparam("row"))
                .values(fingerprint=sa.bindparam("hash"), received_at=sa.bindparam("at")),
                [{"row": row, "hash": fingerprint, "at": at} for row, (fingerprint, at) in known.items()],
            )

    def postpone(self, ids: Sequence[int], *, until: datetime | None, error: str, refund: bool = False) -> None:
        """Let waiting mails wait longer; with refund, the attempt does not count against them."""
        if not ids:
            return
        attempts = sa.func.max(message.c.attempts - 1, 0) if refund else message.c.attempts
        with self._writing() as connection:
            connection.execute(
                message.update()
                .where(message.c.id == sa.bindparam("row"), _is_one_of(WAITING))
                .values(not_before=until, error=error[:LONGEST_ERROR], attempts=attempts),
                [{"row": row} for row in ids],
            )

    def release(self, mailbox: str, error_prefix: str) -> None:
        """Make mail due at once that waits because of one kind of error, which is over."""
        with self._writing() as connection:
            connection.execute(
                message.update()
                .where(message.c.mailbox == mailbox, message.c.state.in_(WAITING), message.c.not_before.is_not(None))
                .where(message.c.error.startswith(error_prefix, autoescape=True))
                .values(not_before=None)
            )

    def advance(self, changes: Sequence[Change], now: datetime) -> None:
        """Take mails to their next states, all of them or none. Raises IllegalTransition."""
        groups: dict[tuple[State, tuple[str, ...]], list[Change]] = defaultdict(list)
        for change in changes:
            groups[change.to, tuple(sorted(change.fields))].append(change)
        with self._writing() as connection:
            for (to, names), group in groups.items():
                values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
                statement = (
                    message.update()
                    .where(message.c.id == sa.bindparam("row"), _is_one_of(sources_of(to)))
                    .values(state=to, changed_at=now, **values)
                )
                rows = [{"row": change.id, **{f"new_{name}": change.fields[name] for name in names}} for change in group]
                if connection.execute(statement, rows).rowcount != len(group):
                    raise IllegalTransition(f"{len(group)} mails cannot all become {to}: {[change.id for change in group]}")

    # --- taking back -------------------------------------------------------------------------------------------------

    def last_run(self, mailbox: str) -> int:
        """Give the number of the last pass that filed anything; 0 where there was none."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.max(message.c.run)).where(message.c.mailbox == mailbox)) or 0

    def undoable(self, mailbox: str, wanted: Selection) -> list[Record]:
        """Give the mails of a mailbox that fit, and to which something was done that can be taken back, oldest first."""
        model = message.c.prediction["provenance"]["model"].as_string()
        exact = {"uid": message.c.uid, "run": message.c.run, "category": message.c.category, "model": model}
        conditions = [column == value for name, column in exact.items() if (value := getattr(wanted, name)) is not None]
        filed = sa.func.coalesce(message.c.filed_at, message.c.changed_at, type_=message.c.changed_at.type)
        if wanted.since is not None:
            conditions.append(filed >= wanted.since)
        if wanted.until is not None:
            conditions.append(filed < wanted.until)
        query = sa.select(message).where(
            message.c.mailbox == mailbox,
            message.c.state.in_(SETTLED),
            sa.or_(message.c.target_folder.is_not(None), message.c.keyword.is_not(None)),
            *conditions,
        )
        return self._records(query.order_by(message.c.id))

    def begin_undo(self, wanted: Selection, now: datetime, *, again: bool) -> int:
        """Put an undo on record; give its number."""
        with self._writing() as connection:
            number = connection.execute(undo.insert().values(begun_at=now, selection=str(wanted), again=again)).lastrowid
        return int(number)

    def undos(self) -> list[Undo]:
        """Give the undos on record, newest first."""
        mails = sa.select(sa.func.count()).where(message.c.undo_id == undo.c.id).scalar_subquery().label("mails")
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(undo, mails).order_by(undo.c.id.desc())).mappings()
            return [Undo(**row) for row in rows]

    def undoing(self, mailbox: str) -> list[Record]:
        """Give the mails that are being taken back, and perhaps were, when something broke off."""
        query = sa.select(message).where(message.c.mailbox == mailbox, message.c.state.in_(BEING_UNDONE))
        return self._records(query.order_by(message.c.id))

    def note_back(self, uids: Mapping[int, int]) -> None:
        """Put on record under which UID each mail lies in the inbox again, before its original is removed."""
        if not uids:
            return
        with self._writing() as connection:
            connection.execute(
                message.update().where(message.c.id == sa.bindparam("row")).values(back_uid=sa.bindparam("uid_in_inbox")),
                [{"row": row, "uid_in_inbox": uid} for row, uid in uids.items()],
            )

    def inbox_uids(self, mailbox: str, name: str, uidvalidity: int, uid_from: int) -> set[int]:
        """Give the UIDs in the inbox, from one on, that are mails on record: found there, or taken back to it."""
        found = sa.select(message.c.uid).where(
            message.c.mailbox == mailbox,
            message.c.folder == name,
            message.c.uidvalidity == uidvalidity,
            message.c.uid >= uid_from,
        )
        back = sa.select(message.c.back_uid).where(
            message.c.mailbox == mailbox, message.c.back_uidvalidity == uidvalidity, message.c.back_uid >= uid_from
        )
        with self._engine.connect() as connection:
            return {*connection.scalars(found), *connection.scalars(back)}

    # --- polls -------------------------------------------------------------------------------------------------------

    def poll_started(self, mailbox: str, now: datetime) -> None:
        """Note that a pass over the mailbox begins."""
        with self._writing() as connection:
            if not connection.execute(poll.update().where(poll.c.mailbox == mailbox).values(started_at=now)).rowcount:
                connection.execute(poll.insert().values(mailbox=mailbox, started_at=now))

    def poll_succeeded(self, mailbox: str, now: datetime) -> None:
        """Note that a pass went through."""
        with self._writing() as connection:
            connection.execute(
                poll.update().where(poll.c.mailbox == mailbox).values(succeeded_at=now, failing_since=None, error=None)
            )

    def poll_failed(self, mailbox: str, error: str, now: datetime) -> None:
        """Note that a pass broke off, and since when none has gone through."""
        since = sa.func.coalesce(poll.c.failing_since, sa.bindparam("now", now, poll.c.failed_at.type))
        with self._writing() as connection:
            connection.execute(
                poll.update()
                .where(poll.c.mailbox == mailbox)
                .values(failed_at=now, failing_since=since, error=error[:LONGEST_ERROR])
            )

    def poll_outcome(self, mailbox: str) -> PollOutcome | None:
        """Give how the last polls went; None where there was none."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(poll).where(poll.c.mailbox == mailbox)).mappings().one_or_none()
        return None if row is None else PollOutcome(**row)

    # --- questions of people -----------------------------------------------------------------------------------------

    def counts(self, mailbox: str) -> dict[State, int]:
        """Count the mails of a mailbox by state."""
        query = sa.select(message.c.state, sa.func.count()).where(message.c.mailbox == mailbox).group_by(message.c.state)
        with self._engine.connect() as connection:
            return {State(state): count for state, count in connection.execute(query).all()}

    def oldest_unfiled(self, mailbox: str) -> datetime | None:
        """Tell when the oldest mail came in that staff may still wait for."""
        came = sa.func.coalesce(message.c.received_at, message.c.seen_at, type_=message.c.seen_at.type)
        query = sa.select(sa.func.min(came)).where(message.c.mailbox == mailbox, message.c.state.in_(UNFILED), _is_wanted())
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def wait(self, mailbox: str, states: Iterable[State]) -> Wait | None:
        """Tell of the mails that wait in one of these states; None where none does."""
        waits = message.c.mailbox == mailbox, message.c.state.in_(list(states)), _is_wanted()
        first = sa.select(message.c.seen_at, message.c.error).where(*waits).order_by(message.c.seen_at, message.c.id).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(first).one_or_none()
            if row is None:
                return None
            mails = connection.scalar(sa.select(sa.func.count()).select_from(message).where(*waits)) or 0
        return Wait(mails=mails, since=row.seen_at, error=row.error)

    def last_change(self, mailbox: str, states: Iterable[State] = State) -> datetime | None:
        """Tell when something last happened to a mail that is now in one of these states."""
        here = in_mailbox(mailbox), message.c.state.in_(list(states))
        query = sa.select(message.c.changed_at).where(*here).order_by(message.c.changed_at.desc()).limit(1)
        with self._engine.connect() as connection:
            changed: datetime | None = connection.scalar(query)
            return changed

    def quarantined(self, mailbox: str) -> list[Record]:
        """Give the mails whose attempts are used up."""
        query = sa.select(message).where(message.c.mailbox == mailbox, message.c.state == State.QUARANTINED)
        return self._records(query.order_by(message.c.id))

    def retry_quarantined(self, mailbox: str, now: datetime) -> int:
        """Give quarantined mail a new budget of attempts; give how many there were."""
        back = sa.case((message.c.prediction.is_(sa.null()), State.SEEN.value), else_=State.DECIDED.value)
        with self._writing() as connection:
            return connection.execute(
                message.update()
                .where(message.c.mailbox == mailbox, message.c.state == State.QUARANTINED)
                .values(state=back, attempts=0, not_before=None, changed_at=now)
            ).rowcount

    def history(
        self, *, since: datetime | None = None, category: str | None = None, state: State | None = None, limit: int = 50
    ) -> list[Record]:
        """Give what became of mail, newest first: everything that is no longer merely waiting to be classified."""
        query = sa.select(message).where(message.c.state.not_in([State.SEEN, State.VOID]))
        if since is not None:
            query = query.where(message.c.changed_at >= since)
        if category is not None:
            query = query.where(message.c.category == category)
        if state is not None:
            query = query.where(message.c.state == state)
        return self._records(query.order_by(message.c.changed_at.desc(), message.c.id.desc()).limit(limit))

    def _records(self, query: sa.Select[Any]) -> list[Record]:
        with self._engine.connect() as connection:
            return [Record(**{**row, "state": State(row["state"])}) for row in connection.execute(query).mappings()]


def _is_wanted() -> sa.ColumnElement[bool]:
    """Pass over what somebody marked as deleted: nobody waits for it."""
    return sa.or_(message.c.error.is_(None), message.c.error != MARKED_DELETED)


def _is_one_of(states: Iterable[State]) -> sa.ColumnElement[bool]:
    """Compare one by one: an IN (…) of many values cannot be part of a statement that is run for many rows."""
    return sa.or_(*(message.c.state == state for state in sorted(states)))
