"""What each device says of an ordinary day: the story as its sensor sees it, doses, readings, signs of life."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from simulators.scenario.measuring import METERS, facts, usual
from simulators.scenario.model import Beat, Device, Millis
from simulators.scenario.story import MINUTE, Scene

OBSERVED: Mapping[str, Mapping[str, str]] = {
    "door": {"door opens": "opened", "door closes": "closed"},
    "lock": {"unlocks": "unlocked", "locks": "locked"},
    "bed": {"gets up": "left", "lies down": "entered"},
    "motion": {"moves": "motion"},
    "door_reader": {"door opens": "opened", "door closes": "closed"},
}
"""Device type → which scenes it sees, and as which of its facts."""

AT_REST: Mapping[str, str] = {"door": "closed", "lock": "locked", "bed": "entered", "door_reader": "closed"}
"""What a device reports of itself when its day begins, before anybody has moved."""

DEFAULT_WINDOW = 60 * 60.0
REMINDERS = (15 * MINUTE, 30 * MINUTE, 45 * MINUTE)


@dataclass(frozen=True, slots=True)
class Day:
    """What a device's habits are made of: the day's begin and end, its scenes, and clock → instant."""

    begin: Millis
    end: Millis
    scenes: tuple[Scene, ...]
    instant: Callable[[int], Millis]
    missed_doses: frozenset[Millis] = frozenset()
    left_doses: frozenset[Millis] = frozenset()


def habits(device: Device, day: Day, draw: random.Random) -> list[Beat]:
    """Everything this device says on an ordinary day, in no particular order."""
    own = OWN.get(device.type)
    return [
        *_observing(device, day),
        *_signs_of_life(device, day, draw),
        *(own(device, day, draw) if own else ()),
    ]


def _observing(device: Device, day: Day) -> Iterator[Beat]:
    seen = OBSERVED.get(device.type, {})
    room = device.settings.get("room")
    for scene in day.scenes:
        if scene.what in seen and room in (None, scene.place):
            data = {"how": scene.place} if device.type == "lock" else {}
            yield beat(device, scene.at, seen[scene.what], **data)


def _signs_of_life(device: Device, day: Day, draw: random.Random) -> Iterator[Beat]:
    """A report on itself when the day begins, then a heartbeat at its interval; in a crowd each at its own moment."""
    if "heartbeat" not in device.kind.says:
        return
    at = day.begin + draw.randint(1000, 20_000) + round(device.settings.get("offset", 0.0) * 1000)
    if device.type in AT_REST:
        yield beat(device, at, AT_REST[device.type])
    if "battery" in device.kind.says:
        yield beat(device, at + 500, "battery", value=device.settings.get("battery", 80))
    period = round(device.settings.get("heartbeat", device.kind.heartbeat) * 1000)
    for moment in range(at + 1000, day.end, period):
        yield beat(device, moment, "heartbeat")


def _dispensing(device: Device, day: Day, draw: random.Random) -> Iterator[Beat]:
    """Each dose: due, reminded until taken out or until its window ends; never twice."""
    window = round(device.settings.get("window", DEFAULT_WINDOW) * 1000)
    forgets = device.settings.get("forgets", 0.0)
    for clock in device.settings.get("doses", ()):
        due = day.instant(clock)
        dose = {"dose": f"{clock // 60:02d}:{clock % 60:02d}-{due}", "planned": due}
        out = due + round(draw.triangular(1, 12, 4) * MINUTE)
        missed = draw.random() < forgets or due in day.missed_doses
        until = due + window if missed else out
        yield beat(device, due, "due", **dose)
        yield from (beat(device, due + wait, "reminded", **dose) for wait in REMINDERS if due + wait < until)
        if missed:
            yield beat(device, due + window, "missed", **dose)
            yield beat(device, due + window + MINUTE, "secured", **dose)
        else:
            yield beat(device, out, "dispensed", **dose)
            if due not in day.left_doses:
                yield beat(device, out + draw.randint(20, 90) * 1000, "taken", **dose)


def _measuring(device: Device, day: Day, draw: random.Random) -> Iterator[Beat]:
    """A meter in use, at its times."""
    for clock in device.settings.get("measured", ()):
        at = day.instant(clock) + draw.randint(0, 5 * MINUTE)
        yield from reading(device, at, usual(device.type, device.settings, draw))


def reading(device: Device, at: Millis, values: Mapping[str, float]) -> Iterator[Beat]:
    """One measurement may say several facts at once. values: by name of quantity."""
    for word, data in facts(device.type, values):
        yield beat(device, at, word, **data)


def _air(device: Device, day: Day, draw: random.Random) -> Iterator[Beat]:
    """Temperature (°C) and humidity (%): cooler at night, warmest in the evening."""
    period = round(device.settings.get("heartbeat", device.kind.heartbeat) * 1000)
    for at in range(day.begin + draw.randint(20_000, 120_000), day.end, period):
        hours = (at - day.begin) / (60 * MINUTE)
        warmth = 21 + 1.5 * math.sin((hours - 4) * math.tau / 24) + draw.uniform(-0.2, 0.2)
        yield beat(device, at, "temperature", value=round(warmth, 1))
        yield beat(device, at, "humidity", value=round(38 + draw.uniform(-3, 3), 1))


def _at_home(device: Device, day: Day, draw: random.Random) -> Iterator[Beat]:  # noqa: ARG001  as every habit
    """A card in its holder while the resident is at home."""
    yield beat(device, day.begin + 5000, "presence", value=True)
    for scene in day.scenes:
        if scene.what in ("goes out", "comes home"):
            yield beat(device, scene.at, "presence", value=scene.what == "comes home")


def _medicine_cabinet(device: Device, day: Day, draw: random.Random) -> Iterator[Beat]:
    """Whoever comes with a tag opens the day's compartment and shuts it."""
    for scene in day.scenes:
        if scene.what == "unlocks" and scene.place == "tag":
            at = scene.at + 4 * MINUTE
            yield beat(device, at, "unlocked", how="compartment 1")
            yield beat(device, at + draw.randint(2, 4) * MINUTE, "locked", how="compartment 1")


OWN: Mapping[str, Callable[[Device, Day, random.Random], Iterator[Beat]]] = {
    "dispenser": _dispensing,
    "climate": _air,
    "key_card": _at_home,
    "cabinet": _medicine_cabinet,
    **dict.fromkeys(METERS, _measuring),
}
"""Habits beyond what a device observes."""


def beat(device: Device, at: Millis, word: str, **data: object) -> Beat:
    """One thing this device says."""
    return Beat(at=at, device=device.id, kind=device.kind.fact(word), home=device.home, data=data)
