"""Which digests were sent, so that none is sent twice."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "digest",
        sa.Column("mailbox", sa.String, nullable=False),
        sa.Column("due_at", sa.DateTime, nullable=False),
        sa.Column("fingerprint", sa.String),
        sa.Column("first_uid", sa.BigInteger),
        sa.Column("sent_at", sa.DateTime),
        sa.PrimaryKeyConstraint("mailbox", "due_at", name="pk_digest"),
    )
