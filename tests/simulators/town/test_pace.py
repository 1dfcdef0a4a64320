"""A pace that cannot be kept: the clock slows, nothing is left out, and a sentence says so."""

from __future__ import annotations

import asyncio
import logging
from datetime import date
from typing import Any

import pytest

from simulators import world as worlds
from simulators.scenario.model import Beat, Scenario
from simulators.scenario.plan import day_begin, home_day
from simulators.town.crowd import NativeCrowd
from simulators.town.homes import Order, incidents_on, town
from simulators.town.playing import MANY, Playing
from simulators.town.progress import Progress
from simulators.world import World, starting_at

DAY = date(2026, 1, 15)


class Machine:
    """The machine's clock in ms, which a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000
        monkeypatch.setattr(worlds, "_machine", lambda: self.now)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose clock stands."""
    return Machine(monkeypatch)


def test_a_clock_of_our_own_stands_and_goes_on_where_it_stood(machine: Machine) -> None:
    """What it lost is lost; it never goes back."""
    own = starting_at(0, 100.0)
    machine.now += 10
    own.hold()
    machine.now += 500
    assert own.now() == 1000
    own.hold()
    own.release()
    machine.now += 10
    own.release()
    assert own.now() == 2000


def test_a_clock_that_others_go_by_is_never_slowed(machine: Machine) -> None:
    """The gateway and the centre read the same one."""
    handed = World(0, machine.now, 100.0)
    handed.hold()
    machine.now += 10
    assert handed.now() == 1000


class Crowd:
    """Stands in for a crowd: so many unacknowledged, so many acknowledged."""

    def __init__(self) -> None:
        self.waiting, self.acknowledged, self.oldest = 0, 0, None
        self.trunk = type("Full", (), {"is_full": False})()


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    """One that counts as native."""
    monkeypatch.setattr("simulators.town.progress.NativeCrowd", Crowd)
    return Crowd()


async def test_a_hub_that_is_slow_is_waited_for_and_one_that_is_gone_is_not(crowd: Any) -> None:
    """While acknowledgements come, more than three hundred open ones make the clock wait."""
    progress = Progress(10, starting_at(0, 100.0), [crowd])
    assert not progress.is_full(MANY, 5.0)
    progress._asked = 0.0
    crowd.waiting, crowd.acknowledged = MANY + 1, 1
    assert progress.is_full(MANY, 5.0)
    assert not progress.is_full(MANY, 0.0)
    crowd.waiting, crowd.trunk.is_full = 0, True
    assert progress.is_full(MANY, 5.0)


@pytest.mark.parametrize(
    ("speed", "braked", "kept", "behind", "oldest", "says"),
    [
        (60.0, True, 41.0, 0.0, None, "60x was asked for, 41x is what hub and machine can do"),
        (60.0, True, 59.0, 0.0, None, ""),
        (60.0, False, 60.0, 9.0, None, "60x is too fast for this machine"),
        (60.0, False, 60.0, 0.0, -100.0, "the hub does not keep up with 60x here"),
        (1.0, False, 1.0, 0.0, None, ""),
    ],
)
async def test_a_pace_that_is_not_kept_is_said(
    speed: float, kept: float, behind: float, oldest: float | None, says: str, crowd: Any, *, braked: bool
) -> None:
    """Whose fault it is, and what became of the time."""
    world = starting_at(0, speed) if braked else World(0, 0, speed)
    crowd.acknowledged = 1
    crowd.oldest = None if oldest is None else asyncio.get_running_loop().time() + oldest
    verdict = Progress(10, world, [crowd], behind=behind).verdict(kept)
    assert says in verdict
    assert bool(says) == bool(verdict)


async def test_the_line_of_progress_names_homes_time_pace_and_lag(
    crowd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """All goes well: it comes as information, one look in six."""
    progress = Progress(20, World(1_768_460_400_000, worlds._machine(), 1.0), [crowd])
    with caplog.at_level(logging.INFO):
        for _ in range(6):
            progress._say(10.0, 10_000, 39)
    (line,) = caplog.messages
    assert line.startswith("20 homes, 2026-01-15 07:00 UTC, 3.9 events/s, 0.0 s behind")


class Unit:
    """Notes what it is to say; takes its machine so many ms each time."""

    def __init__(self, machine: Machine, takes: int) -> None:
        self.machine, self.takes = machine, takes
        self.said: list[tuple[Beat, int]] = []
        self.world: World | None = None

    def say(self, beat: Beat) -> None:
        """Take time."""
        assert self.world is not None
        self.said.append((beat, self.world.now()))
        self.machine.now += self.takes

    def silence(self, device: str, *, over: bool) -> None:
        """Nothing."""

    async def run(self) -> None:
        """Nothing."""


async def test_a_machine_that_is_too_slow_leaves_nothing_out(machine: Machine) -> None:
    """A day that takes five times as long to say as its pace allows: every beat is said, in order, never an hour late.

    Without the brake the last beats would be late by most of a day.
    """
    scenario = town(Order(3, 7, trouble=0))
    world = starting_at(day_begin(scenario, DAY), 1000.0)
    unit = Unit(machine, takes=20)
    unit.world = world
    units = dict.fromkeys(scenario.devices, unit)
    progress = Progress(3, world, [])
    playing = Playing(scenario, DAY, world, units, progress)

    due = planned(scenario)
    task = asyncio.create_task(playing.run())
    async with asyncio.timeout(30):
        while len(unit.said) < len(due):
            machine.now += 1
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [beat.at for beat, _ in unit.said[: len(due)]] == due
    assert max(shown - beat.at for beat, shown in unit.said[: len(due)]) < 3_600_000


async def test_the_clock_waits_for_a_hub_that_is_behind_however_little_is_due(
    machine: Machine, crowd: Any
) -> None:
    """A few events a second that nobody can take stop it as well as many; the hub's next answers let it go on."""
    scenario = town(Order(3, 7, trouble=0))
    world = starting_at(day_begin(scenario, DAY), 1000.0)
    unit = Unit(machine, takes=0)
    unit.world = world
    progress = Progress(3, world, [crowd])
    playing = Playing(scenario, DAY, world, dict.fromkeys(scenario.devices, unit), progress)
    crowd.waiting = MANY + 1
    task = asyncio.create_task(playing.run())

    async def live(turns: int) -> int:
        for _ in range(turns):
            machine.now += 1
            crowd.acknowledged += 1
            await asyncio.sleep(0)
        return len(unit.said)

    stood = await live(3000)
    crowd.waiting = 0
    async with asyncio.timeout(30):
        while len(unit.said) < stood + 50:
            await live(50)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stood == 0


def planned(scenario: Scenario) -> list[int]:
    """When something is due on the first day."""
    beats = [
        beat
        for home in scenario.homes.values()
        for beat in home_day(
            scenario,
            home,
            incidents_on([one for one in scenario.incidents if one.home == home.id], 1),
            DAY,
            1,
        )
    ]
    return sorted(beat.at for beat in beats)


def test_crowds_count_what_waits() -> None:
    """An event that was said and not acknowledged has a time; a device without power is left out."""
    scenario = town(Order(3, 7))
    crowd = NativeCrowd(
        scenario.homes.values(), "mqtt://127.0.0.1:1", "0", World(0, 0, 1.0), "b", lambda _: frozenset()
    )
    native = next(iter(crowd.natives.values()))
    native.report(0, "door.opened", {})
    assert (crowd.waiting, crowd.oldest) == (1, None)
    next(iter(native.waiting.values())).note(17.0)
    assert crowd.oldest == 17.0
    native.muted = True
    assert crowd.oldest is None
