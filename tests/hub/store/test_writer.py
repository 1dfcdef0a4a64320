"""The group-commit writer: everything it says it wrote is on the disk, and one bad change harms no other."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from hub.store.errors import StoreError, StoreFullError, StoreLockedError
from hub.store.sqlite_file import prepare_file
from hub.store.writer import Writer


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database with one small table."""
    path = tmp_path / "gateway.db"
    prepare_file(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE line (text TEXT UNIQUE)")
    return path


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    """A writer at work."""
    writer = Writer(path, busy_seconds=0.05)
    await writer.start()
    yield writer
    await writer.close()


def add(text: str) -> Callable[[sqlite3.Connection], int]:
    """An operation that writes one line and returns its number."""
    return lambda db: int(db.execute("INSERT INTO line VALUES (?)", (text,)).lastrowid or 0)


def lines(path: Path) -> list[str]:
    """What another process sees in the database."""
    with closing(sqlite3.connect(path)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM line ORDER BY rowid")]


class Gate:
    """Holds the writer's thread before its commit until opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> None:
        """Stand here until the test opens the gate."""
        self.reached.set()
        assert self.opened.wait(10)


async def test_what_was_written_is_on_the_disk(writer: Writer, path: Path) -> None:
    """When write returns another process can read the change."""
    assert await writer.write(add("first")) == 1
    assert lines(path) == ["first"]


async def test_nobody_is_told_before_the_commit(writer: Writer, path: Path) -> None:
    """While the commit has not happened the caller still waits."""
    gate = writer.before_commit = Gate()
    waiting = asyncio.create_task(writer.write(add("first")))
    await asyncio.to_thread(gate.reached.wait, 10)
    assert not waiting.done()
    assert lines(path) == []
    gate.opened.set()
    await waiting


async def test_many_changes_share_one_commit(writer: Writer, path: Path) -> None:
    """What queues up behind a commit is written by the next one, in order."""
    gate = writer.before_commit = Gate()
    first = asyncio.create_task(writer.write(add("first")))
    await asyncio.to_thread(gate.reached.wait, 10)
    rest = [asyncio.create_task(writer.write(add(f"{n}"))) for n in range(200)]
    await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(first, *rest)
    assert writer.counters.batches == 2
    assert lines(path) == ["first", *(f"{n}" for n in range(200))]


async def test_one_failing_operation_fails_alone(writer: Writer, path: Path) -> None:
    """In a batch of three where the second is refused, the first and third are written."""
    await writer.write(add("taken"))
    gate = writer.before_commit = Gate()
    gate.opened.set()
    outcome = await asyncio.gather(
        writer.write(add("a")), writer.write(add("taken")), writer.write(add("b")), return_exceptions=True
    )
    assert isinstance(outcome[1], sqlite3.IntegrityError)
    assert lines(path) == ["taken", "a", "b"]
    assert writer.state.condition == "ok"
    assert writer.counters.refused == 1


async def test_a_failing_operation_leaves_nothing_of_itself(writer: Writer, path: Path) -> None:
    """What an operation wrote before it raised is taken back."""

    def half(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO line VALUES ('half')")
        raise LookupError("the other half is missing")

    with pytest.raises(LookupError):
        await writer.write(half)
    assert lines(path) == []


async def test_a_full_disk_is_one_sentence_and_passes(writer: Writer, path: Path) -> None:
    """When the disk is full nothing is claimed as written; with room again the writer goes on."""
    await writer.write(lambda db: db.execute("PRAGMA max_page_count=4").fetchone())
    with pytest.raises(StoreFullError, match=r"full.*nothing was written"):
        await writer.write(add("x" * 100_000))
    assert writer.state.condition == "full"
    assert lines(path) == []
    await writer.write(lambda db: db.execute("PRAGMA max_page_count=100000").fetchone())
    await writer.write(add("y"))
    assert writer.state.condition == "ok"
    assert lines(path) == ["y"]


async def test_a_locked_database_is_one_sentence_and_passes(writer: Writer, path: Path) -> None:
    """While another process holds the database a write fails in a sentence; afterwards writes succeed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLockedError, match="another process"):
            await writer.write(add("a"))
        assert writer.state.condition == "locked"
    await writer.write(add("b"))
    assert lines(path) == ["b"]


async def test_closing_writes_what_is_queued(writer: Writer, path: Path) -> None:
    """A writer that is closed commits everything it had accepted, and then refuses."""
    waiting = [asyncio.create_task(writer.write(add(f"{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    await writer.close()
    await asyncio.gather(*waiting)
    assert len(lines(path)) == 50
    with pytest.raises(StoreError, match="closed"):
        await writer.write(add("late"))


async def test_too_many_writers_are_kept_waiting_in_order(path: Path) -> None:
    """Beyond the room of the queue callers wait, and their order is kept."""
    writer = Writer(path, room=8, batch=4)
    await writer.start()
    most = 0

    def watched(text: str) -> Callable[[sqlite3.Connection], None]:
        def operation(db: sqlite3.Connection) -> None:
            nonlocal most
            most = max(most, writer.waiting)
            add(text)(db)

        return operation

    await asyncio.gather(*(writer.write(watched(f"{n}")) for n in range(100)))
    await writer.close()
    assert most <= 8
    assert lines(path) == [f"{n}" for n in range(100)]


async def test_a_defect_in_the_writer_leaves_nobody_waiting(path: Path) -> None:
    """If the writer's thread ends, everybody who waits is told, and so is who comes later."""
    writer = Writer(path)
    await writer.start()
    gate = Gate()

    def break_off() -> None:
        gate()
        raise SystemExit

    writer.before_commit = break_off
    first = asyncio.create_task(writer.write(add("a")))
    await asyncio.to_thread(gate.reached.wait, 10)
    second = asyncio.create_task(writer.write(add("b")))
    await asyncio.sleep(0)
    gate.opened.set()
    outcome = await asyncio.gather(first, second, return_exceptions=True)
    assert all(isinstance(error, StoreError) for error in outcome)
    with pytest.raises(StoreError):
        await writer.write(add("c"))
    assert lines(path) == []


async def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    """A writer whose file cannot be opened says so when it starts."""
    with pytest.raises(StoreError, match=r"gateway\.db"):
        await Writer(tmp_path / "nowhere" / "gateway.db").start()
