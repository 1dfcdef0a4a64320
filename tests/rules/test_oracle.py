"""The engine against a brute-force oracle, on streams made to hurt: ties, deadlines, disorder, repeats, restarts."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.events import Event, parse_time
from rules import DeviceSpec, Engine, HomeSpec, load_book
from rules.book import Book
from rules.replay import in_order, judge


def _sibling(name: str) -> ModuleType:
    """A module beside this file; test folders are no packages."""
    spec = importlib.util.spec_from_file_location(f"rules_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


oracle = _sibling("oracle")
MINUTE = 60_000
STEP = 30_000
"""Everything happens on half minutes, so that ties and exact deadlines are the rule."""

NIGHTS = {
    "Oslo, spring": ("Europe/Oslo", "2026-03-29T00:30:00Z"),
    "Oslo, autumn": ("Europe/Oslo", "2026-10-25T00:30:00Z"),
    "New York, spring": ("America/New_York", "2026-03-08T06:30:00Z"),
    "New York, autumn": ("America/New_York", "2026-11-01T05:30:00Z"),
    "Lord Howe, spring": ("Australia/Lord_Howe", "2026-10-03T15:10:00Z"),
    "Lord Howe, autumn": ("Australia/Lord_Howe", "2026-04-04T14:40:00Z"),
    "Oslo, an ordinary day": ("Europe/Oslo", "2026-01-15T01:30:00Z"),
}
CLOCKS = ("01:50", "02:10", "02:30", "02:45", "03:05", "03:30")


@dataclass(frozen=True)
class Case:
    """A book in both readings, a home and its stream."""

    text: str
    asks: list
    tz: str
    since: dict
    late: int
    events: list
    until: int

    @property
    def book(self) -> Book:
        return load_book(self.text)

    @property
    def home(self) -> HomeSpec:
        devices = {name: DeviceSpec(kind, since) for name, (kind, since) in self.since.items()}
        return HomeSpec("h1", self.tz, {"name": "Astrid", "limit": 100}, devices, self.late)

    def heard(self) -> list:
        """The events as the oracle reads them."""
        return [
            oracle.Heard(e.id, e.at, e.heard, e.device, e.kind, tuple(e.data.items())) for e in self.events
        ]

    def expected(self) -> list:
        """What the oracle says."""
        second = oracle.Oracle(self.asks, self.tz, self.since, self.late)
        return sorted(second.judge(self.heard(), self.until))


def lines(decisions: list) -> list:
    """Raises and clears in the oracle's form."""
    return sorted(
        (d.at, d.action, d.rule, d.key, d.because) for d in decisions if d.action in ("raise", "clear")
    )


spans = st.sampled_from([60, 90, 120, 180, 300])
windows = st.tuples(st.sampled_from(CLOCKS), st.sampled_from(CLOCKS)).filter(lambda pair: pair[0] != pair[1])


