"""Tells what the box can say of itself, when it changes: clock quality, mains and battery.

What was told last is kept over restarts, so that a start says only what is different from before it. Where the
world's clock is not the machine's (a demo, a replay) the machine's says nothing about it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from drivers.events import Value
from hub.gateway import box
from hub.gateway.box import Power
from hub.gateway.own_facts import OwnFacts
from hub.gateway.steady_clock import SteadyClock
from hub.store.errors import StoreError
from hub.store.writer import Writer

LOOK_EVERY = 60.0
"""Seconds (real) between two looks."""

QUALITY = {True: "good", False: "drifting"}
"""The catalogue's words for a clock that something keeps right, and for one that nothing does."""

BATTERY_STEP = 5
"""Per cent that a battery's charge must have moved to be told again."""

NOTE = "box:"
"""How the rows of store_note begin that hold what was told last."""

say = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class BoxWatch:
    """Looks at the box for ever. own_clock: whether the world's clock is the machine's."""

    writer: Writer
    clock: SteadyClock
    own: OwnFacts
    own_clock: bool
    synchronised: Callable[[], bool | None] = box.synchronised
    power: Callable[[], Power] = box.power
    _told: dict[str, str] | None = None

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
        if self.own_clock and self.clock.is_set:
            await self._look_at_clock()
        now = self.power()
        if now.mains is not None:
            await self._mains(now.mains)
        if now.battery is not None:
            await self._battery(now.battery)

    async def _look_at_clock(self) -> None:
        kept = self.synchronised()
        if kept is not None and await self.last("clock") != QUALITY[kept]:
            await self.say_clock(QUALITY[kept])

    async def say_clock(self, quality: str, **more: Value) -> None:
        """Tell how far the clock can be trusted. Raises StoreError."""
        await self.own.tell("gateway.clock", quality=quality, **more)
        await self.keep("clock", quality)

    async def _mains(self, there: bool) -> None:
        word, before = ("on" if there else "off"), await self.last("mains")
        if word == before or (there and not before):  # at the very first look, mains power is no news
            return
        await self.own.tell("gateway.mains_back" if there else "gateway.mains_lost")
        await self.keep("mains", word)

    async def _battery(self, charge: int) -> None:
        before = await self.last("battery")
        if before and abs(charge - int(before)) < BATTERY_STEP:
            return
        await self.own.tell("gateway.battery", value=charge)
        await self.keep("battery", str(charge))

    async def last(self, what: str) -> str:
        """What was told last, also before a restart; empty for nothing. Raises StoreError."""
        if self._told is None:
            self._told = await self.writer.write(_stored)
        return self._told.get(what, "")

    async def keep(self, what: str, word: str) -> None:
        """Remember what was told. Raises StoreError."""
        await self.last(what)
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
