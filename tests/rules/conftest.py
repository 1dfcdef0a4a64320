"""Astrid lives at home h1; what happens there is written as lines `08:00 DEVICE KIND field=value`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drivers.events import Event, Millis
from rules import Decision, DeviceSpec, Engine, HomeSpec, load_book
from rules.replay import in_order, judge

DAY = "2026-01-15"


def at(clock: str, day: str = DAY, tz: str = "Europe/Oslo") -> Millis:
    """The instant of a local clock time; `+08:00` is the next day."""
    days = clock.count("+")
    text = clock.lstrip("+")
    whole = f"{day}T{text}" if text.count(":") == 2 else f"{day}T{text}:00"
    return (
        round(datetime.fromisoformat(whole).replace(tzinfo=ZoneInfo(tz)).timestamp() * 1000)
        + days * 86_400_000
    )


def events(lines: str, day: str = DAY, tz: str = "Europe/Oslo") -> list[Event]:
    """Events from lines; `heard=08:05` for one that came in later, `id=…` for one with an id of its own."""
    found = []
    for number, line in enumerate(filter(None, map(str.strip, lines.splitlines())), start=1):
        clock, device, kind, *pairs = line.split()
        data: dict[str, Any] = dict(_pair(each) for each in pairs)
        happened = at(clock, day, tz)
        heard = at(str(data.pop("heard")), day, tz) if "heard" in data else happened
        event_id = str(data.pop("id", number))
        found.append(Event(event_id, happened, heard, "h1", device, kind, data))
    return found


def _pair(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    if value.lstrip("-").replace(".", "", 1).isdigit():
        return name, float(value) if "." in value else int(value)
    return name, value


@dataclass
class Story:
    """A home and a book; asked what is told of some events."""

    rules: str
    tz: str = "Europe/Oslo"
    day: str = DAY
    resident: dict[str, Any] = field(default_factory=dict)
    devices: dict[str, DeviceSpec] = field(default_factory=dict)
    late: Millis = 120_000

    @property
    def home(self) -> HomeSpec:
        """Astrid's home."""
        return HomeSpec("h1", self.tz, {"name": "Astrid", **self.resident}, self.devices, self.late)

    def decisions(self, lines: str, until: str = "23:59") -> list[Decision]:
        """Every decision up to a clock time."""
        stream = in_order(events(lines, self.day, self.tz))
        return judge(load_book(self.rules), [self.home], stream, until=at(until, self.day, self.tz))[0]

    def told(self, lines: str, until: str = "23:59") -> list[str]:
        """Raises and clears as `08:10:00 raise RULE KEY`, on the home's clock."""
        return [self.line(each) for each in self.decisions(lines, until) if each.action in ("raise", "clear")]

    def line(self, decision: Decision) -> str:
        """One decision in a few words."""
        moment = datetime.fromtimestamp(decision.at / 1000, ZoneInfo(self.tz))
        return f"{moment:%H:%M:%S} {decision.action} {decision.rule} {decision.key}"

    def live(self, *, urgent: bool = True, catch_all: bool = False, started: Millis = 0) -> Engine:
        """An engine with the home set, as a gateway runs it."""
        engine = Engine(load_book(self.rules), started, urgent=urgent, catch_all=catch_all)
        engine.set_home(self.home)
        return engine


@pytest.fixture
def clock() -> Callable[..., Millis]:
    """Clock time → instant."""
    return at


@pytest.fixture
def heard() -> Callable[..., list[Event]]:
    """Lines → events."""
    return events


@pytest.fixture
def story() -> type[Story]:
    """The maker of stories."""
    return Story
