"""Upkeep of the gateway's store: what may be forgotten, how full it is, and what goes when it is too full.

Only what the centre has acknowledged and the rules no longer need is forgotten, after a few days or sooner when
room is short. When that is not enough, telemetry that was never sent goes, oldest first, and a line says so;
alarms, care and technical entries never go (failure modes ST-2 to ST-4). Deletions come in small chunks.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from drivers.events import Millis
from hub.clock import Clock
from hub.gateway.journal import Line, health_line
from hub.gateway.own_facts import OwnFacts
from hub.store.errors import StoreError
from hub.store.writer import Operation, Writer

QUOTA = 512 * 1024 * 1024
"""Bytes the gateway's database may hold: years of one home, weeks of a building, with the centre away."""

KEEP: Millis = 3 * 86_400_000
"""How long acknowledged lines stay, for explaining and for replaying changed rules (two days at most)."""

CHUNK = 500
"""Rows deleted in one transaction."""

EVERY = 300.0
"""Seconds of world time between two rounds."""

STEPS = (50, 80)
"""Fill levels, in per cent, at which somebody is told; told as over when 5 below again."""

FREE_MARKS, FREE_STEP = (10, 15), 10
"""Free storage, in per cent, that rules ask for, told when it is passed; and how far it may move untold otherwise."""

PRESSED, CROWDED = 80, 90
"""Per cent from which acknowledged lines go at once, and from which unsent telemetry goes."""

say = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fill:
    """How full the store is. used: bytes of the quota. free: bytes the disk still has."""

    used: int
    quota: int
    free: int

    @property
    def percent(self) -> float:
        """The worse of two, in per cent: the quota's use, and how far the disk's room falls short of two quotas."""
        return max(100 * self.used / self.quota, 100 * (1 - self.free / (2 * self.quota)))


def disk_free(path: Path) -> int:
    """Bytes that the file's disk still has."""
    return shutil.disk_usage(path.parent).free


@dataclass(slots=True, eq=False)
class Upkeep:
    """Keeps the store within its bounds. disk: bytes the disk of a path still has."""

    writer: Writer
    clock: Clock
    own: OwnFacts
    quota: int = QUOTA
    disk: Callable[[Path], int] = disk_free
    fill: Fill = Fill(0, QUOTA, 2 * QUOTA)
    evicted: int = 0
    _step: int = 0
    _free: float | None = None
    _history: list[tuple[Millis, int]] = field(default_factory=list)

    async def run(self) -> None:
        """Make a round every few minutes, for ever."""
        while True:
            try:
                await self.round()
            except StoreError as error:
                say.error("the store could not be looked after", why=str(error))
            await self.clock.sleep(EVERY)

    async def round(self) -> None:
        """Forget what may be forgotten, measure, make room, tell."""
        await self._forget(self.clock.now() - KEEP)
        await self._measure()
        if self.fill.percent >= PRESSED:
            await self._forget(self.clock.now())
            await self._measure()
        if self.fill.percent >= CROWDED:
            await self._evict()
        await self._tell()

    async def make_room(self) -> None:
        """The disk is full: forget all that may be forgotten, and some telemetry that was never sent."""
        await self._forget(self.clock.now())
        gone = await self.writer.write(lambda db: evict_telemetry(db, CHUNK))
        self.evicted += gone
        if gone:
            await self.own.note(_evicted_line(gone, self.clock.now()))

    async def _forget(self, before: Millis) -> None:
        await self._in_chunks(lambda db: forget(db, before, CHUNK))
        await self._in_chunks(lambda db: forget_frames(db, before, CHUNK))

    async def _evict(self) -> None:
        """Let unsent telemetry go until the level is below the mark again."""
        gone = 0
        while self.fill.percent >= CROWDED:
            count = await self.writer.write(lambda db: evict_telemetry(db, CHUNK))
            gone += count
            await self._measure()
            if count < CHUNK:
                break
        self.evicted += gone
        if gone:
            await self.own.note(_evicted_line(gone, self.clock.now()))

    async def _measure(self) -> None:
        used = await self.writer.write(used_bytes)
        self.fill = Fill(used, self.quota, self.disk(self.writer.path))

    async def _tell(self) -> None:
        """Say when a step is crossed, upwards or downwards; falling counts from 5 per cent below."""
        now, percent = self.clock.now(), self.fill.percent
        await self._tell_free(round(100 - min(100.0, percent), 1))
        self._history = [*self._history[-11:], (now, self.fill.used)]
        step = max((each for each in STEPS if percent >= each), default=0)
        if step < self._step and percent > self._step - 5:
            return
        if step != self._step:
            self._step = step
            await self.own.note(_level_line(percent, self.hours_left(), now, over=step == 0))

    async def _tell_free(self, free: float) -> None:
        """Tell how much is free: at the first look after a start, and whenever it has moved far or passed a mark."""
        before = self._free
        if before is None or abs(free - before) >= FREE_STEP or _marks(free) != _marks(before):
            self._free = free
            await self.own.tell("gateway.disk", value=free)

    def hours_left(self) -> float | None:
        """How long the room lasts at the pace of the last hour; None while it does not grow."""
        if len(self._history) < 2:
            return None
        (begun, before), (ended, after) = self._history[0], self._history[-1]
        if after <= before or ended <= begun:
            return None
        return (self.quota - after) / (after - before) * (ended - begun) / 3_600_000

    async def _in_chunks(self, operation: Operation[int]) -> None:
        while await self.writer.write(operation) >= CHUNK:
            pass


