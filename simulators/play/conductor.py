"""The conductor: keeps the score of the day, gives every device its beats at their times, remembers where it is.

A restart goes on where it was: beats whose time passed while nobody played are given late, with their own
times, as devices do that kept running on their own.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from simulators.play.unit import Breakable, Unit
from simulators.scenario.faults import FAULTS
from simulators.scenario.model import Beat, Millis, Scenario
from simulators.scenario.plan import Trouble, day_begin, day_plan, troubles
from simulators.world import World

log = logging.getLogger(__name__)

REMEMBER_EVERY = 1.0
"""Real seconds between two notes of where we are."""
CATCH_UP: Millis = 2 * 3_600_000
"""World time that is made up for at most; what lies further back is not played any more."""


@dataclass(frozen=True, slots=True, order=True)
class Cue:
    """A moment of the score: a beat to say, a device falling silent or coming back, a fault that begins or ends."""

    at: Millis
    number: int
    beat: Beat | None = field(default=None, compare=False)
    silence: tuple[str, bool] | None = field(default=None, compare=False)
    fault: tuple[Trouble, bool] | None = field(default=None, compare=False)


@dataclass(slots=True)
class Conductor:
    """Plays a scenario day after day. units: device id → unit. memory: file that holds how far we are."""

    scenario: Scenario
    first: date
    world: World
    units: Mapping[str, Unit]
    memory: Path
    said: int = 0
    _cues: list[Cue] = field(default_factory=list)
    _troubles: list[Trouble] = field(default_factory=list)
    _days: int = 0
    _numbers: int = 0
    _begun: Millis = 0

    def trouble(self, device: str) -> frozenset[str]:
        """The incidents of a device that last at this moment."""
        now = self.world.now()
        return frozenset(
            one.do for one in self._troubles if one.device == device and one.since <= now < one.until
        )

    async def run(self) -> None:
        """Play for ever."""
        self._begun = self._begin_at()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._note())
            tasks.create_task(self._play())

    async def _play(self) -> None:
        upto = self._begun
        while True:
            self._load_days(upto)
            upto = self._cues[0].at if self._cues else day_begin(self.scenario, self.first, self._days)
            await self.world.sleep_until(upto)
            while self._cues and self._cues[0].at <= upto:
                self._give(heapq.heappop(self._cues))

    def _give(self, cue: Cue) -> None:
        if cue.beat is not None:
            self.units[cue.beat.device].say(cue.beat)
            self.said += 1
            log.debug("%s says %s", cue.beat.device, cue.beat.kind)
        elif cue.silence is not None:
            device, over = cue.silence
            self.units[device].silence(device, over=over)
        elif cue.fault is not None:
            self._break(*cue.fault)

    def _break(self, trouble: Trouble, over: bool) -> None:
        unit = self.units[trouble.device]
        if isinstance(unit, Breakable):
            unit.fail(trouble, over=over)
            log.debug("%s: %s %s", trouble.device, trouble.do, "ends" if over else "begins")

    def _load_days(self, now: Millis) -> None:
        """Have the score of today and tomorrow ready; a day's last beats may lie in the next."""
        while day_begin(self.scenario, self.first, self._days) <= now:
            self._days += 1
            for beat in day_plan(self.scenario, self.first, self._days):
                if beat.at >= self._begun:
                    self._add(Cue(beat.at, self._next(), beat=beat))
            for one in troubles(self.scenario, self.first, self._days):
                self._troubles.append(one)
                if one.do == "silent":
                    self._add(Cue(one.since, self._next(), silence=(one.device, False)))
                    self._add(Cue(one.until, self._next(), silence=(one.device, True)))
                elif one.do in FAULTS and (one.until > self._begun or one.since == one.until >= self._begun):
                    self._add(Cue(one.since, self._next(), fault=(one, False)))
                    if FAULTS[one.do].lasts:
                        self._add(Cue(one.until, self._next(), fault=(one, True)))
        self._troubles = [one for one in self._troubles if one.until > now]

    def _add(self, cue: Cue) -> None:
        heapq.heappush(self._cues, cue)

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    # -- where we are

    def _begin_at(self) -> Millis:
        """From where to play: where the last run stopped, else now, or a day that has only just begun."""
        now = self.world.now()
        return max(self._remembered(now), now - CATCH_UP)

    def _remembered(self, now: Millis) -> Millis:
        try:
            upto = json.loads(self.memory.read_text(encoding="utf-8"))["upto"]
        except (OSError, ValueError, KeyError, TypeError):
            return min(now, day_begin(self.scenario, self.first))
        return upto if isinstance(upto, int) else now

    async def _note(self) -> None:
        self.memory.parent.mkdir(parents=True, exist_ok=True)
        draft = self.memory.with_name(self.memory.name + ".new")
        while True:
            draft.write_text(json.dumps({"upto": self.world.now()}), encoding="utf-8")
            draft.replace(self.memory)
            await asyncio.sleep(REMEMBER_EVERY)
