"""What meters measure: which values one reading has, what they usually are, and how much they vary."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of a reading. word, field: where it stands in the fact. name: the setting and the word in `data`."""

    word: str
    name: str
    usual: float
    spread: float
    digits: int = 0
    field: str = "value"


METERS: Mapping[str, tuple[Quantity, ...]] = {
    "oximeter": (Quantity("spo2", "spo2", 96, 1), Quantity("pulse", "pulse", 72, 4)),
    "cuff": (
        Quantity("blood_pressure", "systolic", 132, 6, field="systolic"),
        Quantity("blood_pressure", "diastolic", 78, 4, field="diastolic"),
        Quantity("pulse", "pulse", 70, 4),
    ),
    "glucose_meter": (Quantity("glucose", "glucose", 6.4, 0.8, 1),),
    "thermometer": (Quantity("temperature", "temperature", 36.8, 0.2, 1),),
    "scale": (Quantity("weight", "weight", 71.5, 0.3, 1),),
    "heart_strap": (Quantity("pulse", "pulse", 72, 6),),
}
"""Type → the numbers of one reading."""


def usual(type_: str, settings: Mapping[str, Any], draw: random.Random) -> dict[str, float]:
    """A reading of an ordinary day, by name of quantity."""
    return {
        one.name: _rounded(settings.get(one.name, one.usual) + draw.uniform(-one.spread, one.spread), one)
        for one in METERS[type_]
    }


def told(type_: str, settings: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, float]:
    """A reading that a scenario names; what it leaves out is as usual."""
    return {one.name: data.get(one.name, settings.get(one.name, one.usual)) for one in METERS[type_]}


def facts(type_: str, values: Mapping[str, float]) -> Iterator[tuple[str, dict[str, float]]]:
    """The facts that say these values."""
    found: dict[str, dict[str, float]] = {}
    for one in METERS[type_]:
        found.setdefault(one.word, {})[one.field] = values[one.name]
    yield from found.items()


def words_of(type_: str) -> tuple[str, ...]:
    """The second halves of the facts of one reading."""
    return tuple(dict.fromkeys(one.word for one in METERS[type_]))


def _rounded(value: float, one: Quantity) -> float:
    return round(value, one.digits) if one.digits else round(value)
