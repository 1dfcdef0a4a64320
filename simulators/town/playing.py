"""Plays a town: a day is planned home by home while the one before is played, so that nothing ever waits for it.

A town that cannot keep the pace asked for leaves nothing out. Where the clock is its own, the clock slows: it stands
while the hub's acknowledgements are far behind, and while more is due than this machine can say. Where the hub goes by
the same clock it cannot be slowed, and what comes late comes with its own time, as from devices that were delayed.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from simulators.play.stage import READY, StageError, plug_in, put_on_air, say_ready
from simulators.play.unit import Breakable, Unit
from simulators.scenario.faults import FAULTS
from simulators.scenario.model import Beat, Home, Incident, Millis, Scenario
from simulators.scenario.plan import Trouble, day_begin, home_day, trouble_of
from simulators.town.crowd import HOMES_ON_A_TRUNK, ForeignCrowd, NativeCrowd
from simulators.town.homes import incidents_on
from simulators.town.progress import Progress
from simulators.world import World

log = logging.getLogger(__name__)

AHEAD: Millis = 2 * 3_600_000
"""World time before a day's end at which the next is planned."""
AT_ONCE = 200
"""Beats given between two turns of the event loop."""
AHEAD_REAL = 60.0
"""Real seconds before a day's end at which the next is planned, where that is earlier."""
PATIENCE = 30.0
"""Real seconds that a town waits for its broker before its life begins."""
LATE = 0.25
"""Real seconds behind from which on the clock, if it is ours, stands until everything due is said."""
MANY = 300
"""Unacknowledged events from which on the hub is behind and the clock, if it is ours, waits for it."""
AWAY = 5.0
"""Real seconds without an acknowledgement after which nobody is waited for: the hub is not slow but gone."""
LOOK_EVERY = 0.01

Cue = tuple[Millis, int, "Beat | Silence | Fault"]
"""When, in which order, and what."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A device falls silent, or comes back."""

    device: str
    over: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a device's wire begins, or ends."""

    trouble: Trouble
    over: bool


@dataclass(slots=True)
class Playing:
    """A town being played. units: device id → unit. progress: how it goes."""

    scenario: Scenario
    first: date
    world: World
    units: Mapping[str, Unit]
    progress: Progress
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
        """Play for ever, from now; the clock, if it is ours, begins when the first day is planned."""
        begun = self.world.now()
        day = 1
        while day_begin(self.scenario, self.first, day + 1) <= begun:
            day += 1
        self.world.hold()
        await self._plan_day(day, begun)
        self.world.release()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._plan(day + 1, begun))
            tasks.create_task(self._play())
            tasks.create_task(self.progress.tell())

    async def _plan(self, day: int, begun: Millis) -> None:
        """Day after day, some time before it begins."""
        ahead = max(AHEAD, round(AHEAD_REAL * 1000 * self.world.speed))
        while True:
            await self.world.sleep_until(day_begin(self.scenario, self.first, day) - ahead)
            await self._plan_day(day, begun)
            day += 1

    async def _plan_day(self, day: int, begun: Millis) -> None:
        for home in self.scenario.homes.values():
            self._plan_home(home, day, begun)
            await asyncio.sleep(0)

    def _plan_home(self, home: Home, day: int, begun: Millis) -> None:
        incidents = incidents_on(self._incidents[home.id], day)
        for beat in home_day(self.scenario, home, incidents, self.first, day):
            if beat.at >= begun:
                self._add(beat.at, beat)
        for one in incidents:
            if one.lasting is not None or one.do in FAULTS:
                self._plan_trouble(trouble_of(one, self.scenario, self.first, day), begun)

    def _plan_trouble(self, one: Trouble, begun: Millis) -> None:
        """When it begins and ends; what was over before we began never was."""
        gone = [old for old in self._troubles[one.device] if old.until > begun]
        self._troubles[one.device] = [*gone, one]
        if one.do == "silent":
            self._add(one.since, Silence(one.device, over=False))
            self._add(one.until, Silence(one.device, over=True))
        elif one.do in FAULTS and (one.until > begun or one.since == one.until >= begun):
            self._add(one.since, Fault(one, over=False))
            if FAULTS[one.do].lasts:
                self._add(one.until, Fault(one, over=True))

    def _add(self, at: Millis, what: Beat | Silence | Fault) -> None:
        self._number += 1
        heapq.heappush(self._cues, (at, self._number, what))
        self._more.set()

    def _give(self, what: Beat | Silence | Fault) -> None:
        if isinstance(what, Beat):
            self.units[what.device].say(what)
            self.progress.said += 1
        elif isinstance(what, Silence):
            self.units[what.device].silence(what.device, over=what.over)
        elif isinstance(unit := self.units[what.trouble.device], Breakable):
            unit.fail(what.trouble, over=what.over)
            log.debug("%s: %s %s", what.trouble.device, what.trouble.do, "ends" if what.over else "begins")

    async def _play(self) -> None:
        while True:
            if not self._cues:
                self._more.clear()
                await self._more.wait()
            await self.world.sleep_until(min(self._cues[0][0], self.world.now() + 1000))
            await self._until_there_is_room()
            given = 0
            while self._cues and self._cues[0][0] <= self.world.now():
                at, _, what = heapq.heappop(self._cues)
                self._note_lateness(at)
                self._give(what)
                given += 1
                if given % AT_ONCE == 0:
                    await self._until_there_is_room()
            self.world.release()

    def _note_lateness(self, at: Millis) -> None:
        self.progress.behind = (self.world.now() - at) / 1000 / self.world.speed
        if self.progress.behind > LATE:
            self.world.hold()

    async def _until_there_is_room(self) -> None:
        """One turn of the loop; with a clock of our own as many as the hub and the network need."""
        await asyncio.sleep(0)
        while self.world.brake is not None and self.progress.is_full(MANY, AWAY):
            self.world.hold()
            await asyncio.sleep(LOOK_EVERY)


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
    crowds: list[NativeCrowd | ForeignCrowd] = []
    playing = Playing(scenario, first, world, units, Progress(len(scenario.homes), world, crowds))
    boot, homes = f"{world.now():x}", list(scenario.homes.values())
    for number, at in enumerate(range(0, len(homes), HOMES_ON_A_TRUNK)):
        some = homes[at : at + HOMES_ON_A_TRUNK]
        natives = NativeCrowd(some, broker, str(number), world, boot, playing.trouble)
        foreign = ForeignCrowd(some, bridges or broker, str(number), world, boot)
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
        say_ready(data)
        tasks.create_task(playing.run())


async def _all_up(crowds: Sequence[NativeCrowd | ForeignCrowd]) -> None:
    """Wait for every connection, so that nothing is late only because the broker was; but not for ever."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while not all(one.trunk.up for one in crowds):
        if asyncio.get_running_loop().time() > until:
            log.warning("the broker does not answer; the town begins without it")
            return
        await asyncio.sleep(0.02)
