"""Engines and sessions: what a transaction promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import select

from hub.store import sqlite_file
from hub.store.centre_tables import District, Lane
from hub.store.engine import Store, open_store, sqlite_url
from hub.store.errors import StoreDamagedError, StoreError, StoreUnreadableError


async def test_a_committed_change_is_read_back(centre: Store) -> None:
    """What a writing session added stands in the database after it."""
    async with centre.writing() as session:
        session.add(District(id="north", name="Nord"))
    async with centre.reading() as session:
        assert [d.name for d in (await session.exec(select(District))).all()] == ["Nord"]


async def test_an_error_takes_the_whole_transaction_back(centre: Store) -> None:
    """A writing session that ends in an error leaves nothing behind."""

    async def break_off() -> None:
        async with centre.writing() as session:
            session.add(District(id="north", name="Nord"))
            await session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await break_off()
    async with centre.reading() as session:
        assert (await session.exec(select(District))).all() == []


async def test_reading_cannot_write(centre: Store) -> None:
    """A write through a reading session is refused by the database itself."""

    async def write() -> None:
        async with centre.reading() as session:
            session.add(District(id="north", name="Nord"))
            await session.flush()

    with pytest.raises(DBAPIError, match="read"):
        await write()


async def test_writers_that_read_first_never_lose_an_update(centre: Store) -> None:
    """Forty tasks that each read a number and write it back one higher end at forty."""
    async with centre.writing() as session:
        session.add(Lane(gateway="gw", epoch="ab", lane="care", upto=0))

    async def add_one() -> None:
        async with centre.writing() as session:
            statement = select(Lane).with_for_update()
            lane = (await session.exec(statement)).one()
            await asyncio.sleep(0)
            lane.upto += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(40):
            tasks.create_task(add_one())
    async with centre.reading() as session:
        assert (await session.exec(select(Lane))).one().upto == 40


async def test_a_reader_is_not_kept_waiting_by_a_writer(centre: Store) -> None:
    """While a transaction is open a reader sees the state before it."""
    async with centre.writing() as session:
        session.add(District(id="north", name="Nord"))
        await session.flush()
        async with centre.reading() as other:
            assert (await other.exec(select(District))).all() == []


async def test_a_double_row_is_refused(centre: Store) -> None:
    """A primary key that is taken makes the transaction fail."""
    async with centre.writing() as session:
        session.add(District(id="north", name="Nord"))
    with pytest.raises(IntegrityError):
        async with centre.writing() as session:
            session.add(District(id="north", name="Nord igjen"))


async def test_sqlite_is_durable(tmp_path: Path) -> None:
    """A SQLite store writes ahead, syncs fully and is closed to other users of the machine."""
    store = await open_store(sqlite_url(tmp_path / "centre.db"), "centre")
    async with store.reading() as session:
        connection = await session.connection()
        assert (await connection.execute(text("PRAGMA journal_mode"))).scalar() == "wal"
        assert (await connection.execute(text("PRAGMA synchronous"))).scalar() == 2
        assert (await connection.execute(text("PRAGMA foreign_keys"))).scalar() == 1
    await store.close()
    assert (tmp_path / "centre.db").stat().st_mode & 0o077 == 0


async def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    """Rubbish in place of the database is called damaged, and the file is named."""
    (tmp_path / "centre.db").write_bytes(b"a letter to grandmother\n" * 400)
    with pytest.raises(StoreDamagedError, match=r"centre\.db is damaged"):
        await open_store(sqlite_url(tmp_path / "centre.db"), "centre")


def test_looking_over_a_large_file_ends_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The check asks nobody whether to go on; it is interrupted, and what it says of the unread rest is no damage."""
    monkeypatch.setattr(sqlite_file, "LOOK_OVER_SECONDS", 0.01)

    class Endless:
        """A file that is read until somebody interrupts."""

        def __init__(self, *, says: bool) -> None:
            self.stopped, self.says = threading.Event(), says

        def interrupt(self) -> None:
            """End what is under way."""
            self.stopped.set()

        def execute(self, _sql: str) -> Any:
            """Read on."""
            assert self.stopped.wait(10)
            if self.says:
                return SimpleNamespace(fetchone=lambda: ("Page 7 is never used",))
            error = sqlite3.OperationalError("interrupted")
            error.sqlite_errorcode = sqlite3.SQLITE_INTERRUPT
            raise error

    for says in (True, False):
        sqlite_file._look_over(Endless(says=says), tmp_path)  # type: ignore[arg-type]


async def test_a_damaged_page_is_found_at_boot(tmp_path: Path) -> None:
    """A database whose pages were overwritten is refused before anybody trusts it."""
    path = tmp_path / "gateway.db"
    await (await open_store(sqlite_url(path), "gateway")).close()
    whole = bytearray(path.read_bytes())
    whole[4096 * 3 : 4096 * 6] = b"\xa5" * (4096 * 3)
    path.write_bytes(whole)
    with pytest.raises(StoreDamagedError, match="damaged"):
        await open_store(sqlite_url(path), "gateway")


async def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A path below a plain file is refused with the folder's name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnreadableError, match="file"):
        await open_store(sqlite_url(tmp_path / "file" / "below" / "centre.db"), "centre")


@pytest.mark.parametrize("url", ["", "oracle://h/db", "sqlite://", "sqlite:///:memory:", "no url at all"])
async def test_a_wrong_url_is_one_sentence(url: str) -> None:
    """A database we do not know, or a SQLite one without a file, is refused with an example of a right one."""
    with pytest.raises(StoreError, match="sqlite:////path"):
        await open_store(url, "centre")


async def test_a_password_is_not_shown_in_an_error() -> None:
    """A database that cannot be reached is named without its password."""
    with pytest.raises(StoreError) as told:
        await open_store("postgresql://nurse:hemmelig@127.0.0.1:1/trygghub", "centre")
    assert "hemmelig" not in str(told.value)
    assert "127.0.0.1:1" in str(told.value)


START = """
import asyncio, sys
from hub.store.engine import open_store
asyncio.run(open_store(sys.argv[1], "centre"))
"""


async def test_processes_may_start_at_the_same_time(tmp_path: Path) -> None:
    """Three processes that open a new database at once all succeed."""
    url = sqlite_url(tmp_path / "centre.db")
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", START, url, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in started:
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
