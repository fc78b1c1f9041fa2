"""The tables of the state file, as SQLAlchemy sees them today; `migrations/` holds how they came to be.

The state file names no person: no subject, sender, body, or Message-ID. It holds what a mail is called on the server
(UIDVALIDITY and UID), a hash that finds it again, and what was decided about it. The explanation of a decision may hold
single words of the model's vocabulary, so the file is readable for its owner alone.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)

SCHEMA_VERSION = "0007"
"""The newest step in migrations/; a state file of this version needs no migrating, and Alembic is not loaded for it."""

PARAMETERS_AT_ONCE = 500
"""Values in one IN (…): SQLite takes 32,766 parameters, older builds 999."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC; SQLite keeps no time zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Store as naive UTC; a naive time is a mistake of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read back as aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

message = Table(
    "message",
    metadata,
    Column("id", Integer, primary_key=True),
    # where it was found
    Column("mailbox", String, nullable=False),
    Column("folder", String, nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("fingerprint", String),
    Column("received_at", UtcDateTime),
    Column("seen_at", UtcDateTime, nullable=False),
    # where it stands
    Column("state", String, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", UtcDateTime),
    Column("error", String),
    # what was decided
    Column("category", String),
    Column("probability", Float),
    Column("hold", String),
    Column("prediction", JSON(none_as_null=True)),
    # what is planned, or done
    Column("keyword", String),
    Column("target_folder", String),
    Column("target_uidvalidity", BigInteger),
    Column("target_uid_from", BigInteger),
    Column("target_uid", BigInteger),
    # what else was decided
    Column("others", JSON(none_as_null=True)),
    Column("stays", Boolean),
    Column("urgent", String),
    # since when it is no longer in the inbox, where it was left there
    Column("left_at", UtcDateTime),
    # in which run of its mailbox it was filed, and how that was taken back
    Column("run", Integer),
    Column("filed_at", UtcDateTime),
    Column("undo_id", Integer),
    Column("again", Boolean),
    Column("back_uidvalidity", BigInteger),
    Column("back_uid_from", BigInteger),
    Column("back_uid", BigInteger),
    UniqueConstraint("mailbox", "folder", "uidvalidity", "uid"),
    Index(None, "mailbox", "state"),
    Index(None, "fingerprint"),
    Index(None, "changed_at"),
    Index("ix_message_target", "target_folder", "target_uidvalidity", "target_uid", "mailbox"),  # see in_mailbox for the order
)

folder = Table(
    "folder",
    metadata,
    Column("mailbox", String, primary_key=True),
    Column("folder", String, primary_key=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("last_uid", BigInteger, nullable=False),
    # what lay there when it was first opened, and how far that is handled
    Column("begun_at", UtcDateTime),
    Column("epoch_at", UtcDateTime),
    Column("backlog_uid", BigInteger),
    Column("backlog_total", Integer),
    Column("backlog_left", Integer),
    Column("backlog_pace", Float),
)

poll = Table(
    "poll",
    metadata,
    Column("mailbox", String, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("succeeded_at", UtcDateTime),
    Column("failed_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("error", String),
)

undo = Table(
    "undo",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("selection", String, nullable=False),
    Column("again", Boolean, nullable=False),
)

digest = Table(
    "digest",
    metadata,
    Column("mailbox", String, primary_key=True),
    Column("due_at", UtcDateTime, primary_key=True),
    Column("fingerprint", String),
    Column("first_uid", BigInteger),
    Column("sent_at", UtcDateTime),
)

shelf = Table(
    "shelf",
    metadata,
    Column("mailbox", String, primary_key=True),
    Column("folder", String, primary_key=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("last_uid", BigInteger, nullable=False),
)
"""How far each folder was looked through that mail is filed to, for what people put there."""

sighting = Table(
    "sighting",
    metadata,
    Column("id", Integer, primary_key=True),
    # where a known mail was seen that cubbyd did not put there
    Column("mailbox", String, nullable=False),
    Column("folder", String, nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    # once it stayed there: which mail that is, and what the move says
    Column("record_id", Integer),
    Column("was", String),
    Column("category", String),
    Column("accepted_at", UtcDateTime),
    UniqueConstraint("mailbox", "folder", "uidvalidity", "uid"),
    Index(None, "record_id"),
    Index(None, "mailbox", "accepted_at"),
)


def in_mailbox(mailbox: str) -> ColumnElement[bool]:
    """Ask for one mailbox's mails where something else says more, and has the index that is to be used.

    SQLite takes an index that begins with the mailbox wherever it can, and reads every mail; it cannot for an expression.
    """
    return message.c.mailbox.concat("") == mailbox
