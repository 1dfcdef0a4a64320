"""Plays a town: a day is planned home by home while the one before is played, so that nothing ever waits for it."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from simulators.play.stage import READY, StageError, plug_in, put_on_air
from simulators.play.unit import Unit
from simulators.scenario.model import Beat, Home, Incident, Millis, Scenario
from simulators.scenario.plan import Trouble, day_begin, home_day, trouble_of
from simulators.town.crowd import HOMES_ON_A_TRUNK, ForeignCrowd, NativeCrowd
from simulators.town.homes import incidents_on
from simulators.world import World

log = logging.getLogger(__name__)

AHEAD: Millis = 2 * 3_600_000
"""World time before a day's end at which the next is planned."""
AT_ONCE = 200
"""Beats given between two turns of the event loop."""
TELL_EVERY = 10.0
"""Real seconds between two words on how it goes, if it does not go well."""
PATIENCE = 30.0
"""Real seconds that a town waits for its broker before its life begins."""
LATE = 2.0
"""Real seconds behind from which on it does not go well."""

Cue = tuple[Millis, int, "Beat | Silence"]
"""When, in which order, and what."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A device falls silent, or comes back."""

    device: str
    over: bool


@dataclass(slots=True)
class Playing:
    """A town being played. units: device id → unit. behind: how many real seconds the last beat came late."""

    scenario: Scenario
    first: date
    world: World
    units: Mapping[str, Unit]
    said: int = 0
    behind: float = 0.0
    _cues: list[Cue] = field(default_factory=list)
    _number: int = 0
    _troubles: dict[str, list[Trouble]] = field(default_factory=lambda: defaultdict(list))
    _incidents: dict[str, list[Incident]] = field(default_factory=lambda: defaultdict(list))
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        for one in self.scenario.incidents:
            self._incidents[one.home].append(one)

    def trouble(self, device: str) -> frozenset[str]:
        """The incidents of a device that last at this moment."""
        now = self.world.now()
        return frozenset(one.do for one in self._troubles.get(device, ()) if one.since <= now < one.until)

    async def run(self) -> None:
        """Play for ever, from now."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._plan())
            tasks.create_task(self._play())
            tasks.create_task(self._tell())

    async def _plan(self) -> None:
        """Today from now on, then day after day, two hours before it begins."""
        begun = self.world.now()
        day = 1
        while day_begin(self.scenario, self.first, day + 1) <= begun:
            day += 1
        while True:
            for home in self.scenario.homes.values():
                self._plan_home(home, day, begun)
                await asyncio.sleep(0)
            day += 1
            await self.world.sleep_until(day_begin(self.scenario, self.first, day) - AHEAD)

    def _plan_home(self, home: Home, day: int, begun: Millis) -> None:
        incidents = incidents_on(self._incidents[home.id], day)
        for beat in home_day(self.scenario, home, incidents, self.first, day):
            if beat.at >= begun:
                self._add(beat.at, beat)
        for one in incidents:
            if one.lasting is None:
                continue
            found = trouble_of(one, self.scenario, self.first, day)
            gone = [old for old in self._troubles[one.device] if old.until > begun]
            self._troubles[one.device] = [*gone, found]
            if one.do == "silent":
                self._add(found.since, Silence(one.device, over=False))
                self._add(found.until, Silence(one.device, over=True))

    def _add(self, at: Millis, what: Beat | Silence) -> None:
        self._number += 1
        heapq.heappush(self._cues, (at, self._number, what))
        self._more.set()

    def _give(self, what: Beat | Silence) -> None:
        if isinstance(what, Silence):
            self.units[what.device].silence(what.device, over=what.over)
        else:
            self.units[what.device].say(what)
            self.said += 1

    async def _play(self) -> None:
        while True:
            if not self._cues:
                self._more.clear()
                await self._more.wait()
            await self.world.sleep_until(min(self._cues[0][0], self.world.now() + 1000))
            now, given = self.world.now(), 0
            while self._cues and self._cues[0][0] <= now:
                at, _, what = heapq.heappop(self._cues)
                self.behind = (now - at) / 1000 / self.world.speed
                self._give(what)
                given += 1
                if given % AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            if self.behind > LATE:
                log.warning("the town is %.0f s behind: this machine is too slow for it", self.behind)


async def play_town(
    scenario: Scenario,
    first: date,
    world: World,
    data: Path,
    *,
    broker: str,
    bridges: str,
    ble_port: int | None,
) -> None:
    """Play until cancelled. Raises StageError."""
    if not broker:
        raise StageError("a town's devices need a broker: --broker mqtt://user:password@host:port")
    units: dict[str, Unit] = {}
    playing = Playing(scenario, first, world, units)
    boot, homes = f"{world.now():x}", list(scenario.homes.values())
    crowds: list[NativeCrowd | ForeignCrowd] = []
    for number, at in enumerate(range(0, len(homes), HOMES_ON_A_TRUNK)):
        some = homes[at : at + HOMES_ON_A_TRUNK]
        natives = NativeCrowd(some, broker, str(number), world, boot, playing.trouble)
        foreign = ForeignCrowd(some, bridges or broker, str(number), boot)
        units.update(dict.fromkeys(natives.natives, natives))
        units.update(dict.fromkeys(foreign.home.stands, foreign))
        crowds += [natives, foreign]
    before = set(units)
    wires = {one.kind.wire for one in scenario.devices.values()}
    if "ble" in wires:
        await put_on_air(scenario, ble_port or 0, world, data, units)
    if "serial" in wires:
        plug_in(scenario, data, units, world)
    own = [unit for name, unit in units.items() if name not in before]
    async with asyncio.TaskGroup() as tasks:
        for unit in (*crowds, *own):
            tasks.create_task(unit.run())
        await _all_up(crowds)
        log.info("%s: %d homes, %d devices, %gx", READY, len(homes), len(units), world.speed)
        tasks.create_task(playing.run())


async def _all_up(crowds: Sequence[NativeCrowd | ForeignCrowd]) -> None:
    """Wait for every connection, so that nothing is late only because the broker was; but not for ever."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while not all(one.trunk.up for one in crowds):
        if asyncio.get_running_loop().time() > until:
            log.warning("the broker does not answer; the town begins without it")
            return
        await asyncio.sleep(0.02)
