"""What a scenario file says, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from simulators.scenario.words import Kind, kind_of

Millis = int
"""Milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment written with its offset."""

    at: Millis


@dataclass(frozen=True, slots=True)
class Device:
    """One simulated unit. type: a key of KINDS. settings: its own, by name."""

    id: str
    home: str
    type: str
    settings: Mapping[str, Any]

    @property
    def family(self) -> str:
        """Its maker's family; `native` where nothing else is said."""
        return str(self.settings.get("family", "native"))

    @property
    def kind(self) -> Kind:
        """What a device of this type and family can say."""
        return kind_of(self.type, self.family)


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


AREA = "area"
"""In the place of a home: the alert is one of the whole area."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert a tester expects: this rule, this home (or `area`), raised between two moments.

    since, until: minutes after midnight, local, on `day`; or an instant where the clock shows a time twice.
    """

    rule: str
    home: str
    since: int | Instant
    until: int | Instant
    day: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario. start: clock time at which its days begin. file: where it was read.

    first_day: the local date of day 1, where the author means a certain one.
    """

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
    first_day: date | None = None

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
