"""Watches the writer: says when the disk is full or the database held, makes room, and says when it is over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from drivers.events import Millis
from hub.clock import Clock
from hub.gateway.journal import Line, health_line
from hub.gateway.own_facts import OwnFacts
from hub.gateway.reserve import Reserve
from hub.gateway.upkeep import Upkeep
from hub.store.errors import StoreError
from hub.store.writer import FINAL, Condition, Writer

LOOK_EVERY = 1.0
"""Seconds (real) between two looks."""

SLOW = 1.0
"""Seconds the event loop may come late to a look before that is said: everything waits behind it (RT-3)."""

WORDS = {
    "full": ("Disken i hjemmesentralen var full", "The gateway's disk was full"),
    "locked": ("Databasen i hjemmesentralen var låst", "The gateway's database was locked"),
    "damaged": ("Databasen i hjemmesentralen er skadet", "The gateway's database is damaged"),
    "unreadable": ("Hjemmesentralen kunne ikke skrive til disken", "The gateway could not write to its disk"),
}

say = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class StoreWatch:
    """Looks at the writer's state for ever; ends the process when the writer is beyond help.

    lag: how late the event loop came to the last look, in seconds.
    """

    writer: Writer
    clock: Clock
    own: OwnFacts
    upkeep: Upkeep
    reserve: Reserve
    lag: float = 0.0
    _condition: Condition = "ok"
    _sentence: str = ""
    _since: Millis = 0

    async def run(self) -> None:
        """Look, for ever. Raises StoreError when only a new process can help."""
        await asyncio.to_thread(self.reserve.make)
        while True:
            begun = asyncio.get_running_loop().time()
            await asyncio.sleep(LOOK_EVERY)
            self.lag = max(0.0, asyncio.get_running_loop().time() - begun - LOOK_EVERY)
            if self.lag > SLOW:
                say.warning("the gateway came late to its work", seconds=round(self.lag, 2))
            await self.look()

    async def look(self) -> None:
        """One look: say what changed; while the disk is full, make room."""
        state = self.writer.state
        if state.condition in FINAL:
            raise StoreError(state.sentence)
        if state.condition == "full":
            await self._make_room()
        if state.condition != self._condition:
            await self._changed(state.condition, state.sentence)

    async def _make_room(self) -> None:
        if await asyncio.to_thread(self.reserve.release):
            say.error("the disk is full; the space kept back has been released")
        try:
            await self.upkeep.make_room()
        except StoreError as error:
            say.error("no room could be made", why=str(error))

    async def _changed(self, condition: Condition, sentence: str) -> None:
        """While there is trouble a line could not be written; it is written when the trouble is over."""
        before, why, since = self._condition, self._sentence, self._since
        self._condition, self._sentence, self._since = condition, sentence, self.clock.now()
        if condition != "ok":
            say.error("the store is in trouble", condition=condition, why=sentence)
            return
        say.info("the store is well again", was=before)
        await asyncio.to_thread(self.reserve.make)
        await self.own.note(_line(before, why, since, self.clock.now()))


def _line(condition: Condition, why: str, since: Millis, now: Millis) -> Line:
    nb, en = WORDS.get(condition, WORDS["unreadable"])
    return health_line("store trouble", f"{nb} ({(now - since) // 1000} s)", f"{en} ({(now - since) // 1000} s)", now,
                       condition=condition, why=why[:300], since=since)  # fmt: skip
