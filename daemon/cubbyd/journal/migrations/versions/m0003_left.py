"""Since when a mail that was left in the inbox is no longer there: before that, its row must not be pruned."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; of older mail nothing is known yet."""
    op.add_column("message", sa.Column("left_at", sa.DateTime))
