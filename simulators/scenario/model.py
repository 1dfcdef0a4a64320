"""What a scenario file says, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from simulators.scenario.words import KINDS, Kind

Millis = int
"""Milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Device:
    """One simulated unit. type: a key of KINDS. settings: its own, by name."""

    id: str
    home: str
    type: str
    settings: Mapping[str, Any]

    @property
    def kind(self) -> Kind:
        """What a device of this type can say."""
        return KINDS[self.type]


@dataclass(frozen=True, slots=True)
class Home:
    """A home and how its resident lives. wakes, sleeps, …: minutes after midnight, local."""

    id: str
    resident: str
    zone: ZoneInfo
    wakes: int
    sleeps: int
    goes_out: tuple[int, ...]
    carers: tuple[int, ...]
    devices: Mapping[str, Device]


@dataclass(frozen=True, slots=True)
class Incident:
    """Something out of the ordinary. at: minutes after midnight. day: 1, 2, … or None for every day.

    times, every: repetitions and the seconds between them. lasting: seconds until the end of it.
    """

    home: str
    device: str
    do: str
    at: int
    day: int | None
    times: int
    every: float
    lasting: float | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert a tester expects: this rule, this home, raised between two clock times of this day."""

    rule: str
    home: str
    since: int
    until: int
    day: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario. start: clock time at which its days begin. file: where it was read."""

    name: str
    says: str
    seed: int
    start: int
    zone: ZoneInfo
    registry: Path | None
    homes: Mapping[str, Home]
    incidents: tuple[Incident, ...] = ()
    expect: tuple[Expected, ...] = ()
    file: Path | None = None

    @property
    def devices(self) -> Mapping[str, Device]:
        """Every device by id; ids are unique over all homes."""
        return {device.id: device for home in self.homes.values() for device in home.devices.values()}


@dataclass(frozen=True, slots=True, order=True)
class Beat:
    """One thing a device says, and when. Ordered by time, then device, then kind."""

    at: Millis
    device: str
    kind: str
    home: str = field(compare=False)
    data: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def word(self) -> str:
        """The second half of the kind."""
        return self.kind.partition(".")[2]
