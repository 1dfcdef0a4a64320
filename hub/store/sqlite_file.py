"""A SQLite file before anybody uses it: made, switched to WAL, looked over for damage."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from hub.store.errors import StoreDamagedError, StoreError, StoreUnreadableError, sentence_for

BUSY_SECONDS = 10.0
"""How long a writer waits for another process's transaction before it gives up."""

FILE_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}",
)

LOOK_OVER_SECONDS = 5.0
"""The look-over at boot stops here: a centre of many gigabytes must not stay dark while it is read through."""


def prepare_file(path: Path) -> None:
    """Make the file if need be, put it into WAL mode and look it over.

    Raises StoreError with one sentence when it cannot be opened or is damaged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnreadableError(f"the folder {path.parent} cannot be made: {error.strerror}") from None
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            _to_wal(connection)
            _look_over(connection, path)
    except sqlite3.Error as error:
        raise sentence_for(path, error) from None
    path.chmod(0o600)


def _to_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; while another process does the same SQLite answers "locked" at once, without waiting."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise StoreError(
                f"the database cannot use a write-ahead log here (SQLite stays in {mode!r} mode)"
            )
        return


def _look_over(connection: sqlite3.Connection, path: Path) -> None:
    """Read as much of the file as a few seconds allow and stop at the first damage (ST-5).

    The check is one step of SQLite's own, within which it asks nobody whether to go on; only an interrupt from
    another thread ends it. What an interrupted check says of pages it has not come to is no damage.
    """
    begun = time.monotonic()
    stopper = threading.Timer(LOOK_OVER_SECONDS, connection.interrupt)
    stopper.daemon = True
    stopper.start()
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return
    finally:
        stopper.cancel()
    if found is not None and found[0] != "ok" and time.monotonic() - begun < LOOK_OVER_SECONDS:
        raise StoreDamagedError(
            f"the database {path} is damaged; put it aside and restore a backup ({found[0]:.200})"
        )
