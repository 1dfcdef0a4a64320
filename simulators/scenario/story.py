"""A resident's day: what somebody standing in the home would see, before any device reports it.

Seeded: the same scenario, home and day number give the same day on every date. The shape is that of people who
live at home and have help: a busy morning, meals, perhaps an outing, carers at the door, a quiet evening, one
or two walks to the bathroom at night.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from simulators.scenario.model import Millis

MINUTE = 60_000
HOUR = 60 * MINUTE

ROOMS = ("kitchen", "living room", "hall", "bathroom")
"""Where the resident is by day; the bedroom and bathroom have scenes of their own."""

MORNING_PEAK = 3 * HOUR


@dataclass(frozen=True, slots=True, order=True)
class Scene:
    """One thing that happens. what: moves, gets up, lies down, goes out, comes home, door opens, door closes,
    unlocks, locks.
    """

    at: Millis
    what: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """The instants of one day in one home, already resolved to ms UTC."""

    begin: Millis
    end: Millis
    wakes: Millis
    sleeps: Millis
    goes_out: tuple[Millis, ...]
    carers: tuple[Millis, ...]


def story(hours: Hours, draw: random.Random) -> list[Scene]:
    """The scenes of one day in order of time."""
    wakes = hours.wakes + _about(draw, 6)
    sleeps = hours.sleeps + _about(draw, 8)
    away: list[tuple[Millis, Millis]] = []
    scenes = list(_morning(wakes, draw))
    for at in hours.goes_out:
        left, back = at + _about(draw, 5), at + draw.randint(35, 75) * MINUTE
        away.append((left, back))
        scenes += [*_through_the_door(left, draw), *_through_the_door(back, draw)]
        scenes += [Scene(left, "goes out"), Scene(back, "comes home")]
    for at in hours.carers:
        scenes += _carer(at + _about(draw, 4), draw)
    scenes += _moving(wakes + 5 * MINUTE, sleeps - 10 * MINUTE, away, wakes + MORNING_PEAK, draw)
    scenes += _to_bed(sleeps, draw)
    scenes += _night(sleeps, hours.end, draw)
    return sorted(scene for scene in scenes if hours.begin <= scene.at < hours.end)


def _about(draw: random.Random, minutes: float) -> int:
    return round(draw.uniform(-minutes, minutes) * MINUTE)


def _morning(wakes: Millis, draw: random.Random) -> Iterator[Scene]:
    yield Scene(wakes, "gets up")
    yield Scene(wakes + draw.randint(20, 90) * 1000, "moves", "bedroom")
    yield Scene(wakes + draw.randint(2, 4) * MINUTE, "moves", "bathroom")


def _moving(
    since: Millis, until: Millis, away: list[tuple[Millis, Millis]], peak_ends: Millis, draw: random.Random
) -> Iterator[Scene]:
    """Here and there in the home: every few minutes in the morning, more seldom later."""
    at = since
    while at < until:
        if not any(left <= at < back for left, back in away):
            yield Scene(at, "moves", draw.choice(ROOMS))
        longest = 7 if at < peak_ends else 18
        at += round(draw.uniform(2, longest) * MINUTE)


def _through_the_door(at: Millis, draw: random.Random, how: str = "button") -> list[Scene]:
    opened = at + draw.randint(4, 12) * 1000
    closed = opened + draw.randint(6, 30) * 1000
    return [
        Scene(at, "unlocks", how),
        Scene(opened, "door opens"),
        Scene(closed, "door closes"),
        Scene(closed + draw.randint(3, 8) * 1000, "locks", "automatic"),
    ]


def _carer(at: Millis, draw: random.Random) -> list[Scene]:
    leaves = at + draw.randint(12, 25) * MINUTE
    return [
        *_through_the_door(at, draw, "tag"),
        Scene(at + 2 * MINUTE, "moves", "kitchen"),
        *_through_the_door(leaves, draw),
    ]


def _to_bed(sleeps: Millis, draw: random.Random) -> list[Scene]:
    return [
        Scene(sleeps - draw.randint(6, 9) * MINUTE, "moves", "bathroom"),
        Scene(sleeps - draw.randint(1, 2) * MINUTE, "moves", "bedroom"),
        Scene(sleeps, "lies down"),
    ]


def _night(sleeps: Millis, end: Millis, draw: random.Random) -> Iterator[Scene]:
    """One or two walks to the bathroom between one hour after bedtime and two hours before morning."""
    for _ in range(draw.choice((1, 1, 2))):
        if end - 2 * HOUR <= sleeps + HOUR:
            return
        up = draw.randint(sleeps + HOUR, end - 2 * HOUR)
        back = up + draw.randint(4, 9) * MINUTE
        yield Scene(up, "gets up")
        yield Scene(up + 30_000, "moves", "bedroom")
        yield Scene(up + 90_000, "moves", "bathroom")
        yield Scene(back, "lies down")
