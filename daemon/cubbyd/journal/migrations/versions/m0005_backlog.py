"""What lay in an inbox when it was first opened, and how far that is handled."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns. An inbox that was opened before has none of that mail: all that lies there is known, or new."""
    op.add_column("folder", sa.Column("begun_at", sa.DateTime))
    op.add_column("folder", sa.Column("epoch_at", sa.DateTime))
    op.add_column("folder", sa.Column("backlog_uid", sa.BigInteger))
    op.add_column("folder", sa.Column("backlog_total", sa.Integer))
    op.add_column("folder", sa.Column("backlog_left", sa.Integer))
    op.add_column("folder", sa.Column("backlog_pace", sa.Float))
    op.execute("UPDATE folder SET backlog_uid = 0, backlog_total = 0, backlog_left = 0")
