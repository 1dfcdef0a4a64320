"""Which revision a database stands at, found out without SQLAlchemy: a gateway box saves 30 MB by it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

from hub.store.errors import sentence_for

VERSIONS = Path(__file__).parent / "migrations"


def newest_file(which: Literal["centre", "gateway"]) -> str:
    """The number of the newest packaged migration: `0003`."""
    return max(path.name[:4] for path in (VERSIONS / which / "versions").glob("[0-9]*.py"))


def revision_of(path: Path) -> str | None:
    """The revision of a SQLite file; None for one without our tables. Raises StoreError."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise sentence_for(path, error) from None
    except sqlite3.Error as error:
        raise sentence_for(path, error) from None
    return None if row is None else str(row[0])
