"""Engines and sessions for both databases: SQLite in a file, or PostgreSQL by URL.

    store = await open_store("sqlite:////var/lib/trygghub/centre/centre.db", which="centre")
    async with store.writing() as session:      # one transaction: committed at the end, rolled back on an error
        session.add(alert)
    async with store.reading() as session:      # a consistent view; writing through it is refused
        rows = await session.exec(select(Alert))

SQLite: WAL with full sync; readers never wait; writers of one process queue on one connection and take the
write lock at once (BEGIN IMMEDIATE), so no transaction fails half-way for having read first (ST-6).
Do not open `writing()` inside `writing()` on SQLite: the inner one would wait for the outer for ever.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import orjson
from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.store.errors import StoreError
from hub.store.migrate import migrate
from hub.store.sqlite_file import BUSY_SECONDS, FILE_PRAGMAS, prepare_file

Which = Literal["centre", "gateway"]

READERS = 4
"""SQLite connections for reading; each is a thread of aiosqlite's."""

DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


class Store:
    """One database: sessions for reading and for writing."""

    def __init__(self, url: URL, reader: AsyncEngine, writer: AsyncEngine) -> None:
        self.url = url
        self._reader = reader
        self._writer = writer

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.get_backend_name()

    @property
    def path(self) -> Path | None:
        """The file, on SQLite."""
        return Path(str(self.url.database)) if self.dialect == "sqlite" else None

    @property
    def engine(self) -> AsyncEngine:
        """The writing engine, for what sessions cannot say."""
        return self._writer

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Give a session that sees one moment of the database and cannot write."""
        async with AsyncSession(self._reader, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose changes are committed together at the end, or not at all."""
        async with AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.dispose()
        await self._writer.dispose()


def sqlite_url(path: Path | str) -> str:
    """The URL of a SQLite file."""
    return f"sqlite+aiosqlite:///{Path(path).absolute()}"


async def open_store(url: str, which: Which) -> Store:
    """Open a database, make it if it is new, and bring its tables up to date.

    Raises StoreError (one sentence) when it cannot be reached, is damaged, or is newer than this program.
    """
    target = _url(url)
    if target.get_backend_name() == "sqlite":
        await asyncio.to_thread(prepare_file, Path(str(target.database)))
        store = _sqlite(target)
    else:
        store = _postgresql(target)
    try:
        await migrate(store.engine, which)
    except BaseException:
        await store.close()
        raise
    return store


async def open_existing(url: str, which: Which) -> Store:
    """Open a database that must be there already: a question to a wrong folder is not answered "nothing is wrong".

    Raises StoreError as open_store does, and when there is no such file.
    """
    target = _url(url)
    if target.get_backend_name() == "sqlite" and not await asyncio.to_thread(
        Path(str(target.database)).exists
    ):
        raise StoreError(f"there is no database {target.database}; name the right --data or --database")
    if target.get_backend_name() == "sqlite" and await asyncio.to_thread(
        _is_another, Path(str(target.database)), which
    ):
        raise StoreError(
            f"{target.database} is not a {which}'s database; name the right --data or --database"
        )
    return await open_store(url, which)


def open_again(url: str) -> Store:
    """Open a database that was opened and found in order a moment ago, perhaps by our parent; nothing is checked."""
    target = _url(url)
    return _sqlite(target) if target.get_backend_name() == "sqlite" else _postgresql(target)


OWN_TABLE: Mapping[Which, str] = MappingProxyType({"centre": "alert", "gateway": "received_command"})


def _is_another(path: Path, which: Which) -> bool:
    """Whether a file holds tables, and not this role's: it must not be given ours on top."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            names = {
                row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
    except sqlite3.Error:
        return False  # opening it says what is wrong with it
    return bool(names) and OWN_TABLE[which] not in names


def _url(text: str) -> URL:
    try:
        url = make_url(text)
        driver = DRIVERS[url.drivername]
    except (ArgumentError, KeyError):
        shown = text.partition("@")[2] or text
        raise StoreError(
            f"a database is named like sqlite:////path/centre.db or postgresql://host/name, not {shown!r}"
        ) from None
    if driver.startswith("sqlite") and url.database in {None, "", ":memory:"}:
        raise StoreError("a SQLite database needs a file: sqlite:////path/centre.db")
    return url.set(drivername=driver)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _sqlite(url: URL) -> Store:
    options: dict[str, Any] = {"json_serializer": _json, "json_deserializer": orjson.loads}
    connect = {"timeout": BUSY_SECONDS}
    reader = create_async_engine(url, pool_size=READERS, max_overflow=0, connect_args=connect, **options)
    writer = create_async_engine(url, pool_size=1, max_overflow=0, connect_args=connect, **options)
    _begin_with(reader, "BEGIN", pragmas=(*FILE_PRAGMAS, "PRAGMA query_only=ON"))
    _begin_with(writer, "BEGIN IMMEDIATE", pragmas=FILE_PRAGMAS)
    return Store(url, reader, writer)


def _begin_with(engine: AsyncEngine, begin: str, pragmas: tuple[str, ...]) -> None:
    """Take transactions into our own hands: the sqlite3 module would begin them late and commit around DDL."""

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _postgresql(url: URL) -> Store:
    options: dict[str, Any] = {"json_serializer": _json, "json_deserializer": orjson.loads}
    writer = create_async_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True, **options)
    return Store(url, writer.execution_options(postgresql_readonly=True), writer)
