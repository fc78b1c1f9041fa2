"""What an undo needs: in which run a mail was filed, where it was taken back to, and the undos themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, empty for older mail, and the table."""
    op.add_column("message", sa.Column("run", sa.Integer))
    op.add_column("message", sa.Column("filed_at", sa.DateTime))
    op.add_column("message", sa.Column("undo_id", sa.Integer))
    op.add_column("message", sa.Column("again", sa.Boolean))
    op.add_column("message", sa.Column("back_uidvalidity", sa.BigInteger))
    op.add_column("message", sa.Column("back_uid_from", sa.BigInteger))
    op.add_column("message", sa.Column("back_uid", sa.BigInteger))
    op.create_table(
        "undo",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("begun_at", sa.DateTime, nullable=False),
        sa.Column("selection", sa.String, nullable=False),
        sa.Column("again", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_undo"),
    )
