"""Where people put mail after it was decided, and how far each folder was looked through for that."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables, and the index that finds what cubbyd itself put into a folder."""
    op.create_table(
        "shelf",
        sa.Column("mailbox", sa.String, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("uidvalidity", sa.BigInteger, nullable=False),
        sa.Column("last_uid", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "folder", name="pk_shelf"),
    )
    op.create_table(
        "sighting",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("mailbox", sa.String, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("uidvalidity", sa.BigInteger, nullable=False),
        sa.Column("uid", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("seen_at", sa.DateTime, nullable=False),
        sa.Column("record_id", sa.Integer),
        sa.Column("was", sa.String),
        sa.Column("category", sa.String),
        sa.Column("accepted_at", sa.DateTime),
        sa.PrimaryKeyConstraint("id", name="pk_sighting"),
        sa.UniqueConstraint("mailbox", "folder", "uidvalidity", "uid", name="uq_sighting_mailbox_folder_uidvalidity_uid"),
    )
    op.create_index("ix_sighting_record_id", "sighting", ["record_id"])
    op.create_index("ix_sighting_mailbox_accepted_at", "sighting", ["mailbox", "accepted_at"])
    op.create_index("ix_message_target", "message", ["target_folder", "target_uidvalidity", "target_uid", "mailbox"])
