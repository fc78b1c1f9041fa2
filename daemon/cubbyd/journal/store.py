"""Open the state file: one directory, one writer, one SQLite database, migrated to today's schema.

The database runs in WAL mode with synchronous=FULL: what was committed is on disk before the mailbox is touched.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from cubbyd.errors import StateError, StateLocked
from cubbyd.journal.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

DATABASE_NAME = "cubbyd.sqlite"
LOCK_NAME = "lock"
BUSY_SECONDS = 5.0
"""How long to wait for a reader, such as `cubbyd status`, to let go."""
WAYS_OUT: Final = {
    sqlite3.SQLITE_BUSY: "another program holds it; once it lets go the next pass goes on where this one ended",
    sqlite3.SQLITE_FULL: "make room on the disk; the next pass goes on where this one ended",
    sqlite3.SQLITE_IOERR: "look for a full disk, a quota, or a failing disk; the next pass goes on where this one ended",
    sqlite3.SQLITE_READONLY: "let the user that runs cubbyd write it, and its folder",
    sqlite3.SQLITE_CANTOPEN: "let the user that runs cubbyd read and write it, and its folder",
}


@contextmanager
def state_lock(directory: Path) -> Iterator[None]:
    """Hold the only right to write in a state directory; makes the directory. Raises StateLocked, StateError.

    The lock is the kernel's (flock), so it ends with the process, however that ends.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{directory}: cannot be used for the state: {error.strerror}; set [state] directory") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise StateLocked(
                f"{directory}: another cubbyd (process {holder}) works on this state; stop it first, "
                "or give this one a [state] directory of its own"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)


def open_database(directory: Path, *, read_only: bool = False) -> sa.Engine:
    """Open the database of a state directory and migrate it; with read_only, open what is there and change nothing.

    Raises StateError where it is missing (read_only), damaged, or written by a newer cubbyd.
    """
    file = directory / DATABASE_NAME
    if read_only and not file.exists():
        raise StateError(f"{file}: there is no state yet; cubbyd has not run here (`cubbyd run --once` does one pass)")
    engine = sa.create_engine(f"sqlite:///{file}", hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _prepare_connection)
    sa.event.listen(engine, "handle_error", partial(_name_file, file))
    try:
        with _disposed_on_failure(engine):
            if read_only:
                _check_version(engine, file)
            else:
                descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                os.close(descriptor)
                _migrate(engine, file)
    except OSError as error:
        raise StateError(f"{file}: cannot be opened: {error.strerror}") from error
    return engine


@contextmanager
def _disposed_on_failure(engine: sa.Engine) -> Iterator[None]:
    """Close the file where it turned out that it cannot be used."""
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _name_file(file: Path, context: sa.engine.ExceptionContext) -> StateError | None:
    """Say what happened to the state file, and the way out, in the place of what the driver throws.

    SQLite's result codes: https://sqlite.org/rescode.html
    """
    error = context.original_exception
    if not isinstance(error, sqlite3.DatabaseError):
        return None
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return StateError(f"{file}: cannot be used: {error}; {WAYS_OUT.get(code, 'restore a copy, or move it away to begin anew')}")


def _prepare_connection(connection: Any, _: Any) -> None:
    try:
        with closing(connection.cursor()) as cursor:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()  # it never reaches the pool, which would close it
        raise


def _migrate(engine: sa.Engine, file: Path) -> None:
    with engine.begin() as connection:
        if _version(connection) == SCHEMA_VERSION:
            return
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # sqlite3 begins none for CREATE TABLE; half a schema would never heal
        from alembic import command
        from alembic.util import CommandError

        try:
            command.upgrade(migration_config(connection), "head")
        except CommandError as error:
            raise _newer(file) from error


def _check_version(engine: sa.Engine, file: Path) -> None:
    with engine.connect() as connection:
        found = _version(connection)
    if found == SCHEMA_VERSION:
        return
    if found is None or found < SCHEMA_VERSION:
        raise StateError(f"{file}: was written by an older cubbyd; start the daemon once, it brings the file up to date")
    raise _newer(file)


def _version(connection: sa.Connection) -> str | None:
    """Read the version that Alembic noted; None in a file that is new."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def migration_config(connection: sa.Connection | None = None) -> AlembicConfig:
    """Tell Alembic where the migrations lie, and on which connection to run them."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "cubbyd.journal:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _newer(file: Path) -> StateError:
    return StateError(f"{file}: was written by a newer cubbyd; install that version, or restore the copy from before")
