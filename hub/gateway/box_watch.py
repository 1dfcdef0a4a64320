"""Tells what the box can say of itself, when it changes: clock quality, mains, battery, and too many open files.

What was told last is kept over restarts, so that a start says only what is different from before it. Where the
world's clock is not the machine's (a demo, a replay) the machine's says nothing about it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from drivers.events import Millis, Value
from hub.gateway import box
from hub.gateway.box import OpenFiles, Power
from hub.gateway.journal import Line, health_line
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

FILES = "open files"
MANY_FILES, FEW_FILES = 0.7, 0.5
"""Shares of the descriptors a process may hold: from the first it is told, below the second it is over."""

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
    files: Callable[[], OpenFiles | None] = box.open_files
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
        files = self.files()
        if files is not None:
            await self._files(files)

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

    async def _files(self, files: OpenFiles) -> None:
        """A leak of descriptors ends in a gateway that can open nothing any more, so it is told while there is time."""
        was_told = await self.last("files") == "many"
        if files.share >= MANY_FILES and not was_told:
            say.error("many files and connections are open", held=files.held, limit=files.limit)
            await self.own.note(_many_files(files, self.clock.now()))
            await self.keep("files", "many")
        elif files.share < FEW_FILES and was_told:
            await self.own.note(_few_files(files, self.clock.now()))
            await self.keep("files", "few")

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


def _many_files(files: OpenFiles, now: Millis) -> Line:
    return health_line(
        FILES,
        f"Programmet i hjemmesentralen holder {files.held} av {files.limit} mulige filer og forbindelser åpne",
        f"The gateway's program holds {files.held} of {files.limit} possible files and connections open",
        now,
        held=files.held,
        limit=files.limit,
        urgency="moderate",
        staff_action={
            "nb": "Start programmet på nytt (systemctl restart trygghub-gateway), og meld feilen med loggen.",
            "en": "Restart the program (systemctl restart trygghub-gateway), and report the fault with its log.",
        },
    )


def _few_files(files: OpenFiles, now: Millis) -> Line:
    nb = f"Programmet i hjemmesentralen holder få filer åpne igjen ({files.held} av {files.limit})"
    en = f"The gateway's program holds few files open again ({files.held} of {files.limit})"
    return health_line(FILES, nb, en, now, held=files.held, limit=files.limit, over=True)


def _stored(db: sqlite3.Connection) -> dict[str, str]:
    rows = db.execute("SELECT name, value FROM store_note WHERE name GLOB ?", (f"{NOTE}*",))
    return {name.removeprefix(NOTE): value for name, value in rows}
