"""One moment of a database, while others write to it: SQLite's VACUUM INTO, PostgreSQL's pg_dump.

VACUUM INTO reads in one transaction (nobody waits for it), walks every table and index (damage shows), and leaves
what was deleted behind: a resident who was forgotten does not come back with a backup. Until it is done the
write-ahead log only grows. The copy is read through once more before it counts.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import asyncpg
from sqlalchemy import make_url

from hub.backup.manifest import BackupError, Role
from hub.store.errors import StoreError, sentence_for

STEPS: Final = 100_000
"""Instructions of SQLite's machine between two looks at how far the copy is."""

BUSY_SECONDS: Final = 30.0
SAID: Final = 500
"""Characters of what PostgreSQL's programs say that are passed on."""

Done = Callable[[int], None]


def size_of(path: Path) -> int:
    """Bytes that a copy will have at most."""
    wal = path.with_name(path.name + "-wal")
    return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)


def copy_sqlite(source: Path, target: Path, done: Done = lambda _bytes: None) -> None:
    """Copy a SQLite database that may be in use. Raises StoreError with one sentence."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # VACUUM takes an empty file
    written = 0

    def look() -> int:
        nonlocal written
        now = target.stat().st_size
        done(now - written)
        written = now
        return 0

    try:
        uri = f"{source.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            database.set_progress_handler(look, STEPS)
            database.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise BackupError(f"the disk that holds {target.parent} is full; no backup was made") from None
        raise sentence_for(source, error) from None
    _read_through(target, source)


def _read_through(copy: Path, source: Path) -> None:
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as database:
        found = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(f"the copy of {source} is not whole, so no backup was made ({found:.200})")


# ---------------------------------------------------------------- PostgreSQL, by its own programs


def dump_postgresql(url: str, target: Path) -> None:
    """Write one moment of a PostgreSQL database in pg_dump's own format. Raises BackupError."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _call("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={target}"], url)


def postgresql_role(url: str) -> Role:
    """The schema and the audit trail's newest hash of a centre on PostgreSQL. Raises BackupError."""
    schema, head = _ask(
        url, "SELECT version_num FROM alembic_version", "SELECT hash FROM audit ORDER BY seq DESC LIMIT 1"
    )
    return Role(str(schema or ""), "postgresql", head=str(head or ""))


def check_empty(url: str) -> None:
    """A dump goes into an empty database only. Raises BackupError."""
    (tables,) = _ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    if tables:
        raise BackupError(
            f"the database named by --database holds {tables} tables; a backup goes into an empty one (createdb)"
        )


def _ask(url: str, *questions: str) -> list[object]:
    async def ask() -> list[object]:
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        database = await asyncpg.connect(address)
        try:
            return [await database.fetchval(one) for one in questions]
        finally:
            await database.close()

    try:
        return asyncio.run(ask())
    except (OSError, asyncpg.PostgresError) as wrong:
        raise BackupError(f"the centre's database cannot be asked: {wrong!s:.300}") from None


def load_postgresql(url: str, source: Path) -> None:
    """Fill an empty PostgreSQL database from a dump, whole or not at all. Raises BackupError."""
    _call("pg_restore", ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges",
                         f"--dbname={make_url(url).database}", str(source)], url)  # fmt: skip


def _call(program: str, words: list[str], url: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise BackupError(
            f"the centre's database is PostgreSQL, and {program} is not on this machine: install"
            " postgresql-client, of the server's version or newer"
        )
    done = subprocess.run(  # noqa: S603  found above, and no word of it is anybody else's
        [found, *words], env=_environment(url), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise BackupError(f"{program} did not succeed: {said[:SAID] or f'exit code {done.returncode}'}")


def _environment(url: str) -> dict[str, str]:
    """Where the database is, as variables of libpq: a password has no business in the list of processes."""
    parts = make_url(url)
    told = {
        "PGHOST": parts.host or _one(parts.query.get("host")),
        "PGPORT": str(parts.port or ""),
        "PGUSER": parts.username,
        "PGPASSWORD": str(parts.password or ""),
        "PGDATABASE": parts.database,
        "PGSSLMODE": _one(parts.query.get("sslmode") or parts.query.get("ssl")),
    }
    return dict(os.environ) | {name: value for name, value in told.items() if value}


def _one(value: str | tuple[str, ...] | None) -> str | None:
    return value[0] if isinstance(value, tuple) else value
