"""What can go wrong with a database, each said in one sentence that names the file and what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
FULL = {sqlite3.SQLITE_FULL}
LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
UNREADABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR}


class StoreError(Exception):
    """A database that cannot be used as asked. Its text is one sentence for people."""


class StoreDamagedError(StoreError):
    """The file is not a sound database of ours."""


class StoreFullError(StoreError):
    """There is no room on the disk; nothing was written."""


class StoreLockedError(StoreError):
    """Another process held the database for too long; nothing was written."""


class StoreAwayError(StoreError):
    """The database is not to be had just now: its server is away, or another process has it. Later it may be."""


class StoreUnreadableError(StoreError):
    """The operating system does not let us read or write the file."""


MAY_PASS = (StoreAwayError, StoreFullError, StoreLockedError)
"""Troubles that waiting can mend; with the others, starting again would not help."""


def sentence_for(path: Path, error: sqlite3.Error) -> StoreError:
    """Translate what SQLite says (https://sqlite.org/rescode.html) into one of our errors."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in FULL:
        return StoreFullError(
            f"the disk that holds {path} is full; free some space, nothing was written ({error})"
        )
    if code in LOCKED:
        return StoreLockedError(f"another process holds the database {path}; nothing was written ({error})")
    if code in DAMAGED:
        return StoreDamagedError(
            f"the database {path} is damaged; put it aside and restore a backup ({error})"
        )
    if code in UNREADABLE:
        return StoreUnreadableError(
            f"the database {path} cannot be read or written; check disk and rights ({error})"
        )
    return StoreError(f"the database {path} refused a statement: {error}")
