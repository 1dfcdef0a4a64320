"""The group-commit writer: many small changes, one transaction, one fsync (reference: messaging, section 4.2).

One thread owns one SQLite connection (WAL, full sync). It takes whatever is queued, at most BATCH operations,
runs each behind a savepoint of its own inside one transaction, commits, and resolves all waiting futures in one
call to the event loop. When `await writer.write(operation)` returns, the change is on the disk.

    def append(db: sqlite3.Connection) -> int:
        return db.execute("INSERT …").lastrowid

    seq = await writer.write(append)

An operation that raises fails only its own future. A disk that is full, a database that another process holds
and a damaged file fail the whole batch, with one of the sentences of hub.store.errors, and show in `state`.
Reading through `write` is fine and costs no fsync: a transaction that changed nothing is not written.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from hub.store.errors import (
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreUnreadableError,
    sentence_for,
)
from hub.store.sqlite_file import BUSY_SECONDS, FILE_PRAGMAS

BATCH = 512
"""Operations in one transaction at most; beyond it the gain is small and the wait of the first grows."""

ROOM = 4096
"""Operations that may wait; who comes after them is kept waiting (back-pressure), in order."""

T = TypeVar("T")
Operation: TypeAlias = Callable[[sqlite3.Connection], T]
Condition = Literal["ok", "full", "locked", "damaged", "unreadable", "broken", "closed"]

CONDITIONS: dict[type[StoreError], Condition] = {
    StoreFullError: "full",
    StoreLockedError: "locked",
    StoreDamagedError: "damaged",
    StoreUnreadableError: "unreadable",
}
"""Troubles of the whole file. All may pass, so the writer goes on trying; only `broken` and `closed` are final."""

FINAL = {"broken", "closed"}


@dataclass(frozen=True, slots=True)
class WriterState:
    """How the last commit went: `ok`, or what is wrong and the sentence that says so."""

    condition: Condition = "ok"
    sentence: str = ""


@dataclass(slots=True)
class WriterCounters:
    """What the writer has done. seconds: time spent in commits, fsync included."""

    operations: int = 0
    refused: int = 0
    batches: int = 0
    failed_batches: int = 0
    seconds: float = 0.0
    longest: float = 0.0


@dataclass(slots=True)
class _Waiting(Generic[T]):
    operation: Operation[T]
    done: asyncio.Future[T]
    then: Callable[[T], None] | None
    result: T | None = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class Writer:
    """The one way rows get into a SQLite database that must keep up with devices.

    before_commit, for tests: called in the writer's thread between the last operation and the commit.
    """

    path: Path
    batch: int = BATCH
    room: int = ROOM
    busy_seconds: float = BUSY_SECONDS
    before_commit: Callable[[], None] = lambda: None
    state: WriterState = WriterState()
    counters: WriterCounters = field(default_factory=WriterCounters)
    _queue: deque[_Waiting[Any]] = field(default_factory=deque)
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _closing: bool = False
    _places: asyncio.Semaphore | None = None
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open the connection in the writer's own thread. Raises StoreError when it cannot be opened."""
        self._loop = asyncio.get_running_loop()
        self._places = asyncio.Semaphore(self.room)
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name=f"writer {self.path.name}", daemon=True
        )
        self._thread.start()
        await opened

    async def close(self) -> None:
        """Commit what is queued, then close the connection. Later writes are refused."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def write(self, operation: Operation[T], then: Callable[[T], None] | None = None) -> T:
        """Run an operation in the next transaction and give its result back after the commit.

        then: called with the result on the event loop, strictly in the order of the commits, before anybody
        who waits goes on; it must not raise.

        While there is room the operation is queued before the first suspension, so callers that are started
        in order are committed in order. Who stops waiting does not stop the operation.
        Raises StoreError, or whatever the operation raised.
        """
        if self._places is None:
            raise StoreError(f"the writer of {self.path} was not started")
        async with self._places:
            return await self._submit(operation, then)

    @property
    def waiting(self) -> int:
        """Operations queued and not yet taken into a transaction."""
        return len(self._queue)

    def _submit(self, operation: Operation[T], then: Callable[[T], None] | None) -> asyncio.Future[T]:
        assert self._loop is not None
        entry: _Waiting[T] = _Waiting(operation, self._loop.create_future(), then)
        with self._wake:
            if self._closing or self.state.condition in FINAL:
                raise StoreError(
                    self.state.sentence or f"the database {self.path} is being closed; nothing was written"
                )
            self._queue.append(entry)
            self._wake.notify()
        return entry.done

    # ------------------------------------------------------------ in the writer's thread

    def _run(self, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._connect()
        except sqlite3.Error as error:
            self._tell(_fail, opened, sentence_for(self.path, error))
            return
        self._tell(_succeed, opened, None)
        try:
            while batch := self._take():
                self._carry_out(connection, batch)
                self._tell(_resolve, batch)
            self._say("closed", f"the database {self.path} is closed")
        except BaseException as error:  # a defect of ours: nobody may wait for ever on a dead thread
            self._say("broken", f"the writer of {self.path} broke: {error!r}")
        finally:
            connection.close()
            self._abandon()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self.busy_seconds, isolation_level=None)
        for pragma in (
            "PRAGMA journal_mode=WAL",
            *FILE_PRAGMAS,
            f"PRAGMA busy_timeout={int(self.busy_seconds * 1000)}",
        ):
            connection.execute(pragma)
        return connection

    def _take(self) -> list[_Waiting[Any]]:
        """Everything queued, at most a batch; empty when closing and nothing is left."""
        with self._wake:
            while not self._queue and not self._closing:
                self._wake.wait()
            return [self._queue.popleft() for _ in range(min(self.batch, len(self._queue)))]

    def _carry_out(self, connection: sqlite3.Connection, batch: list[_Waiting[Any]]) -> None:
        begun = time.perf_counter()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for entry in batch:
                self._one(connection, entry)
            self.before_commit()
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._take_back(connection, batch, sentence_for(self.path, error))
            return
        except BaseException as error:
            self._take_back(connection, batch, StoreError(f"the commit to {self.path} broke: {error!r}"))
            self._say("broken", f"the writer of {self.path} broke: {error!r}")  # before anybody hears of it
            self._tell(_resolve, batch)
            raise
        self._count(batch, time.perf_counter() - begun)
        if self.state.condition != "ok":
            self._say("ok", "")

    def _one(self, connection: sqlite3.Connection, entry: _Waiting[Any]) -> None:
        """Run one operation behind its savepoint; what fails for the whole file is left to the caller."""
        connection.execute("SAVEPOINT operation")
        try:
            entry.result = entry.operation(connection)
        except Exception as error:
            if isinstance(error, sqlite3.Error) and type(sentence_for(self.path, error)) in CONDITIONS:
                raise
            entry.error = error
            connection.execute("ROLLBACK TO operation")
        connection.execute("RELEASE operation")

    def _take_back(
        self, connection: sqlite3.Connection, batch: list[_Waiting[Any]], error: StoreError
    ) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for entry in batch:
            entry.result, entry.error = None, error
        self.counters.failed_batches += 1
        self._say(CONDITIONS.get(type(error), "ok"), str(error))

    def _count(self, batch: list[_Waiting[Any]], seconds: float) -> None:
        counters = self.counters
        counters.operations += len(batch)
        counters.refused += sum(entry.error is not None for entry in batch)
        counters.batches += 1
        counters.seconds += seconds
        counters.longest = max(counters.longest, seconds)

    def _say(self, condition: Condition, sentence: str) -> None:
        self.state = WriterState(condition, sentence)

    def _abandon(self) -> None:
        with self._wake:
            left = list(self._queue)
            self._queue.clear()
            self._closing = True
        for entry in left:
            entry.error = StoreError(self.state.sentence)
        self._tell(_resolve, left)

    def _tell(self, what: Callable[..., None], *args: Any) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError:
            return  # the loop is gone, and with it everybody who waited


def _resolve(batch: list[_Waiting[Any]]) -> None:
    for entry in batch:
        if entry.error is not None:
            _fail(entry.done, entry.error)
            continue
        if entry.then is not None:
            entry.then(entry.result)
        _succeed(entry.done, entry.result)


def _succeed(done: asyncio.Future[Any], result: Any) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[Any], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
