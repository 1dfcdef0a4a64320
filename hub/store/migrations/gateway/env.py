"""Alembic's entry for the gateway database; the caller hands in connection and tables."""

from hub.store.migrations.run import run

run()
