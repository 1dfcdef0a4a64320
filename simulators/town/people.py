"""Who lives in a town and how: seeded, and the same for the same seed whatever else is asked for.

The shape of a day follows what is known of people who live at home with help: they rise between six and half past
eight, medicine comes at fixed times, home care comes mostly in the morning, and alarms peak from 08 to 11, when
staff have most to do. About six alarms in a hundred are serious falls, about half are everyday wishes for help.
Source: SINTEF's evaluations of safety alarms in Norwegian municipalities (morning peak, causes of alarms).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

FIRST = (
    "Astrid", "Bjarne", "Solveig", "Arne", "Ingrid", "Odd", "Gerd", "Kåre", "Randi", "Leif", "Turid", "Egil", "Åse",
    "Magne", "Bodil", "Harald", "Eldbjørg", "Sverre", "Kirsten", "Torleif", "Ragnhild", "Johan", "Målfrid", "Nils",
)  # fmt: skip
LAST = (
    "Berg", "Lie", "Dahl", "Haugen", "Moen", "Bakken", "Strand", "Vik", "Solberg", "Nygård", "Fossum", "Eide", "Myhre",
    "Lund", "Aasen", "Tangen", "Hagen", "Sæther", "Brekke", "Ødegård", "Sandvik", "Rønning", "Kvam", "Iversen",
)  # fmt: skip

QUARTER = 15

CALLS_BY_HOUR = (
    1, 1, 1, 1, 1, 1.5, 2, 4, 9, 9, 8, 4, 3, 3, 3, 3, 3, 3.5, 3.5, 3.5, 3, 3, 2, 1.5,
)  # fmt: skip
"""Weight of each hour of the day for a call for help: the peak lies from 08 to 11."""

CALLS_A_DAY = 0.2
"""Calls for help of one resident in a day, on average."""
SERIOUS = 0.06
"""Share of calls that are falls."""

DOSES = (("08:00", "20:00"), ("08:00", "14:00", "20:00"), ("08:00", "12:00", "17:00", "21:00"))


@dataclass(frozen=True, slots=True)
class Person:
    """One resident. wakes, sleeps, goes_out, carers: minutes after midnight. wanders: a risk at night."""

    name: str
    wakes: int
    sleeps: int
    goes_out: tuple[int, ...]
    carers: tuple[int, ...]
    doses: tuple[int, ...]
    forgets: float
    wanders: bool


def person(draw: random.Random) -> Person:
    """Somebody."""
    return Person(
        name=f"{draw.choice(FIRST)} {draw.choice(LAST)}",
        wakes=_clock(draw, 6 * 60, 8 * 60 + 30),
        sleeps=_clock(draw, 21 * 60, 23 * 60 + 30),
        goes_out=tuple(sorted(_clock(draw, 10 * 60, 17 * 60) for _ in range(draw.choice((0, 0, 1, 1, 2))))),
        carers=_visits(draw),
        doses=tuple(int(one[:2]) * 60 + int(one[3:]) for one in draw.choice(DOSES)),
        forgets=draw.choice((0.0, 0.01, 0.03, 0.08)),
        wanders=draw.random() < 0.08,
    )


def calls(draw: random.Random) -> list[int]:
    """The clock times of one day's calls for help."""
    hours = draw.choices(range(24), CALLS_BY_HOUR, k=sum(draw.random() < CALLS_A_DAY / 2 for _ in range(2)))
    return sorted(hour * 60 + draw.randrange(60) for hour in hours)


def _visits(draw: random.Random) -> tuple[int, ...]:
    """Home care comes most in the morning, where it comes at all."""
    morning = [_clock(draw, 8 * 60, 11 * 60)] if draw.random() < 0.7 else []
    evening = [_clock(draw, 19 * 60, 21 * 60)] if draw.random() < 0.35 else []
    noon = [_clock(draw, 13 * 60, 15 * 60)] if draw.random() < 0.15 else []
    return tuple(sorted(morning + noon + evening))


def _clock(draw: random.Random, since: int, until: int) -> int:
    return draw.randrange(since, until + 1, QUARTER // 3)
