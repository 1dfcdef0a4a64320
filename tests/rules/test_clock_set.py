"""A clock set while rules wait: elapsed time is elapsed time, forward and back."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from drivers.events import Event, Millis
from rules import Decision, DeviceSpec, Engine, HomeSpec, load_book
from rules.clock_set import clock_set

NOON: Millis = 1_768_478_400_000
MINUTE: Millis = 60_000
HOUR: Millis = 60 * MINUTE

BOOK = load_book(
    """
rules:
  open: {while: door.leaf is open, for: 10 min, queue: technical}
  silent: {missing: door.heartbeat, for: 15 min, per: device, queue: technical}
  untaken: {when: dispenser.due, missing: dispenser.taken, same: dose, within: 30 min, queue: technical}
  often: {when: pendant.pressed, times: 3, within: 10 min, queue: technical}
  then: {when: door.opened, then: pendant.fall, within: 2 min, queue: technical}
  warm: {while: room.temperature > 30, mean of last: 15 min, for: 5 min, queue: technical}
"""
)
DEVICES = {
    name: DeviceSpec(name, since=NOON, name=name, late_ms=0)
    for name in ("door", "dispenser", "pendant", "room")
}


def engine(late: Millis = 0) -> Engine:
    """One home, watched since noon."""
    made = Engine(BOOK, started=NOON, catch_all=False)
    made.set_home(HomeSpec("h1", devices=DEVICES, late_ms=late))
    return made


def event(number: int, at: Millis, kind: str, **data: object) -> Event:
    """Something of one of the devices, stamped by the gateway."""
    return Event(f"e{number}", at, at, "h1", kind.split(".")[0], kind, data)  # type: ignore[arg-type]


@pytest.mark.parametrize("by", [3 * HOUR, -2 * HOUR, -5 * 24 * HOUR])
def test_ten_minutes_stay_ten_minutes(by: Millis) -> None:
    """A door open for five minutes when the clock is set is told of five minutes later, neither at once nor in days."""
    judge = engine()
    judge.observe(event(1, NOON, "door.opened"))
    assert judge.advance(NOON + 5 * MINUTE) == []
    clock_set(judge, by)
    now = NOON + 5 * MINUTE + by
    judge.observe(event(2, now, "door.heartbeat"))
    assert judge.advance(now + 5 * MINUTE - 1) == []
    assert [one.rule for one in judge.advance(now + 5 * MINUTE + 1)] == ["open"]


def test_what_still_waits_for_its_place_moves_too() -> None:
    """An event held back for the sake of late ones is judged in its place on the new clock, once."""
    judge = engine(late=2 * MINUTE)
    judge.observe(event(1, NOON + MINUTE, "door.opened"))
    clock_set(judge, -HOUR)
    told = judge.advance(NOON - HOUR + 15 * MINUTE)
    assert [(one.rule, one.at) for one in told] == [("open", NOON - HOUR + 11 * MINUTE)]


def story(draw: random.Random) -> list[Event]:
    """Two hours of anything."""
    kinds: list[tuple[str, dict[str, object]]] = [
        ("door.opened", {}),
        ("door.closed", {}),
        ("door.heartbeat", {}),
        ("pendant.pressed", {}),
        ("pendant.fall", {}),
        ("dispenser.due", {"dose": "d1"}),
        ("dispenser.taken", {"dose": "d1"}),
        ("room.temperature", {"value": 34.0}),
        ("room.temperature", {"value": 20.0}),
    ]
    times = sorted(NOON + draw.randrange(2 * HOUR) for _ in range(60))
    return [
        event(number, at, kind, **data)
        for number, at in enumerate(times)
        for kind, data in [draw.choice(kinds)]
    ]


def judged(events: Sequence[Event], cut: Millis | None, by: Millis) -> list[tuple[str, str, Millis]]:
    """What comes of a story, with the clock set at a moment of it; times as the clock before shows them."""
    judge, told = engine(), list[tuple[str, str, Millis]]()

    def note(decisions: Sequence[Decision], off: Millis) -> None:
        told.extend((one.action, one.rule, one.at - off) for one in decisions)

    off = 0
    for one in events:
        if cut is not None and not off and one.at >= cut:
            note(judge.advance(cut), 0)
            clock_set(judge, by)
            off = by
        moved = Event(one.id, one.at + off, one.heard + off, one.home, one.device, one.kind, one.data)
        note(judge.observe(moved), off)
    note(judge.advance(NOON + 4 * HOUR + off), off)
    return told


@pytest.mark.parametrize("seed", range(12))
def test_a_story_is_the_same_on_a_clock_that_was_set(seed: int) -> None:
    """Wherever it is set and by how much: the same alerts, at the same elapsed times."""
    draw = random.Random(seed)
    events = story(draw)
    cut, by = NOON + draw.randrange(2 * HOUR), draw.choice([-7, -3, 2, 5]) * 24 * HOUR + draw.randrange(HOUR)
    as_it_was = judged(events, None, 0)
    assert as_it_was
    assert judged(events, cut, by) == as_it_was
