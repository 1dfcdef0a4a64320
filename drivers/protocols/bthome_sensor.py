"""Sensors that speak BTHome v2, as a list: flags become facts when they change, levels when they move.

A flag is a state that every beacon repeats; the first one heard is told too, since until then it was unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from drivers.device_type import Unit
from drivers.events import Fact, Frame, Millis
from drivers.protocols import bthome, reports

Decode: TypeAlias = Callable[[Frame, Unit], list[Fact]]
MINUTE: Final[Millis] = 60_000
HALF_HOUR: Final[Millis] = 30 * MINUTE


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of the packet and the kinds it means. off: empty where its end is no fact.

    never_was: whether the end is told when nothing else was ever heard: a door is closed, but a fault that
    never was is not over.
    """

    name: str
    on: str
    off: str = ""
    never_was: bool = True


@dataclass(frozen=True, slots=True)
class Presence:
    """A flag that is told as it is, in one kind with a value."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A flag whose every new report is news while it is on, at most one in `every` ms."""

    name: str
    kind: str
    every: Millis = MINUTE


@dataclass(frozen=True, slots=True)
class Level:
    """A number, told when it moved by `step` or after half an hour; outside its range it is not told."""

    name: str
    kind: str
    step: float
    low: float
    high: float


Report: TypeAlias = Flag | Presence | Moved | Level


def sensor(device_class: str, *wanted: Report) -> Decode:
    """A decoder for a sensor of this class; battery, tamper and problem flags come with every one."""
    common = (
        Flag("tamper", f"{device_class}.tamper"),
        Flag("problem", f"{device_class}.fault", f"{device_class}.recovered", never_was=False),
        Flag("battery_low", f"{device_class}.battery_low"),
    )

    def decode(frame: Frame, unit: Unit) -> list[Fact]:
        packet = bthome.read(frame, unit)
        if packet is None:
            return []
        facts = [fact for one in (*wanted, *common) for fact in _report(one, packet, unit, frame.heard)]
        for percent in packet.numbers("battery"):
            facts += reports.battery(device_class, percent, unit, frame.heard)
        facts = reports.alive(device_class, facts, unit, frame.heard)
        return [
            Fact(fact.kind, fact.data, fact.at, bthome.fact_id(packet, unit, number))
            for number, fact in enumerate(facts)
        ]

    return decode


def kinds(device_class: str, *more: str) -> frozenset[str]:
    """Every kind such a decoder can tell: its own and those of all sensors."""
    common = ("battery", "battery_low", "heartbeat", "tamper", "fault", "recovered")
    return frozenset({*more, *(f"{device_class}.{fact}" for fact in common)})


def _report(one: Report, packet: bthome.Packet, unit: Unit, heard: Millis) -> Iterable[Fact]:
    values = packet.numbers(one.name)
    if not values:
        return ()
    match one:
        case Flag():
            return _flag(one, any(values), unit)
        case Presence():
            return _presence(one, any(values), unit)
        case Moved():
            return _moved(one, any(values), unit, heard)
        case Level():
            return _level(one, float(values[0]), unit, heard)


def _flag(one: Flag, on: bool, unit: Unit) -> list[Fact]:
    known = unit.memory.get(one.name)
    if known == on:
        return []
    unit.memory[one.name] = on
    if on:
        return [Fact(one.on)]
    return [Fact(one.off)] if one.off and (known or one.never_was) else []


def _presence(one: Presence, on: bool, unit: Unit) -> list[Fact]:
    if unit.memory.get(one.name) == on:
        return []
    unit.memory[one.name] = on
    return [Fact(one.kind, {"value": on})]


def _moved(one: Moved, on: bool, unit: Unit, heard: Millis) -> list[Fact]:
    last = unit.memory.get(one.name)
    if not on or (isinstance(last, int) and 0 <= heard - last < one.every):
        return []
    unit.memory[one.name] = heard
    return [Fact(one.kind)]


def _level(one: Level, value: float, unit: Unit, heard: Millis) -> list[Fact]:
    if not one.low <= value <= one.high:
        return []
    said = unit.memory.get(one.name)
    recent = isinstance(said, list) and 0 <= heard - said[1] < HALF_HOUR and abs(value - said[0]) < one.step
    if recent:
        return []
    unit.memory[one.name] = [value, heard]
    return [Fact(one.kind, {"value": value})]
