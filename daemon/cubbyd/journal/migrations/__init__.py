"""The numbered steps that bring a state file of any released version to today's schema (Alembic)."""
