"""Alembic migrations of both databases, packaged with the program."""
