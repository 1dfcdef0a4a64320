"""Windows in which nothing can be said are skipped, not counted; what is told is the same as if each were."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from drivers.events import Event, Millis, parse_time
from rules import Decision, DeviceSpec, Engine, HomeSpec, load_book
from rules import machines as forms
from rules.book import Form
from rules.homes import Home
from rules.machines.daily import Daily, Day
from rules.replay import in_order, judge

HOUR, DAY = 3_600_000, 86_400_000
BEGIN = parse_time("2026-03-20T00:00:00Z")
HOME = HomeSpec("h1", "Europe/Oslo", {"name": "Astrid"}, {"r": DeviceSpec("room", BEGIN)}, 0)
BOOK = """
rules:
  still:
    missing: room.motion
    between: ["06:00", "10:00"]
  still-at-night:
    missing: room.motion
    between: ["22:00", "02:30"]
    only: on monday, tuesday, friday
    not while: dark
  still-seldom:
    missing: room.motion
    between: ["12:00", "13:00"]
    at most once per: 3 d
    not while: dark
  dark:
    missing: gateway.heartbeat
    for: 20 h
"""


class Counting(Daily):
    """The plain reading: every window is looked at when it ends, whatever it may say."""

    def _catch_up(self, home: Home, slot: Day, at: Millis) -> None:
        self._wait(home, slot)

    def due(self, home: Home, slot: Day) -> Millis | None:
        """The end of the next window, always."""
        return self._end(home, slot)

    def fire(self, home: Home, slot: Day, at: Millis) -> None:
        """A window is over."""
        window = self._window(home, slot)
        slot.day += 1
        nothing = window is not None and (not slot.last_id or slot.last < window[0])
        if nothing and slot.alert is None and not self.off(home):
            self._tell(home, slot, at)
        self._wait(home, slot)


def told(decisions: list[Decision]) -> list[tuple[Millis, str, str, tuple[str, ...]]]:
    """Raises and clears."""
    return sorted((d.at, d.action, d.rule, d.because) for d in decisions if d.action in ("raise", "clear"))


def stream(seed: int) -> list[Event]:
    """A month around a clock change in which Astrid is seen, and the gateway heard, every few days at most."""
    chance = random.Random(seed)
    found = []
    for number in range(chance.randint(0, 14)):
        at = BEGIN + chance.randint(0, 30 * 24 * 4) * HOUR // 4
        device, kind = chance.choice((("r", "room.motion"), ("gw", "gateway.heartbeat")))
        found.append(Event(str(number), at, at, "h1", device, kind, {}))
    return in_order(found)


@pytest.mark.parametrize("seed", range(60))
def test_skipping_tells_what_counting_tells(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over months with alerts, holders, weekdays and limits, no alert is gone, new or moved."""
    until = BEGIN + 40 * DAY
    skipped, _ = judge(load_book(BOOK), [HOME], stream(seed), until=until)
    monkeypatch.setitem(forms._MACHINES, Form.DAILY, Counting)
    counted, _ = judge(load_book(BOOK), [HOME], stream(seed), until=until)
    assert told(skipped) == told(counted)


@pytest.mark.parametrize("seed", range(10))
def test_a_restart_among_idle_windows_changes_nothing(seed: int) -> None:
    """Stored and started again after every event, the next window is the same one."""
    whole, _ = judge(load_book(BOOK), [HOME], stream(seed), until=BEGIN + 40 * DAY)
    engine = live(BOOK)
    found = []
    for event in stream(seed):
        found += engine.observe(event)
        stored = json.loads(json.dumps(engine.snapshot()))
        engine = live(BOOK)
        engine.restore(stored)
    assert told([*found, *engine.finish(BEGIN + 40 * DAY)]) == told(whole)


def live(book: str, home: HomeSpec = HOME) -> Engine:
    """An engine with the home set."""
    engine = Engine(load_book(book), urgent=False, catch_all=False)
    engine.set_home(home)
    return engine


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a window of each rule was looked at."""
    counter: Counter[str] = Counter()
    fire = Daily.fire

    def counted(self: Daily, home: Home, slot: Day, at: Millis) -> None:
        counter[self.rule.name] += 1
        fire(self, home, slot, at)

    monkeypatch.setattr(Daily, "fire", counted)
    return counter


@pytest.mark.parametrize("far", ["2126-01-15T12:00:00Z", "9998-01-15T12:00:00Z", "9999-12-31T23:59:00Z"])
def test_eight_thousand_years_of_silence_are_a_handful_of_looks(far: str, looks: Counter[str]) -> None:
    """An event of a clock gone mad costs no more than one of next week."""
    end = parse_time(far)
    events = [
        Event("1", BEGIN, BEGIN, "h1", "r", "room.motion", {}),
        Event("2", BEGIN, BEGIN, "h1", "gw", "gateway.heartbeat", {}),
        Event("3", end, end, "h1", "r", "room.motion", {}),
    ]
    decisions, _ = judge(load_book(BOOK), [HOME], events)
    assert [(d.rule, d.action) for d in decisions if d.rule == "still"] == [
        ("still", "raise"),
        ("still", "clear"),
    ]
    assert sum(looks.values()) < 30


def test_windows_of_a_rule_that_is_off_are_not_counted(looks: Counter[str]) -> None:
    """Off for want of a parameter, the rule is asleep; from the day it is on it judges each window again."""
    book = load_book(
        "rules: {still: {missing: room.motion, between: ['06:00', '10:00'], only: 'between resident.a and 23:00'}}"
    )
    engine = Engine(book, catch_all=False)
    engine.set_home(HOME)
    assert engine.advance(BEGIN + 3000 * DAY) == []
    assert looks["still"] == 1
    engine.set_home(HomeSpec("h1", "Europe/Oslo", {"a": "05:00"}, HOME.devices, 0))
    raised = engine.advance(BEGIN + 3003 * DAY)
    assert [(d.action, (d.at - BEGIN) // DAY) for d in raised] == [("raise", 3000)]


def test_a_person_who_closes_an_alert_of_old_hears_of_the_next_window(looks: Counter[str]) -> None:
    """Closed after a hundred idle days, the rule goes on with the coming morning and not with the past."""
    engine = live("rules: {still: {missing: room.motion, between: ['06:00', '10:00']}}")
    assert [d.action for d in engine.advance(BEGIN + 100 * DAY)] == ["raise"]
    engine.close("h1", "still", "h1", BEGIN + 100 * DAY)
    assert [(d.at - BEGIN) // DAY for d in engine.advance(BEGIN + 101 * DAY)] == [100]
    assert looks["still"] == 2
