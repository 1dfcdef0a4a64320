"""The databases: whether they can be opened, are whole, and fit this program. Nothing is written or repaired."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

from hub.doctor.finding import Finding, fail, ok, warn
from hub.store.revision import newest_file, revision_of

LOOK_SECONDS = 60.0
RESTORE = (
    "stop trygghub and put a backup back: trygghub restore --replace keeps the damaged one (deploy/backup.md)"
)


def sqlite(path: Path, which: Literal["centre", "gateway"]) -> Iterator[Finding]:
    """One SQLite file; a missing one is no fault before the first start."""
    if not path.is_file():
        yield ok(f"there is no {which} database yet; the first start makes it")
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            yield from _whole(db, path)
    except sqlite3.Error as wrong:
        yield fail(f"the database {path} cannot be read: {wrong}", RESTORE)
        return
    yield from _fits(path, which)


def newest_line(path: Path) -> int | None:
    """When the newest line of a gateway's journal was heard, ms UTC; None where nobody can say."""
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            (found,) = db.execute("SELECT max(heard) FROM journal").fetchone()
    except sqlite3.Error:
        return None
    return found if isinstance(found, int) else None


def _whole(db: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    stopper = threading.Timer(
        LOOK_SECONDS, db.interrupt
    )  # within its check SQLite asks nobody whether to go on
    stopper.daemon = True
    stopper.start()
    size = f"{path.stat().st_size / 1e6:.0f} MB"
    try:
        wrong = [row[0] for row in db.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
    except sqlite3.OperationalError as stopped:
        if stopped.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        yield warn(
            f"the database {path} ({size}) was looked at for {LOOK_SECONDS:g} s, and no damage found so far",
            f"look at all of it when there is time: sqlite3 {path} 'PRAGMA integrity_check'",
        )
        return
    finally:
        stopper.cancel()
    if wrong:
        yield fail(f"the database {path} is damaged: {wrong[0]:.200}", RESTORE)
    else:
        yield ok(f"the database {path} ({size}) is whole")


def _fits(path: Path, which: Literal["centre", "gateway"]) -> Iterator[Finding]:
    has, wants = revision_of(path), newest_file(which)
    if has is not None and has > wants:
        yield fail(
            f"the database {path} was made by a newer trygghub (tables {has}, this program knows {wants})",
            "install the newer version again",
        )
    elif has != wants:
        yield warn(
            f"the database {path} has older tables", f"start the {which} once; it brings them up to date"
        )


def postgresql(url: str) -> Iterator[Finding]:
    """Whether the server answers, and holds a centre's tables."""
    from hub.log import hide  # noqa: PLC0415
    from hub.store.engine import open_existing  # noqa: PLC0415  the whole store only where there is a server
    from hub.store.errors import StoreError  # noqa: PLC0415

    async def look() -> None:
        async with asyncio.timeout(LOOK_SECONDS):
            await (await open_existing(url, "centre")).close()

    try:
        asyncio.run(look())
    except (StoreError, OSError, TimeoutError) as wrong:
        yield fail(
            f"the database {hide(url)} cannot be used: {wrong or 'no answer'}",
            "is it on, and the login right?",
        )
    else:
        yield ok(f"the database {hide(url)} answers and holds a centre")