@st.composite
def books(draw: st.DrawFn) -> tuple[str, list]:
    """Ten rules with drawn spans and windows, as a book and as the oracle reads them."""
    s = [draw(spans) for _ in range(12)]
    only, started, window = draw(windows), draw(windows), draw(windows)
    count = draw(st.integers(2, 3))
    with_only = draw(st.booleans())
    text = f"""
rules:
  unanswered:
    when: dispenser.due
    missing: dispenser.taken
    same: dose
    within: {s[0]} s
  fall:
    when: pendant.fall
    at most once per: {s[1]} s
    urgency: critical
  pressed-in-time:
    when: pendant.pressed
    only: between {only[0]} and {only[1]}
  door-then-fall:
    when: door.opened
    then: pendant.fall
    within: {s[2]} s
  pressed-often:
    when: pendant.pressed
    times: {count}
    within: {s[3]} s
  door-open:
    while: door.leaf is open
    for: {s[4]} s
    started: between {started[0]} and {started[1]}
  pulse-high:
    while: vitals.pulse > resident.limit
    for: {s[5]} s
    until: vitals.pulse < resident.limit - 10
    at most once per: {s[6]} s
  bed-empty:
    while: bed.occupied is no
    not while: gateway-silent
    for: {s[7]} s
  gateway-silent:
    missing: gateway.heartbeat
    for: {s[8]} s
  device-silent:
    missing: any.heartbeat
    per: device
    for: {s[9]} s
    not while: gateway-silent
  still:
    missing: room.motion
    between: ["{window[0]}", "{window[1]}"]
    {f"only: between {only[0]} and {only[1]}" if with_only else ""}
  water-held:
    when: water.detected
    not while: gateway-silent
  unanswered-held:
    when: call.raised
    missing: call.cleared
    within: {s[10]} s
    not while: gateway-silent
"""
    classes = ("dispenser", "lock", "door", "pendant", "call", "smoke", "heat", "gas", "co", "water", "room", "bed",
               "chair", "vitals")  # fmt: skip
    ask = oracle.Ask
    asks = [
        ask("unanswered", "unanswered", ("dispenser.due",), ("dispenser.taken",), s[0] * 1000, same="dose"),
        ask("fall", "when", ("pendant.fall",), quiet=s[1] * 1000, critical=True),
        ask("pressed-in-time", "when", ("pendant.pressed",), only=only, critical=True),
        ask("door-then-fall", "then", ("door.opened",), ("pendant.fall",), s[2] * 1000),
        ask("pressed-often", "times", ("pendant.pressed",), span=s[3] * 1000, count=count),
        ask("door-open", "while", ("door.opened", "door.closed"), span=s[4] * 1000, started=started,
            true=lambda e: e.kind == "door.opened", over=lambda e: e.kind == "door.closed"),
        ask("pulse-high", "while", ("vitals.pulse",), span=s[5] * 1000, quiet=s[6] * 1000,
            true=lambda e: e.get("value") > 100, over=lambda e: e.get("value") < 90),
        ask("bed-empty", "while", ("bed.left", "bed.entered"), span=s[7] * 1000, held_by=("gateway-silent",),
            true=lambda e: e.kind == "bed.left", over=lambda e: e.kind == "bed.entered"),
        ask("gateway-silent", "silence", ("gateway.heartbeat",), span=s[8] * 1000),
        ask("device-silent", "silence", tuple(f"{name}.heartbeat" for name in classes), span=s[9] * 1000,
            per_device=True, held_by=("gateway-silent",)),
        ask("still", "daily", ("room.motion",), window=window, only=only if with_only else ("", "")),
        ask("water-held", "when", ("water.detected",), held_by=("gateway-silent",), critical=True),
        ask("unanswered-held", "unanswered", ("call.raised",), ("call.cleared",), s[10] * 1000,
            held_by=("gateway-silent",)),
    ]  # fmt: skip
    return text, asks


KINDS = [
    ("dispenser", "dispenser.due"), ("dispenser", "dispenser.taken"), ("pendant", "pendant.fall"),
    ("pendant", "pendant.pressed"), ("door", "door.opened"), ("door", "door.closed"), ("vitals", "vitals.pulse"),
    ("bed", "bed.left"), ("bed", "bed.entered"), ("gateway", "gateway.heartbeat"), ("door", "door.heartbeat"),
    ("bed", "bed.heartbeat"), ("room", "room.motion"), ("water", "water.detected"), ("call", "call.raised"),
    ("call", "call.cleared"),
]  # fmt: skip


