"""What goes wrong in a town with wires, batteries, clocks and paper, beside what happens to people: seeded, rare.

Every kind of fault that a scenario can put on a device comes up somewhere: a device of the home that can have it is
drawn, so a fault that no device of a town knows (a cabinet's) never does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulators.scenario.model import Device, Home, Incident

DAY_MINUTES = 24 * 60
MOST_TROUBLE = 100.0

Draw = Callable[[random.Random], Mapping[str, Any]]


def _nothing(_draw: random.Random) -> Mapping[str, Any]:
    return {}


def _chance(draw: random.Random) -> Mapping[str, Any]:
    return {"chance": draw.choice((0.2, 0.5, 1.0))}


def _hours(draw: random.Random) -> Mapping[str, Any]:
    return {"hours": draw.choice((-5, -1, 1, 2, 9))}


def _seconds(draw: random.Random) -> Mapping[str, Any]:
    return {"seconds": draw.choice((5, 20, 60))}


def _level(draw: random.Random) -> Mapping[str, Any]:
    return {"from": draw.randint(25, 40), "to": draw.randint(2, 10)}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One word behind `do:`. often: chance in a home and a day. longest: minutes it lasts at most, 0 if at once."""

    do: str
    often: float
    longest: int = 0
    data: Draw = _nothing


WRONG = (
    Wrong("silent", 0.003, 540),
    Wrong("wrong_bytes", 0.003, 30, _chance),
    Wrong("dropped", 0.005, 60, _chance),
    Wrong("doubled", 0.006, 120, _chance),
    Wrong("disorder", 0.003, 60, _chance),
    Wrong("slow", 0.006, 120, _seconds),
    Wrong("clock_wrong", 0.003, 600, _hours),
    Wrong("stuck", 0.003, 60),
    Wrong("link_lost", 0.005),
    Wrong("reboot", 0.006),
    Wrong("battery_low", 0.006),
    Wrong("drain", 0.003, 240, _level),
    Wrong("tamper", 0.002),
    Wrong("low_stock", 0.004, 180),
    Wrong("empty", 0.003, 120),
)


def faults(home: Home, draw: random.Random, days: int, trouble: float) -> Iterator[Incident]:
    """The faults of a home. trouble: how many times as often as usual."""
    for day in range(1, days + 1):
        for one in WRONG:
            happens, at, place = (
                draw.random() < one.often * trouble,
                draw.randrange(DAY_MINUTES),
                draw.random(),
            )
            lasts, data = draw.randint(2, max(3, one.longest)) * 60.0, one.data(draw)
            able = [device for device in home.devices.values() if one.do in device.kind.incidents]
            if happens and able:
                yield _incident(able[int(place * len(able))], one, at, day, lasts, data)


def _incident(
    device: Device, one: Wrong, at: int, day: int, lasts: float, data: Mapping[str, Any]
) -> Incident:
    return Incident(device.home, device.id, one.do, at, day, 1, 60.0, lasts if one.longest else None, data)
