"""The state file itself: one directory, one writer, migrated, private, and a clear word where it cannot be used."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from cubbyd.errors import EXIT_TRY_LATER, StateError, StateLocked
from cubbyd.journal import Journal, Mark, open_database, state_lock
from cubbyd.journal.lock import LOCK_NAME
from cubbyd.journal.schema import SCHEMA_VERSION, metadata
from cubbyd.journal.store import DATABASE_NAME, migration_config
from cubbyd.lifecycle import State

RELEASED = ("0001", "0002", "0003", "0004", "0005")

HOLDER = """
import sys, time
from pathlib import Path
from typing import Any
from cubbyd.journal import state_lock
with state_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def schema_of(file: Path) -> dict[str, tuple[set[Any], set[Any]]]:
    """Each table's columns (name, type, nullable, place in the primary key) and indexes (unique, columns), as SQLite has them."""
    found = {}
    with closing(sqlite3.connect(file)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = {(row[1], row[2], row[3], row[5]) for row in connection.execute(f"PRAGMA table_info({table})")}
            indexes: set[Any] = set()
            for _, name, unique, *_ in connection.execute(f"PRAGMA index_list({table})").fetchall():
                parts = tuple(row[2] for row in connection.execute(f"PRAGMA index_info({name})"))
                indexes.add((name if not name.startswith("sqlite_autoindex") else "", unique, parts))
            found[table] = (columns, indexes)
    return found


# --- the schema --------------------------------------------------------------------------------------------------------


def test_the_migrations_give_todays_schema(directory: Path) -> None:
    engine = open_database(directory)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_migrated_file_is_the_same_as_a_fresh_one_for_sqlite_too(directory: Path) -> None:
    """Alembic passes over some differences, such as a missing NOT NULL of a key; SQLite's own words are exact."""
    open_database(directory).dispose()
    fresh = directory / "fresh.sqlite"
    engine = sa.create_engine(f"sqlite:///{fresh}")
    metadata.create_all(engine)
    engine.dispose()

    migrated = schema_of(directory / DATABASE_NAME)

    assert migrated.pop("alembic_version")
    assert migrated == schema_of(fresh)
    assert set(migrated) == {"message", "folder", "poll", "undo", "digest", "shelf", "sighting"}


@pytest.mark.parametrize("version", RELEASED)
def test_a_state_file_of_every_released_version_still_opens_with_its_mail(directory: Path, version: str) -> None:
    engine = sa.create_engine(f"sqlite:///{directory / DATABASE_NAME}")
    with engine.begin() as connection:
        alembic.command.upgrade(migration_config(connection), version)
        connection.execute(
            sa.text(
                "INSERT INTO message (mailbox, folder, uidvalidity, uid, seen_at, state, changed_at, attempts, category, keyword)"
                " VALUES ('office', 'INBOX', 7, 20, '2026-11-21 08:00:00.000000', 'filed', '2026-11-21 08:00:01.000000', 1,"
                " 'billing', 'cubbyd-billing')"
            )
        )
    engine.dispose()

    journal = Journal(open_database(directory))
    (record,) = journal.history()
    journal.close()

    assert (record.uid, record.state, record.category, record.keyword) == (20, State.FILED, "billing", "cubbyd-billing")
    assert (record.others, record.stays, record.urgent) == (None, None, None)


@pytest.mark.parametrize("version", RELEASED[: RELEASED.index("0005")])
def test_an_inbox_that_an_older_version_opened_has_no_old_mail(directory: Path, version: str) -> None:
    engine = sa.create_engine(f"sqlite:///{directory / DATABASE_NAME}")
    with engine.begin() as connection:
        alembic.command.upgrade(migration_config(connection), version)
        connection.execute(sa.text("INSERT INTO folder VALUES ('office', 'INBOX', 7, 20)"))
    engine.dispose()

    journal = Journal(open_database(directory))
    mark = journal.mark("office", "INBOX")
    journal.close()

    assert mark == Mark(
        uidvalidity=7,
        last_uid=20,
        begun_at=None,
        epoch_at=None,
        backlog_uid=0,
        backlog_total=0,
        backlog_left=0,
        backlog_pace=None,
    )


def test_todays_version_is_the_last_step_of_the_migrations() -> None:
    assert ScriptDirectory.from_config(migration_config()).get_heads() == [SCHEMA_VERSION]


def test_the_schema_has_no_place_for_what_a_mail_says() -> None:
    columns = {column.name for table in metadata.tables.values() for column in table.columns}

    for word in (
        "subject",
        "sender",
        "from",
        "to",
        "address",
        "recipient",
        "body",
        "text",
        "message_id",
        "references",
        "attachment",
    ):
        assert not any(word in name.split("_") or name == word for name in columns - {"target_uid_from", "back_uid_from"}), word


def test_opening_twice_changes_nothing(directory: Path) -> None:
    open_database(directory).dispose()
    before = schema_of(directory / DATABASE_NAME)

    engine = open_database(directory)
    with engine.connect() as connection:
        versions = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
    engine.dispose()

    assert len(versions) == 1
    assert schema_of(directory / DATABASE_NAME) == before


def test_what_is_committed_is_on_disk(directory: Path) -> None:
    engine = open_database(directory)
    with engine.connect() as connection:
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 2, "FULL"
    engine.dispose()


def test_all_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        directory = tmp_path / "new" / "state"
        with state_lock(directory):
            engine = open_database(directory)
            with engine.begin() as connection:
                connection.execute(
                    sa.text("INSERT INTO folder (mailbox, folder, uidvalidity, last_uid) VALUES ('office', 'INBOX', 1, 0)")
                )
            modes = {file.name: mode_of(file) for file in directory.iterdir()}
            engine.dispose()
    finally:
        os.umask(before)

    assert set(modes) == {DATABASE_NAME, f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm", LOCK_NAME}
    assert set(modes.values()) == {0o600}
    assert mode_of(directory) == 0o700


# --- files that cannot be used -----------------------------------------------------------------------------------------


def test_reading_where_nothing_is_says_so_and_makes_nothing(directory: Path) -> None:
    with pytest.raises(StateError, match=r"there is no state yet.*cubbyd run --once"):
        open_database(directory, read_only=True)

    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_of_a_newer_cubbyd_is_refused(directory: Path, *, read_only: bool) -> None:
    open_database(directory).dispose()
    with closing(sqlite3.connect(directory / DATABASE_NAME)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StateError, match="was written by a newer cubbyd; install that version"):
        open_database(directory, read_only=read_only)

    with closing(sqlite3.connect(directory / DATABASE_NAME)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


def test_reading_a_file_that_was_never_migrated_asks_for_the_daemon(directory: Path) -> None:
    with closing(sqlite3.connect(directory / DATABASE_NAME)) as connection, connection:
        connection.execute("CREATE TABLE something (id INTEGER)")

    with pytest.raises(StateError, match="older cubbyd; start the daemon once"):
        open_database(directory, read_only=True)


def write_noise(file: Path) -> None:
    file.write_bytes(b"this is no database " * 500)


def overwrite_the_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    file.write_bytes(content)


def cut_in_half(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("damage", [write_noise, overwrite_the_middle, cut_in_half])
def test_a_damaged_file_is_named_with_the_way_out(directory: Path, damage: Callable[[Path], None], *, read_only: bool) -> None:
    open_database(directory).dispose()
    damage(directory / DATABASE_NAME)

    with pytest.raises(StateError, match=r"cannot be used: .*; restore a copy, or move it away") as caught:
        open_database(directory, read_only=read_only)

    assert str(directory / DATABASE_NAME) in str(caught.value)


def test_a_directory_in_the_place_of_the_file_is_named(directory: Path) -> None:
    (directory / DATABASE_NAME).mkdir()

    with pytest.raises(StateError, match="cannot be opened: Is a directory"):
        open_database(directory)


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    with (
        pytest.raises(StateError, match=r"cannot be used for the state: .*set \[state\] directory"),
        state_lock(tmp_path / "state"),
    ):
        pass


# --- the lock ----------------------------------------------------------------------------------------------------------


def test_a_second_writer_is_turned_away_and_told_who_works_here(directory: Path) -> None:
    with state_lock(directory), pytest.raises(StateLocked) as caught, state_lock(directory):
        pass

    assert caught.value.exit_code == EXIT_TRY_LATER == 75
    assert f"another cubbyd (process {os.getpid()}) works on this state" in str(caught.value)
    assert str(directory) in str(caught.value)


def test_the_lock_can_be_taken_again_once_it_was_given_back(directory: Path) -> None:
    for _ in range(3):
        with state_lock(directory):
            assert (directory / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_the_lock_ends_with_an_exception_too(directory: Path) -> None:
    with pytest.raises(KeyError), state_lock(directory):
        raise KeyError

    with state_lock(directory):
        pass


def test_two_directories_do_not_know_of_each_other(tmp_path: Path) -> None:
    with state_lock(tmp_path / "one"), state_lock(tmp_path / "two"):
        pass


def test_the_lock_ends_with_the_process_that_held_it_however_it_ends(directory: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(directory)], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(StateLocked, match=f"process {holder.pid}"), state_lock(directory):
                pass
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.wait()

    with state_lock(directory):
        assert (directory / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_a_reader_may_look_while_another_writes(directory: Path) -> None:
    engine = open_database(directory)
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO folder (mailbox, folder, uidvalidity, last_uid) VALUES ('office', 'INBOX', 1, 0)")
        )
        reader = open_database(directory, read_only=True)
        with reader.connect() as other:
            assert other.execute(sa.text("SELECT count(*) FROM folder")).scalar() == 0
        reader.dispose()
    engine.dispose()


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda journal: journal.twins("office", ["a", "b"]), "ix_message_fingerprint"),
        (lambda journal: journal.claimed_uids("office", "Billing", 1, 5), "ix_message_target"),
        (lambda journal: journal.unfinished("office"), "ix_message_mailbox_state"),
        (lambda journal: journal.sightings.latest([1, 2]), "ix_sighting_record_id"),
    ],
)
def test_a_question_that_is_asked_at_every_pass_takes_the_index_that_says_most(
    directory: Path, ask: Callable[[Journal], object], index: str
) -> None:
    """SQLite has no statistics of a file that is written all the time, and guesses."""
    engine = open_database(directory)
    asked: list[tuple[str, Any]] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    ask(Journal(engine))
    statement, values = asked[-1]
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    engine.dispose()

    assert index in str(plan)