@st.composite
def streams(draw: st.DrawFn, start: int, late: int) -> list[Event]:
    """Up to forty events on half minutes, some late, some told twice."""
    events: list[Event] = []
    spread = draw(st.sampled_from([20, 60, 240]))
    for number in range(draw(st.integers(0, 40))):
        device, kind = draw(st.sampled_from(KINDS))
        at = start + draw(st.integers(0, spread)) * STEP
        delay = draw(st.sampled_from([0, 0, 0, STEP, late, late + 1, late + 5 * MINUTE]))
        data: dict = {}
        if kind.startswith("dispenser"):
            data = {"dose": draw(st.sampled_from(["a", "b"]))}
        if kind == "vitals.pulse":
            data = {"value": draw(st.sampled_from([80, 95, 100, 101, 130]))}
        event_id = draw(st.sampled_from([str(number), f"{device}:{number}"]))
        events.append(Event(event_id, at, at + delay, "h1", device, kind, data))
    for event in draw(st.lists(st.sampled_from(events), max_size=3)) if events else ():
        again = event.heard + draw(st.sampled_from([0, STEP]))
        events.append(Event(event.id, event.at, again, "h1", event.device, event.kind, event.data))
    return events


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A book, a home on one of the nights, a stream."""
    text, asks = draw(books())
    tz, begin = draw(st.sampled_from(sorted(NIGHTS.values())))
    start = parse_time(begin)
    late = draw(st.sampled_from([0, STEP, 2 * MINUTE]))
    since = {}
    for device in ("door", "bed", "gateway", "room"):
        if draw(st.booleans()):
            since[device] = (device, start + draw(st.integers(-10, 10)) * MINUTE)
    events = draw(streams(start, late))
    until = start + draw(st.sampled_from([60, 125, 200])) * MINUTE
    return Case(text, asks, tz, since, late, events, until)


thorough = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@thorough
@given(cases())
def test_the_engine_agrees_with_the_oracle(case: Case) -> None:
    """No alert is missing, none is extra, and each has exactly the evidence the definition gives it."""
    decisions, _ = judge(case.book, [case.home], in_order(case.events), until=case.until)
    assert lines(decisions) == case.expected()


def one_by_one(case: Case, *, restart_every: int, urgent: bool) -> list:
    """The stream as it is heard, an event at a time, with a restart from the stored state every few events."""
    book = case.book
    engine = _engine(book, case, urgent=urgent)
    out = []
    for number, event in enumerate(in_order(case.events), start=1):
        if event.heard > case.until:
            break
        out += engine.observe(event)
        if restart_every and number % restart_every == 0:
            stored = json.loads(json.dumps(engine.snapshot()))
            engine = _engine(book, case, urgent=urgent)
            engine.restore(stored)
    return out + engine.finish(case.until)


def _engine(book: Book, case: Case, *, urgent: bool) -> Engine:
    engine = Engine(book, urgent=urgent, catch_all=False)
    engine.set_home(case.home)
    return engine


@thorough
@given(cases(), st.integers(1, 7))
def test_a_restart_at_any_point_changes_nothing(case: Case, every: int) -> None:
    """Ended and started again from its stored state after any event, the engine tells the same, each once."""
    whole = one_by_one(case, restart_every=0, urgent=False)
    again = one_by_one(case, restart_every=every, urgent=False)
    assert lines(again) == lines(whole) == case.expected()
    told = [each.identity for each in again if each.action in ("raise", "clear")]
    assert len(told) == len(set(told))


@thorough
@given(cases(), st.integers(0, 5))
def test_the_urgent_lane_loses_nothing_and_tells_nothing_twice(case: Case, every: int) -> None:
    """With the urgent lane every settled alert is told, once, through restarts; what is told early stays told."""
    settled = {(d[0], d[2], d[3]) for d in case.expected() if d[1] == "raise"}
    told = [
        (d.at, d.rule, d.key)
        for d in one_by_one(case, restart_every=every, urgent=True)
        if d.action == "raise"
    ]
    assert settled <= set(told)
    assert len(told) == len(set(told))


@pytest.mark.parametrize("night", NIGHTS)
def test_the_same_stream_gives_the_same_alerts_in_any_order_of_arrival_within_the_allowance(
    night: str,
) -> None:
    """What came in disorder but in time is judged as if it had come in order."""
    tz, begin = NIGHTS[night]
    start = parse_time(begin)
    text = (
        "rules: {often: {when: pendant.pressed, times: 3, within: 5 min},"
        " open: {while: door.leaf is open, for: 3 min}}"
    )
    plan = [(0, "pendant.pressed"), (60, "door.opened"), (70, "pendant.pressed"), (200, "pendant.pressed"),
            (240, "door.closed"), (300, "door.opened")]  # fmt: skip
    straight = [
        Event(str(n), start + s * 1000, start + s * 1000, "h1", "d", k, {}) for n, (s, k) in enumerate(plan)
    ]
    crooked = [
        Event(e.id, e.at, e.at + (110_000 if n % 2 else 0), "h1", "d", e.kind, {})
        for n, e in enumerate(straight)
    ]
    home = HomeSpec("h1", tz, {}, {}, 120_000)
    one, _ = judge(load_book(text), [home], in_order(straight), until=start + 20 * MINUTE)
    other, _ = judge(load_book(text), [home], in_order(crooked), until=start + 20 * MINUTE)
    assert lines(one) == lines(other)
    assert [(line[1], line[2]) for line in lines(one)] == [("raise", "often"), ("raise", "open")]
