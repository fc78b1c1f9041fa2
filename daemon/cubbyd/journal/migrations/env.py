"""What Alembic runs to migrate: it works on the connection that the journal hands over, inside the journal's transaction."""

from alembic import context

from cubbyd.journal.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
