"""Several categories for one mail, mail that a rule leaves alone, and mail that a person should look at soon."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add a column for each; older mail has none of them."""
    op.add_column("message", sa.Column("others", sa.JSON))
    op.add_column("message", sa.Column("stays", sa.Boolean))
    op.add_column("message", sa.Column("urgent", sa.String))
