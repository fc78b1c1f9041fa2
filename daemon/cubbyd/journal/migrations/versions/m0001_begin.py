"""Begin: messages with their life, folders with their watermark, polls with their outcome."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "message",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("mailbox", sa.String, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("uidvalidity", sa.BigInteger, nullable=False),
        sa.Column("uid", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.String),
        sa.Column("received_at", sa.DateTime),
        sa.Column("seen_at", sa.DateTime, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("changed_at", sa.DateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before", sa.DateTime),
        sa.Column("error", sa.String),
        sa.Column("category", sa.String),
        sa.Column("probability", sa.Float),
        sa.Column("hold", sa.String),
        sa.Column("prediction", sa.JSON),
        sa.Column("keyword", sa.String),
        sa.Column("target_folder", sa.String),
        sa.Column("target_uidvalidity", sa.BigInteger),
        sa.Column("target_uid_from", sa.BigInteger),
        sa.Column("target_uid", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_message"),
        sa.UniqueConstraint("mailbox", "folder", "uidvalidity", "uid", name="uq_message_mailbox_folder_uidvalidity_uid"),
    )
    op.create_index("ix_message_mailbox_state", "message", ["mailbox", "state"])
    op.create_index("ix_message_fingerprint", "message", ["fingerprint"])
    op.create_index("ix_message_changed_at", "message", ["changed_at"])
    op.create_table(
        "folder",
        sa.Column("mailbox", sa.String, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("uidvalidity", sa.BigInteger, nullable=False),
        sa.Column("last_uid", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "folder", name="pk_folder"),
    )
    op.create_table(
        "poll",
        sa.Column("mailbox", sa.String, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("succeeded_at", sa.DateTime),
        sa.Column("failed_at", sa.DateTime),
        sa.Column("failing_since", sa.DateTime),
        sa.Column("error", sa.String),
        sa.PrimaryKeyConstraint("mailbox", name="pk_poll"),
    )