def _marks(free: float) -> list[bool]:
    return [free < mark for mark in FREE_MARKS]


def forget(db: sqlite3.Connection, before: Millis, limit: int) -> int:
    """Delete lines heard before a moment that the centre holds and the rule engine does not need again."""
    return db.execute(
        "DELETE FROM journal WHERE seq IN (SELECT j.seq FROM journal j JOIN lane_mark m ON m.lane = j.lane"
        " WHERE j.number <= m.acked AND j.heard < ? AND j.seq <= (SELECT covers FROM engine_state)"
        " ORDER BY j.seq LIMIT ?)",
        (before, limit),
    ).rowcount


def forget_frames(db: sqlite3.Connection, before: Millis, limit: int) -> int:
    """Delete the bytes of frames heard before a moment; what was read out of them stays."""
    return db.execute(
        "DELETE FROM frame WHERE seq IN (SELECT seq FROM frame WHERE heard < ? ORDER BY seq LIMIT ?)",
        (before, limit),
    ).rowcount


def evict_telemetry(db: sqlite3.Connection, limit: int) -> int:
    """Delete the oldest telemetry that has no number yet, so that no hole appears."""
    return db.execute(
        "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE lane = 'telemetry' AND number IS NULL"
        " AND seq <= (SELECT covers FROM engine_state) ORDER BY seq LIMIT ?)",
        (limit,),
    ).rowcount


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold something; pages given back count as free."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _evicted_line(count: int, now: Millis) -> Line:
    return health_line(
        "telemetry evicted",
        f"Lageret er fullt: {count} eldre målinger som ikke var sendt, er slettet",
        f"The store is full: {count} older measurements that were not sent have been deleted",
        now,
        count=count,
    )


def _level_line(percent: float, hours: float | None, now: Millis, *, over: bool) -> Line:
    lasts_nb = f"; plassen varer omtrent {hours:.0f} timer til" if hours is not None else ""
    lasts_en = f"; the room lasts about {hours:.0f} hours more" if hours is not None else ""
    return health_line(
        "store level",
        f"Lageret i hjemmesentralen er {percent:.0f} % fullt{lasts_nb}",
        f"The gateway's store is {percent:.0f} % full{lasts_en}",
        now,
        percent=round(percent, 1),
        over=over,
        hours_left=None if hours is None else round(hours, 1),
    )
