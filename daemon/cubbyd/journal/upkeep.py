"""Upkeep of the state file: a copy that can be trusted, a look at its health, and the removal of what is old.

All three may be used while the daemon runs: a copy and a look only read, and a removal is one transaction. They use SQLite's
own driver, because a copy must also be made of a file that SQLAlchemy's tables do not fit: before an update, or after damage.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cubbyd.errors import InputFileError, StateError
from cubbyd.journal.schema import SCHEMA_VERSION
from cubbyd.journal.store import BUSY_SECONDS, DATABASE_NAME
from cubbyd.lifecycle import IN_HAND, SETTLED, TAKEN_BACK, UNFINISHED, State

OWNER_ALONE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy of the state file that was read back and found whole."""

    file: Path
    mails: int
    size_bytes: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about the state file that an admin should know."""

    is_fault: bool
    """Whether it keeps cubbyd from working rightly; else it is only worth knowing."""
    what: str
    way_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a removal took away, or would."""

    mails: int
    """Rows of mails that are gone from the inbox for good."""
    kept_old: int
    """Mails as old that must stay: not finished, or perhaps still in the inbox."""


# --- a copy ------------------------------------------------------------------------------------------------------------


def back_up(directory: Path, target: Path, *, overwrite: bool = False) -> Backup:
    """Copy the state file by SQLite's online backup (https://www.sqlite.org/backup.html), also under a running daemon.

    The copy is one file of mode 0600; it takes its name only when it was read back whole, so that a failure leaves an older
    copy as it was. Raises StateError where the state cannot be read, InputFileError where the target cannot be written.
    """
    source = _existing(directory)
    if target.exists() and not overwrite:
        raise InputFileError(target, "exists already; give another name, or add --overwrite")
    if target.exists() and target.samefile(source):
        raise InputFileError(target, "is the state file itself; give another name")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ALONE))
    except OSError as error:
        raise InputFileError(target, f"cannot be written: {error.strerror}") from error
    try:
        made = _copy(source, part)
        _put_in_place(part, target)
    except OSError as error:
        raise InputFileError(target, f"cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return Backup(file=target, mails=made.mails, size_bytes=target.stat().st_size, version=made.version)


def _copy(source: Path, part: Path) -> Backup:
    """Copy, and read the copy back."""
    with _reading(source) as original, closing(sqlite3.connect(part)) as copy, _ours(source, "cannot be copied whole"):
        original.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    with _reading(part) as copy, _ours(source, "was copied, and the copy cannot be read"):
        problems = _damage(copy)
        if problems:
            raise StateError(f"{source}: is damaged, and so is a copy: {problems[0]}; `cubbyd state check` says what to do")
        mails: int = copy.execute("SELECT count(*) FROM message").fetchone()[0]
        return Backup(file=part, mails=mails, size_bytes=0, version=_version(copy) or "")


def _put_in_place(part: Path, target: Path) -> None:
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# --- a look ------------------------------------------------------------------------------------------------------------


def _listed(states: Iterable[State]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_BEGIN_ANEW = "restore a copy; else move the state away and begin anew"
_CONSISTENCY: Sequence[tuple[str, Finding]] = (
    (
        f"SELECT count(*) FROM message WHERE state NOT IN ({_listed(State)})",  # nosec B608  # noqa: S608  (our own words)
        Finding(
            is_fault=True,
            what="{} mails stand in a state that this version does not know",
            way_out="install the version that wrote them, or restore a copy",
        ),
    ),
    (
        f"SELECT count(*) FROM message WHERE state = '{State.DECIDED}' AND prediction IS NULL",  # nosec B608  # noqa: S608
        Finding(is_fault=True, what="{} mails are decided without a decision on record", way_out=_BEGIN_ANEW),
    ),
    (
        f"""
        SELECT count(*) FROM message WHERE state IN ({_listed(UNFINISHED)}) AND target_folder IS NULL AND keyword IS NULL
        """,  # nosec B608  # noqa: S608
        Finding(is_fault=True, what="{} mails are planned without a plan on record", way_out=_BEGIN_ANEW),
    ),
    (
        """
        SELECT count(*) FROM (SELECT 1 FROM message WHERE target_uid IS NOT NULL AND target_uidvalidity IS NOT NULL
        GROUP BY mailbox, target_folder, target_uidvalidity, target_uid HAVING count(*) > 1)
        """,
        Finding(
            is_fault=True,
            what="{} filed mails are on record twice, as if two mails had become one",
            way_out="look into those folders by hand (`cubbyd history --json`); later mail is not affected",
        ),
    ),
    (
        """
        SELECT count(*) FROM message AS m JOIN folder AS f
        ON f.mailbox = m.mailbox AND f.folder = m.folder AND f.uidvalidity = m.uidvalidity WHERE m.uid > f.last_uid
        """,
        Finding(
            is_fault=False,
            what="{} mails lie above the mark up to which the inbox was read",
            way_out="nothing is to be done: they are known, and the next pass moves the mark",
        ),
    ),
    (
        """
        SELECT count(DISTINCT m.mailbox || char(0) || m.folder) FROM message AS m
        LEFT JOIN folder AS f ON f.mailbox = m.mailbox AND f.folder = m.folder WHERE f.mailbox IS NULL
        """,
        Finding(
            is_fault=False,
            what="{} inboxes have mail on record, and no mark up to which they were read",
            way_out="nothing is to be done: the next pass takes what lies there for old mail (backlog in [filing])",
        ),
    ),
)
"""What must hold of our own rows: a query that counts what breaks it, and what to say then."""


def examine(directory: Path, mailboxes: Sequence[str]) -> list[Finding]:
    """Look the state file over: who may read it, whether SQLite finds it whole, its version, and our own rows.

    Changes nothing. Raises StateError where there is no state at all.
    """
    file = _existing(directory)
    found = list(_rights(directory, file))
    try:
        with _reading(file) as connection:
            damage = _damage(connection)
            if damage:
                return [*found, _damaged(f"SQLite finds it damaged: {damage[0]}")]
            version = _version(connection)
            if version != SCHEMA_VERSION:
                return [*found, _other_version(version)]
            found += _inconsistencies(connection)
            found += _strangers(connection, mailboxes)
    except (StateError, sqlite3.DatabaseError) as error:
        return [*found, _damaged(str(error))]
    return found


def _rights(directory: Path, file: Path) -> Iterator[Finding]:
    for path in (directory, file):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield Finding(
                is_fault=True,
                what=f"{path} can be read by others (mode {mode:04o})",
                way_out=f"chmod go= {path}",
            )


def _damaged(what: str) -> Finding:
    return Finding(
        is_fault=True,
        what=what,
        way_out="stop cubbyd, put a copy made by `cubbyd state backup` in its place and remove the -wal and -shm files beside "
        "it; without a copy, move all three away: what is still in the inbox is then old mail (backlog in [filing])",
    )


def _other_version(version: str | None) -> Finding:
    if version is not None and version > SCHEMA_VERSION:
        return Finding(
            is_fault=True,
            what=f"it was written by a newer cubbyd (version {version}; this one writes {SCHEMA_VERSION})",
            way_out="install that version, or restore the copy from before",
        )
    return Finding(
        is_fault=False,
        what=f"it was written by an older cubbyd (version {version or 'none'}; this one writes {SCHEMA_VERSION})",
        way_out="start the daemon once, it brings the file up to date; its rows are not looked at before",
    )


def _inconsistencies(connection: sqlite3.Connection) -> Iterator[Finding]:
    for query, finding in _CONSISTENCY:
        (count,) = connection.execute(query).fetchone()
        if count:
            yield replace(finding, what=finding.what.format(count))


def _strangers(connection: sqlite3.Connection, mailboxes: Sequence[str]) -> Iterator[Finding]:
    for name, count in connection.execute("SELECT mailbox, count(*) FROM message GROUP BY mailbox ORDER BY mailbox"):
        if name not in mailboxes:
            yield Finding(
                is_fault=False,
                what=f"mailbox {name!r} has {count} mails on record and is not in the configuration",
                way_out="if it was renamed there, give it its old name: under another its mail is old mail ([filing] backlog)",
            )


# --- a removal ---------------------------------------------------------------------------------------------------------


_OLD = f"changed_at < :before AND state NOT IN ({_listed(IN_HAND)})"
_MAY_BE_IN_INBOX = f"""
    state IN ({_listed(SETTLED | TAKEN_BACK)}) AND target_folder IS NULL AND (left_at IS NULL OR left_at >= :before)
"""
"""Without its row such a mail would be taken for a new one at the next look through the whole inbox, and be filed again."""

_GOES = f"{_OLD} AND NOT ({_MAY_BE_IN_INBOX})"

_UNDOS_GO = """
    DELETE FROM undo WHERE begun_at < :before AND id NOT IN (SELECT undo_id FROM message WHERE undo_id IS NOT NULL)
"""

_SIGHTINGS_GO = """
    DELETE FROM sighting WHERE (accepted_at IS NULL AND seen_at < :before)
    OR (accepted_at IS NOT NULL AND record_id NOT IN (SELECT id FROM message))
"""


def prune(directory: Path, before: datetime, *, dry_run: bool) -> Pruned:
    """Remove what was done with before a moment: every row of a mail that is no longer in the inbox, its fingerprint too.

    What must stay stays: mail that is not finished, mail that may still be in the inbox, and the marks up to which each inbox
    was read. Removed rows are overwritten in the file (PRAGMA secure_delete), not only unlinked.
    Raises StateError where the file is missing, of another version, or busy for longer than some seconds.
    """
    file = _existing(directory)
    at = {"before": before.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")}
    with _ours(file, "cannot be pruned"), closing(_connect(file, writing=True)) as connection:
        if (version := _version(connection)) != SCHEMA_VERSION:
            raise StateError(f"{file}: {_other_version(version).what}; {_other_version(version).way_out}")
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("BEGIN IMMEDIATE")
        (old,) = connection.execute("SELECT count(*) FROM message WHERE changed_at < :before", at).fetchone()
        mails = connection.execute(f"DELETE FROM message WHERE {_GOES}", at).rowcount  # nosec B608  # noqa: S608
        connection.execute(_UNDOS_GO, at)
        connection.execute(_SIGHTINGS_GO, at)
        connection.execute("ROLLBACK" if dry_run else "COMMIT")
        if not dry_run:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # else the old pages stay in the log for a while
    return Pruned(mails=mails, kept_old=old - mails)


# --- SQLite ------------------------------------------------------------------------------------------------------------


def _existing(directory: Path) -> Path:
    file = directory / DATABASE_NAME
    if not file.exists():
        raise StateError(f"{file}: there is no state yet; cubbyd has not run here (`cubbyd run --once` does one pass)")
    return file


def _connect(file: Path, *, writing: bool) -> sqlite3.Connection:
    uri = f"{file.resolve().as_uri()}?mode={'rw' if writing else 'ro'}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    with _ours(file, "cannot be read"), closing(_connect(file, writing=False)) as connection:
        yield connection


@contextmanager
def _ours(file: Path, what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StateError(f"{file}: {what}: {error}") from error


def _damage(connection: sqlite3.Connection) -> list[str]:
    """Let SQLite look for damage: every page and every index (PRAGMA integrity_check)."""
    lines = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
    return [] if lines == ["ok"] else lines


def _version(connection: sqlite3.Connection) -> str | None:
    with suppress(sqlite3.OperationalError):  # no such table: the file is of nobody's version
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])
    return None
