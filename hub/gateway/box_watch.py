"""Tells what the box can say of itself, when it changes: clock quality, a clock that jumped, mains and battery.

What was told last is kept over restarts, so that a start says only what is different from before it. Where the
world's clock is not the machine's (a demo, a replay) the machine's says nothing about it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from drivers.events import Millis
from hub.gateway import box
from hub.gateway.box import Power
from hub.gateway.journal import Line, health_line
from hub.gateway.own_facts import OwnFacts
from hub.gateway.steady_clock import SteadyClock
from hub.store.errors import StoreError
from hub.store.writer import Writer

LOOK_EVERY = 60.0
"""Seconds (real) between two looks."""

JUMPED: Millis = 5_000
"""A clock that moved this much otherwise than time did between two looks was set, not steered."""

BATTERY_STEP = 5
"""Per cent that a battery's charge must have moved to be told again."""

NOTE = "box:"
"""How the rows of store_note begin that hold what was told last."""

say = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class BoxWatch:
    """Looks at the box for ever. own_clock: whether the world's clock is the machine's. steady: seconds that passed."""

    writer: Writer
    clock: SteadyClock
    own: OwnFacts
    own_clock: bool
    synchronised: Callable[[], bool | None] = box.synchronised
    power: Callable[[], Power] = box.power
    steady: Callable[[], float] = box.passed
    _told: dict[str, str] | None = None
    _before: tuple[Millis, float] | None = None

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                say.error("what the box says of itself could not be written down", why=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """One look; what changed is told. Raises StoreError."""
        if self._told is None:
            self._told = await self.writer.write(_stored)
        if self.own_clock and self.clock.is_set:
            await self._look_at_clock()
        now = self.power()
        if now.mains is not None:
            await self._mains(now.mains)
        if now.battery is not None:
            await self._battery(now.battery)

    async def _look_at_clock(self) -> None:
        wall, steady = self.clock.now(), self.steady()
        before, self._before = self._before, (wall, steady)
        if before is not None:
            jump = (wall - before[0]) - round((steady - before[1]) * 1000)
            if abs(jump) >= JUMPED:
                say.warning("the clock was set", by_ms=jump)
                await self.own.note(_jump_line(jump, wall))
        kept = self.synchronised()
        if kept is None:
            return
        quality = "good" if kept else "drifting"
        if self._last("clock") != quality:
            await self.own.tell("gateway.clock", quality=quality)
            await self._keep("clock", quality)

    async def _mains(self, there: bool) -> None:
        word, before = ("on" if there else "off"), self._last("mains")
        if word == before or (there and not before):  # at the very first look, mains power is no news
            return
        await self.own.tell("gateway.mains_back" if there else "gateway.mains_lost")
        await self._keep("mains", word)

    async def _battery(self, charge: int) -> None:
        before = self._last("battery")
        if before and abs(charge - int(before)) < BATTERY_STEP:
            return
        await self.own.tell("gateway.battery", value=charge)
        await self._keep("battery", str(charge))

    def _last(self, what: str) -> str:
        return (self._told or {}).get(what, "")

    async def _keep(self, what: str, word: str) -> None:
        assert self._told is not None
        self._told[what] = word
        await self.writer.write(
            lambda db: (
                db.execute(
                    "INSERT OR REPLACE INTO store_note (name, value) VALUES (?, ?)", (NOTE + what, word)
                ).rowcount
            )
        )


def _stored(db: sqlite3.Connection) -> dict[str, str]:
    rows = db.execute("SELECT name, value FROM store_note WHERE name GLOB ?", (f"{NOTE}*",))
    return {name.removeprefix(NOTE): value for name, value in rows}


def _jump_line(jump: Millis, now: Millis) -> Line:
    seconds = abs(jump) // 1000
    nb, en = ("fram", "forward") if jump > 0 else ("tilbake", "back")
    return health_line(
        "clock jump",
        f"Klokken i hjemmesentralen ble stilt {seconds} s {nb}",
        f"The gateway's clock was set {seconds} s {en}",
        now,
        by_ms=jump,
        note=True,
    )
