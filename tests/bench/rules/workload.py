"""A seeded night and morning in many homes: the stream both engines judge."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.events import Event, Millis

START: Millis = 1_768_442_400_000  # 2026-01-15T02:00:00Z, 03:00 in Oslo
HOURS = 9
MINUTE = 60_000
DEVICES = ("dispenser", "pendant", "door", "room", "bed", "vitals")

Draft = tuple[Millis, str, str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often devices speak, in ms: signs of life between two bounds, then each reading."""

    alive: tuple[Millis, Millis]
    gateway: Millis
    battery: Millis
    pulse: Millis
    temperature: Millis


BUSY = Pace((280_000, 330_000), 3 * MINUTE, 30 * MINUTE, 4 * MINUTE, 5 * MINUTE)
"""For the engine's benchmark: nearly four thousand events a home and day."""

EASY = Pace((55 * MINUTE, 62 * MINUTE), 5 * MINUTE, 720 * MINUTE, 30 * MINUTE, 20 * MINUTE)
"""As battery devices speak in homes: some seven hundred events a home and day."""


def events(homes: int, seed: int = 7, hours: int = HOURS, start: Millis = START) -> list[Event]:
    """Every event of all homes, in order of time; two thirds are signs of life."""
    drafts = [
        (at, f"h{number}", device, kind, data)
        for number in range(homes)
        for at, device, kind, data in home(
            random.Random(f"{seed}/{number}"), start, start + hours * 60 * MINUTE
        )
    ]
    drafts.sort(key=lambda draft: draft[0])
    return [
        Event(f"{home}-{device}-{number}", at, at, home, device, kind, data)  # type: ignore[arg-type]
        for number, (at, home, device, kind, data) in enumerate(drafts)
    ]


def home(draw: random.Random, start: Millis, end: Millis, pace: Pace = BUSY) -> Iterator[Draft]:
    """What one home says between two moments, device by device."""
    for device in DEVICES:
        yield from _alive(draw, device, start, end, pace)
    yield from _gateway(draw, start, end, pace)
    yield from _doses(draw, start, end)
    yield from _readings(draw, start, end, pace)
    yield from _movement(draw, start, end)
    yield from _help(draw, start, end)


def _alive(draw: random.Random, device: str, start: Millis, end: Millis, pace: Pace) -> Iterator[Draft]:
    at = start + draw.randrange(5 * MINUTE)
    while at < end:
        yield at, device, f"{device}.heartbeat", {}
        at += draw.randint(*pace.alive)
        if draw.random() < 0.004:
            at += draw.randint(10, 60) * MINUTE
    level = draw.randint(12, 90)
    for at in range(start + draw.randrange(MINUTE), end, pace.battery):
        level = draw.randint(30, 100) if draw.random() < 0.03 else max(3, level - draw.choice((0, 0, 1, 4)))
        yield at, device, f"{device}.battery", {"value": level}


def _gateway(draw: random.Random, start: Millis, end: Millis, pace: Pace) -> Iterator[Draft]:
    at = start + draw.randrange(3 * MINUTE)
    while at < end:
        yield at, "gateway", "gateway.heartbeat", {}
        at += pace.gateway
        if draw.random() < 0.003:
            at += draw.randint(5, 50) * MINUTE


def _doses(draw: random.Random, start: Millis, end: Millis) -> Iterator[Draft]:
    for hour in (1, 4, 7):
        due = start + hour * 60 * MINUTE + draw.randrange(MINUTE)
        yield due, "dispenser", "dispenser.due", {"dose": f"d{hour}"}
        if draw.random() < 0.8:
            taken = due + draw.randint(1, 75) * MINUTE
            if taken < end:
                yield taken, "dispenser", "dispenser.taken", {"dose": f"d{hour}"}


def _readings(draw: random.Random, start: Millis, end: Millis, pace: Pace) -> Iterator[Draft]:
    pulse, degrees = draw.randint(60, 105), draw.uniform(14, 21)
    for at in range(start + draw.randrange(MINUTE), end, pace.pulse):
        pulse = max(45, min(160, pulse + draw.randint(-9, 9)))
        yield at, "vitals", "vitals.pulse", {"value": pulse}
    for at in range(start + draw.randrange(MINUTE), end, pace.temperature):
        degrees = max(8.0, min(26.0, degrees + draw.uniform(-0.6, 0.6)))
        yield at, "room", "room.temperature", {"value": round(degrees, 1)}


def _movement(draw: random.Random, start: Millis, end: Millis) -> Iterator[Draft]:
    at = start + draw.randint(1, 300) * MINUTE
    while at < end:
        yield at, "room", "room.motion", {}
        at += draw.randint(60_000, 12 * MINUTE)
    for _ in range(draw.randint(2, 8)):
        opened = start + draw.randrange(end - start)
        yield opened, "door", "door.opened", {}
        yield min(end - 1, opened + draw.randint(10_000, 15 * MINUTE)), "door", "door.closed", {}
    for _ in range(draw.randint(1, 4)):
        left = start + draw.randrange(end - start)
        yield left, "bed", "bed.left", {}
        yield min(end - 1, left + draw.randint(2, 40) * MINUTE), "bed", "bed.entered", {}


def _help(draw: random.Random, start: Millis, end: Millis) -> Iterator[Draft]:
    for _ in range(draw.choice((0, 0, 1, 3))):
        at = start + draw.randrange(end - start - 20 * MINUTE)
        for _ in range(draw.randint(1, 5)):
            yield at, "pendant", "pendant.pressed", {}
            at += draw.randint(5_000, 6 * MINUTE)
    for _ in range(draw.choice((0, 0, 0, 1))):
        at = start + draw.randrange(end - start - 20 * MINUTE)
        for _ in range(draw.randint(1, 3)):
            yield at, "pendant", "pendant.fall", {}
            at += draw.randint(10_000, 8 * MINUTE)
