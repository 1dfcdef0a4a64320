"""What both env.py files do: run migrations on the connection they were handed."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlmodel.sql.sqltypes import AutoString


def run() -> None:
    """Run on the caller's connection, inside the caller's transaction, which holds the lock."""
    config = context.config
    context.configure(
        connection=config.attributes["connection"],
        target_metadata=config.attributes["tables"],
        render_item=_render,
        render_as_batch=True,
        compare_type=True,
        transactional_ddl=True,
    )
    context.run_migrations()


def _render(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Write SQLModel's string type as what it is, so that migrations need SQLAlchemy alone."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False
