"""What a box says of its clock and its power, and that it says nothing where it cannot know."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.clock import ManualClock
from hub.gateway import box
from hub.gateway.box import OpenFiles, Power
from hub.gateway.box_watch import BoxWatch
from hub.gateway.own_facts import OwnFacts
from hub.gateway.steady_clock import SteadyClock
from hub.store.writer import Writer


def supply(root: Path, name: str, **files: str) -> None:
    """A power supply as the kernel shows it."""
    folder = root / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(f"{text}\n")


def test_mains_and_battery_are_read(tmp_path: Path) -> None:
    """A mains lead, the box's own battery, and a mouse that is neither."""
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "BAT0", type="Battery", capacity="28")
    supply(tmp_path, "mouse", type="Battery", capacity="3", scope="Device")
    assert box.power(tmp_path) == Power(mains=False, battery=28)


def test_a_box_that_measures_nothing_says_nothing(tmp_path: Path) -> None:
    """No such folder, a file of rubbish, a USB port without a battery to charge: unknown, not fine."""
    assert box.power(tmp_path / "nothing") == Power()
    supply(tmp_path, "usb", type="USB", online="0")
    supply(tmp_path, "AC", type="Mains", online="?")
    assert box.power(tmp_path) == Power()
    supply(tmp_path, "BAT0", type="Battery", capacity="90")
    assert box.power(tmp_path) == Power(mains=False, battery=90)


def test_the_kernel_is_asked_about_the_clock() -> None:
    """On Linux it says yes or no, or the question is not allowed; it never breaks."""
    assert box.synchronised() in {True, False, None}


class Box:
    """A box whose clock and power the test sets."""

    def __init__(self, writer: Writer, clock: ManualClock, *, own_clock: bool) -> None:
        self.clock, self.writer, self.own_clock = clock, writer, own_clock
        self.kept: bool | None = True
        self.power = Power()
        self.files: OpenFiles | None = None
        self.watch = self.started()

    def started(self) -> BoxWatch:
        """A watch as after a start."""
        own = OwnFacts("gw1", self.writer, self.clock, lambda: "h1", lambda _lanes: None)
        return BoxWatch(
            self.writer,
            SteadyClock(self.clock, 0),
            own,
            self.own_clock,
            lambda: self.kept,
            lambda: self.power,
            lambda: self.files,
        )

    async def look(self, clock: float = 60) -> None:
        """A look after the clock has moved so much."""
        await self.clock.advance(clock)
        await self.watch.look()


@pytest.fixture
def at_home(writer: Writer, clock: ManualClock) -> Box:
    """The box in Astrid's home."""
    return Box(writer, clock, own_clock=True)


async def test_the_clocks_quality_is_told_when_it_changes(at_home: Box, stored: SimpleNamespace) -> None:
    """Once at first, once when NTP is lost, also over a restart; what nobody knows is not told."""
    for kept in (True, True, None, False, False, None):
        at_home.kept = kept
        await at_home.look()
    at_home.watch = at_home.started()
    at_home.kept = False
    await at_home.look()
    told = [(body["kind"], body["device"], body["data"]["quality"]) for body in stored.bodies("event")]
    assert told == [("gateway.clock", "gw1", "good"), ("gateway.clock", "gw1", "drifting")]


async def test_power_is_told_when_it_changes(at_home: Box, stored: SimpleNamespace) -> None:
    """Mains lost and back, also when it came back while the program was down; a battery by steps of five."""
    at_home.kept = None
    for mains, battery in ((True, 100), (False, 97), (False, 95), (False, 91), (False, 90)):
        at_home.power = Power(mains, battery)
        await at_home.look()
    at_home.watch = at_home.started()
    at_home.power = Power(mains=True, battery=90)
    await at_home.look()
    told = [(body["kind"], body["data"].get("value")) for body in stored.bodies("event")]
    assert told == [
        ("gateway.battery", 100),
        ("gateway.mains_lost", None),
        ("gateway.battery", 95),
        ("gateway.battery", 90),
        ("gateway.mains_back", None),
    ]


async def test_a_simulated_world_has_no_box_clock(
    writer: Writer, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """Where a day passes in minutes the machine's NTP says nothing about the world's clock."""
    simulated = Box(writer, clock, own_clock=False)
    await simulated.look()
    await simulated.look(clock=3600)
    assert stored.bodies("event") == stored.bodies("health") == []


def test_this_process_holds_some_files_open() -> None:
    """On Linux with a limit the number is known; it is above the three every program has and below the limit."""
    files = box.open_files()
    assert files is None or 3 <= files.held < files.limit


async def test_a_leak_of_connections_is_told_once_and_over_once(
    at_home: Box, stored: SimpleNamespace
) -> None:
    """From seven tenths of the limit on, over a restart of the program, until it has fallen below one half."""
    at_home.kept = None
    for held in (600, 716, 717, 1000):
        at_home.files = OpenFiles(held, 1024)
        await at_home.look()
    at_home.watch = at_home.started()
    for held in (600, 511, 40):
        at_home.files = OpenFiles(held, 1024)
        await at_home.look()
    told = [
        (body["what"], body["data"]["held"], body["data"].get("over", False))
        for body in stored.bodies("health")
    ]
    assert told == [("open files", 717, False), ("open files", 511, True)]
