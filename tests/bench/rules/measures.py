"""What is measured, each as a small function that returns numbers."""

from __future__ import annotations

import gc
import json
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from handwritten import Handwritten
from workload import DEVICES, START, events

from drivers.events import Event, Millis, parse_time
from rules import Book, DeviceSpec, Engine, HomeSpec, load_book
from rules.what_if import what_if

MORNING = (parse_time("2026-01-15T06:00:00+01:00"), parse_time("2026-01-15T10:00:00+01:00"))
PULSE_HIGH, DOSE_TIME = 110, 3_600_000
RESIDENT = {"name": "Astrid", "dose_time": "60 min", "pulse_high": PULSE_HIGH}


def book() -> Book:
    """The twelve rules."""
    return load_book((Path(__file__).parent / "book.yaml").read_text("utf-8"), "book.yaml")


def engine_of(homes: int, late: Millis, *, since: Millis | None = None) -> Engine:
    """An engine with its homes set."""
    made = Engine(book(), urgent=False, catch_all=False)
    for number in range(homes):
        made.set_home(home(f"h{number}", late, since))
    return made


def home(name: str, late: Millis = 0, since: Millis | None = None) -> HomeSpec:
    """One home, with six devices and a gateway where `since` is given."""
    kinds = (*DEVICES, "gateway") if since is not None else ()
    return HomeSpec(name, "Europe/Oslo", RESIDENT, {kind: DeviceSpec(kind, since) for kind in kinds}, late)


def by_hand(stream: Sequence[Event]) -> tuple[float, list[Any]]:
    """CPU seconds and lines of the handwritten reference."""
    reference = Handwritten(MORNING, DOSE_TIME, PULSE_HIGH)
    begun = _begin()
    reference.feed(list(stream))
    reference.finish(stream[-1].at)
    return time.process_time() - begun, sorted(reference.out)


def by_engine(stream: Sequence[Event], homes: int, late: Millis) -> tuple[float, list[Any]]:
    """CPU seconds and lines of the engine."""
    engine = engine_of(homes, late)
    begun = _begin()
    told = [*engine.feed(stream), *engine.finish(stream[-1].at)]
    spent = time.process_time() - begun
    lines = [(d.at, d.action, d.rule, d.key, d.because) for d in told if d.action in ("raise", "clear")]
    return spent, sorted(lines)


def best(measure: Callable[[], tuple[float, list[Any]]], times: int) -> tuple[float, list[Any]]:
    """The fastest of several."""
    return min((measure() for _ in range(times)), key=lambda found: found[0])


def latencies(stream: Sequence[Event], homes: int) -> tuple[float, float]:
    """µs of one event, median and 99th percentile, handed over one by one."""
    engine = engine_of(homes, 0)
    observe, now = engine.observe, time.perf_counter_ns
    spent = []
    gc.collect()
    gc.freeze()
    for event in stream:
        begun = now()
        observe(event)
        spent.append(now() - begun)
    gc.unfreeze()
    spent.sort()
    return spent[len(spent) // 2] / 1000, spent[len(spent) * 99 // 100] / 1000


def memory(homes: int) -> dict[str, float]:
    """MB that homes with all their state take, and what storing and starting again costs, in seconds.

    Run in a process of its own: what Python once took from the system it does not give back.
    """
    specs = [home(f"h{number}", 0, START) for number in range(homes)]
    beats = [
        Event(f"{spec.id}-{kind}", START + n, START + n, spec.id, kind, f"{kind}.heartbeat", {})
        for n, spec in enumerate(specs)
        for kind in (*DEVICES, "gateway")
    ]
    gc.collect()
    before = _resident()
    engine = Engine(book(), catch_all=False)
    for spec in specs:
        engine.set_home(spec)
    engine.feed(sorted(beats, key=lambda event: event.at))
    gc.collect()
    taken = _resident() - before
    begun = time.process_time()
    stored = json.dumps(engine.snapshot())
    stored_in = time.process_time() - begun
    del engine, beats
    begun = _begin()
    again = Engine(book(), catch_all=False)
    again.restore(json.loads(stored), specs)
    again.advance(START + 60_000)
    return {
        "MB": taken,
        "stored MB": len(stored) / 1e6,
        "store s": stored_in,
        "start s": time.process_time() - begun,
    }


def month(days: int, changes: Mapping[str, str]) -> tuple[float, int, int]:
    """Seconds on the clock of a what-if over days of one home, its events, and how many alerts differ.

    changes: text of the book → what stands in its place in the other.
    """
    stream = [event for day in range(days) for event in _day(day)]
    text = (Path(__file__).parent / "book.yaml").read_text("utf-8")
    other = text
    for old, new in changes.items():
        other = other.replace(old, new)
    before, after = load_book(text), load_book(other)
    spent = []
    for _ in range(3):
        gc.collect()
        begun = time.perf_counter()
        found = what_if([home("h0")], stream, before, after, until=stream[-1].at)
        spent.append(time.perf_counter() - begun)
    return min(spent), len(stream), len(found.gone) + len(found.new) + len(found.moved)


def _day(day: int) -> list[Event]:
    begin = START + day * 86_400_000
    found = events(1, seed=day, hours=24, start=begin)
    return [Event(f"{day}/{e.id}", e.at, e.heard, e.home, e.device, e.kind, e.data) for e in found]


def _begin() -> float:
    gc.collect()
    return time.process_time()


def _resident() -> float:
    """MB this process holds now."""
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * resource.getpagesize() / 1e6
