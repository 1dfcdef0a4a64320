"""Somebody sets the clock of a gateway at work: waits stay as long as they were, and what was stamped is marked."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from drivers.events import Frame, Millis, iso
from hub.clock import ManualClock
from hub.gateway.box import Power
from hub.gateway.box_watch import BoxWatch
from hub.gateway.clock_watch import ClockWatch
from hub.gateway.hearing import Hearing
from hub.gateway.judging import Judging
from hub.gateway.own_facts import OwnFacts
from hub.gateway.steady_clock import SteadyClock
from hub.store.writer import Writer
from rules import DeviceSpec, Engine, HomeSpec, load_book

SECOND: Millis = 1000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE

BOOK = load_book("rules: {hot: {while: room.temperature > 30, for: 10 min, queue: technical}}")
HOT = {"kind": "room.temperature", "data": {"value": 35.0}}


class Box:
    """Astrid's gateway, whose clock the test sets. base: the machine's clock; passed: what nobody can set."""

    def __init__(self, writer: Writer, hearing: Hearing, base: ManualClock, floor: Millis = 0) -> None:
        self.base, self.passed, self.kept = base, 0.0, True
        self.clock = SteadyClock(base, floor, lambda: self.passed)
        own = OwnFacts("gw1", writer, self.clock, lambda: "h1", lambda _lanes: None)
        self.box_watch = BoxWatch(
            writer, self.clock, own, own_clock=True, synchronised=lambda: self.kept, power=Power
        )
        self.hearing = hearing
        self.judging = Judging(
            writer, self.clock, BOOK, Engine, lambda: [HOME], lambda _lanes: None, hearing.oldest_under_way
        )
        hearing.after = lambda committed: self.judging.take(committed.events)
        hearing.stamp = self.clock.brought_over
        self.watch = ClockWatch(self.clock, hearing, self.judging, self.box_watch)

    def live(self, ms: Millis) -> None:
        """Time passes."""
        self.base.at += ms
        self.passed += ms / 1000

    async def look(self) -> None:
        """The watch looks, while the judging is at work."""
        looking = asyncio.create_task(self.watch.look())
        while not looking.done():
            if self.judging._clock_to_set is not None:
                await self.judging.turn()
            await asyncio.sleep(0)
        await looking
        await self.judging.turn()

    def says(self, *facts: dict[str, Any], heard: Millis | None = None) -> Frame:
        """A frame of the thermometer, stamped by the link."""
        at = self.clock.now() if heard is None else heard
        return Frame("mqtt", "h1/room-1", orjson.dumps({"facts": list(facts)}), at, channel="event")


HOME = HomeSpec("h1", devices={"room-1": DeviceSpec("room", since=0, late_ms=0)}, late_ms=0)


@pytest.fixture
async def at_home(writer: Writer, hearing: Hearing, clock: ManualClock) -> Box:
    """The box at work, its clock good."""
    box = Box(writer, hearing, clock)
    await box.judging.start()
    await box.look()
    return box


def decided(stored: SimpleNamespace) -> list[tuple[str, str]]:
    """Rule and instant of each decision."""
    return [(body["rule"], body["at"]) for body in stored.bodies("decision")]


def clock_facts(stored: SimpleNamespace) -> list[dict[str, Any]]:
    """What was told of the clock."""
    return [body["data"] for body in stored.bodies("event") if body["kind"] == "gateway.clock"]


async def test_time_goes_on_until_it_is_taken_over(clock: ManualClock) -> None:
    """A clock set by hours changes nothing at first; steered by seconds it is followed at once."""
    passed = [0.0]
    steady = SteadyClock(clock, 0, lambda: passed[0])
    begin = steady.now()
    clock.at, passed[0] = clock.at + 61_000, 60.0
    assert (steady.now(), steady.pending) == (begin + 61_000, 0)
    clock.at, passed[0] = clock.at + 3 * HOUR, 61.0
    assert (steady.now(), steady.pending) == (begin + 62_000, 3 * HOUR - SECOND)
    cut = steady.take_over()
    assert (cut.by, steady.now(), steady.pending) == (3 * HOUR - SECOND, clock.at, 0)
    assert steady.brought_over(begin + 62_000) == clock.at
    assert steady.brought_over(clock.at) == clock.at


@pytest.mark.parametrize("by", [3 * HOUR, -2 * HOUR])
async def test_a_wait_lasts_as_long_as_it_should(at_home: Box, stored: SimpleNamespace, by: Millis) -> None:
    """Six minutes before and four after the clock was set are ten; told at its time on the clock that is right."""
    await at_home.hearing.hear(at_home.says(HOT))
    at_home.live(6 * MINUTE)
    at_home.base.at += by
    await at_home.look()
    assert decided(stored) == []
    at_home.live(4 * MINUTE - SECOND)
    await at_home.look()
    assert decided(stored) == []
    at_home.live(2 * SECOND)
    await at_home.look()
    assert decided(stored) == [("hot", iso(at_home.base.at - SECOND))]


async def test_it_is_told_how_far_and_since_when(at_home: Box, stored: SimpleNamespace) -> None:
    """The fact marks what was stamped since the clock was last known to be right; a technician hears of hours."""
    at_home.kept = False
    at_home.live(MINUTE)
    begin = at_home.clock.now() - MINUTE
    at_home.base.at += 3 * HOUR
    at_home.kept = True
    await at_home.look()
    assert clock_facts(stored)[-1] == {"quality": "good", "set_by": 10_800.0, "wrong_since": begin}
    [line] = stored.bodies("health")
    assert line["says"]["en"] == "The gateway's clock was set 10800 s forward"
    assert (line["data"]["urgency"], "note" in line["data"]) == ("low", False)
    at_home.live(HOUR)
    await at_home.look()
    assert stored.bodies("health")[-1]["data"] == {"over": True}


async def test_seconds_are_a_note(at_home: Box, stored: SimpleNamespace) -> None:
    """A clock set by twenty seconds calls nobody."""
    at_home.live(MINUTE)
    at_home.base.at -= 20 * SECOND
    await at_home.look()
    [line] = stored.bodies("health")
    assert line["data"]["note"] is True
    assert clock_facts(stored)[-1]["set_by"] == -20.0


async def test_after_setting_it_back_nothing_is_late(at_home: Box, stored: SimpleNamespace) -> None:
    """What is heard after the clock was set back by hours is judged at once, in its own time."""
    at_home.live(MINUTE)
    at_home.base.at -= 5 * HOUR
    await at_home.look()
    await at_home.hearing.hear(at_home.says(HOT))
    at_home.live(10 * MINUTE + SECOND)
    await at_home.look()
    assert decided(stored) == [("hot", iso(at_home.base.at - SECOND))]


async def test_a_frame_between_two_times(at_home: Box, stored: SimpleNamespace) -> None:
    """What a link stamped just before the clock was taken over is stamped as the new clock shows that moment."""
    at_home.live(MINUTE)
    frame = at_home.says(HOT)
    at_home.base.at += 3 * HOUR
    await at_home.look()
    await at_home.hearing.hear(frame)
    event = stored.bodies("event")[-1]
    assert event["heard"] == iso(at_home.base.at)


async def test_hearing_waits_while_the_clock_is_taken_over(hearing: Hearing, at_home: Box) -> None:
    """Frames that come meanwhile are heard afterwards, in their order."""
    async with hearing.paused():
        waiting = [asyncio.create_task(hearing.hear(at_home.says(HOT))) for _ in range(3)]
        await asyncio.sleep(0)
        assert hearing.counters["frames"] == 0
    receipts = [await one for one in waiting]
    assert [one.accepted for one in receipts] == [True] * 3


async def test_a_restart_finds_the_waits_as_they_were_left(
    at_home: Box, writer: Writer, hearing: Hearing, stored: SimpleNamespace
) -> None:
    """Ended right after the clock was set, the gateway goes on with the wait where it was."""
    await at_home.hearing.hear(at_home.says(HOT))
    at_home.live(6 * MINUTE)
    at_home.base.at += 3 * HOUR
    await at_home.look()
    reborn = Box(writer, hearing, at_home.base)
    await reborn.judging.start()
    await reborn.look()
    reborn.live(4 * MINUTE - SECOND)
    await reborn.look()
    assert decided(stored) == []
    reborn.live(2 * SECOND)
    await reborn.look()
    assert [rule for rule, _ in decided(stored)] == ["hot"]


async def test_a_journal_from_the_future(
    writer: Writer, hearing: Hearing, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """A clock that was a year ahead and is right now holds nothing up for a year, once a time server vouches for it."""
    box = Box(writer, hearing, clock, floor=clock.at + 365 * 24 * HOUR)
    box.kept = False
    await box.judging.start()
    await box.look()
    assert (clock_facts(stored)[-1]["quality"], box.clock.is_set) == ("unset", False)
    box.kept = True
    await box.look()
    assert (box.clock.is_set, box.clock.now()) == (True, clock.at)
    assert clock_facts(stored)[-1]["quality"] == "good"
