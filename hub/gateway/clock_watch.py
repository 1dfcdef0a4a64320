"""Watches the clock: unset after a boot, or set by somebody while the gateway is at work (failure mode CK-2).

A clock that was set is taken over between two events: hearing pauses, what was heard is judged by the old time, what
rules wait for moves with the clock, and hearing goes on by the new time. The `gateway.clock` fact says how far it
was set and since when what the gateway had stamped may be wrong; a clock far off is a technical alert besides.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from drivers.events import Millis, iso
from hub.gateway.box_watch import QUALITY, BoxWatch
from hub.gateway.hearing import Hearing
from hub.gateway.journal import Line, health_line
from hub.gateway.judging import Judging
from hub.gateway.steady_clock import Cut, SteadyClock
from hub.store.errors import StoreError

LOOK_EVERY = 1.0
"""Seconds (real) between two looks."""

FAR_OFF: Millis = 300_000
"""A clock that was wrong by so much is something a technician should know of."""

CALM: Millis = 3_600_000
"""How long the clock must stay as it is before that is over."""

JUMP = "clock_jump"
"""Under this word the box remembers when the clock was last found far off, ms UTC."""

say = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class ClockWatch:
    """Looks at the clock for ever. What it tells goes by way of the box watch, which knows what was told last."""

    clock: SteadyClock
    hearing: Hearing
    judging: Judging
    box: BoxWatch
    _unset: bool = False
    _doubtful_since: Millis | None = None

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                say.error("what the clock does could not be written down", why=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """One look; what changed is done and told. Raises StoreError."""
        kept = self.box.synchronised() if self.box.own_clock else None
        if self._doubtful_since is None or (kept and not self.clock.pending):
            self._doubtful_since = self.clock.now()
        wrongly_ahead = not self.clock.is_set and kept is True and self.clock.passed is not None
        if self.clock.pending or wrongly_ahead:
            await self._take_over(trusted=wrongly_ahead)
        await self._tell_unset()
        await self._calm_again()

    async def _tell_unset(self) -> None:
        """The clock stands before the journal: time stands still. Told when it begins and when it is over."""
        unset = not self.clock.is_set
        if unset == self._unset:
            return
        self._unset = unset
        if unset:
            say.error("the clock stands before the journal's newest line; time stands still until it is set")
            await self.box.say_clock("unset")
        elif await self.box.last("clock") == "unset":
            await self.box.say_clock(self._quality())

    def _quality(self) -> str:
        return QUALITY[self.box.synchronised() is not False]

    async def _take_over(self, *, trusted: bool) -> None:
        since = self._doubtful_since or self.clock.now()
        async with self.hearing.paused():
            cut = await self.judging.set_clock(lambda: self.clock.take_over(trusted=trusted))
        self._doubtful_since = cut.new
        say.warning("the clock was set", by_ms=cut.by, wrong_since=iso(since))
        await self.box.say_clock(self._quality(), set_by=cut.by / 1000, wrong_since=since)
        await self.box.own.note(_jump_line(cut, since))
        if abs(cut.by) >= FAR_OFF:
            await self.box.keep(JUMP, str(cut.new))

    async def _calm_again(self) -> None:
        found = await self.box.last(JUMP)
        if found and not self._unset and self.clock.now() - int(found) >= CALM:
            await self.box.own.note(_calm_line(self.clock.now()))
            await self.box.keep(JUMP, "")


def _jump_line(cut: Cut, since: Millis) -> Line:
    seconds = abs(cut.by) // 1000
    nb, en = ("fram", "forward") if cut.by > 0 else ("tilbake", "back")
    far = abs(cut.by) >= FAR_OFF
    more = {"urgency": "low", "staff_action": _LOOK} if far else {"note": True}
    return health_line(
        "clock jump",
        f"Klokken i hjemmesentralen ble stilt {seconds} s {nb}",
        f"The gateway's clock was set {seconds} s {en}",
        cut.new,
        by_ms=cut.by,
        wrong_since=iso(since),
        **more,
    )


_LOOK = {
    "nb": "Tider fra før dette kan være feil i journalen. Sjekk klokkebatteriet og tidsserveren.",
    "en": "Times before this may be wrong in the journal. Check the clock's battery and the time server.",
}


def _calm_line(now: Millis) -> Line:
    nb, en = "Klokken i hjemmesentralen går rett igjen", "The gateway's clock has been right for an hour"
    return health_line("clock jump", nb, en, now, over=True)
