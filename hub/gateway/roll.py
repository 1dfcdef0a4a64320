"""The roll of devices: whose frame this is, what it may mean, and since when the device belongs to which home."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from drivers.device_settings import settings_of
from drivers.device_type import DeviceType, Unit
from drivers.events import Frame, Millis
from drivers.settings import wrong
from hub.gateway import secrets
from hub.gateway.problems import Problem
from hub.registry.models import DevicePart, GatewayPart
from hub.registry.silence import silent_after

MAX_MEMORY = 65_536
"""Bytes of JSON a decoder may remember of one device; more is a defect of the decoder."""


@dataclass(slots=True)
class Remembered:
    """What a decoder remembers of one device, as JSON.

    version, committed: as it stands in the database. ahead, latest: after the frames whose commit is under way.
    lineage: counts how often frames under way were given up, so that each failure is undone once.
    """

    version: int = 0
    committed: bytes = b"{}"
    ahead: int = 0
    latest: bytes = b"{}"
    lineage: int = 0

    @classmethod
    def stored(cls, version: int, memory: bytes) -> Remembered:
        """As read from the database."""
        return cls(version, memory, version, memory)


@dataclass(slots=True)
class Assigned:
    """One installed device as the gateway knows it."""

    id: str
    part: DevicePart
    type: DeviceType
    unit: Unit
    memory: Remembered = field(default_factory=Remembered)

    @property
    def home(self) -> str:
        """The home it stands in."""
        return self.part.home

    @property
    def silent_after(self) -> int | None:
        """Seconds it may be quiet; None where it only ever calls."""
        return silent_after(self.type, self.part.settings)

    def is_assigned(self, at: Millis) -> bool:
        """Whether the device belongs to its home at this moment."""
        return self.part.since <= at and (self.part.until is None or at < self.part.until)

    def remember(self, memory: Remembered) -> None:
        """Take over what is known of its memory."""
        self.memory = memory
        self.unit.memory = orjson.loads(memory.latest)

    def undo_frame(self) -> None:
        """Forget what the last decoding changed: it failed."""
        self.unit.memory = orjson.loads(self.memory.latest)

    def undo_commits(self, lineage: int) -> None:
        """Forget what was decoded since the last commit, so that the device's repetition is news again.

        lineage: that of the frame that failed; frames of an older one were given up already.
        """
        memory = self.memory
        if lineage == memory.lineage:
            memory.ahead, memory.latest = memory.version, memory.committed
            memory.lineage += 1
            self.undo_frame()


@dataclass(slots=True)
class Roll:
    """All devices of this gateway, by link and address."""

    part: GatewayPart
    devices: dict[str, Assigned] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _at: dict[tuple[str, str], list[Assigned]] = field(default_factory=dict)

    def find(self, frame: Frame) -> Assigned | str:
        """Whose frame this is, or a sentence that says why it is nobody's."""
        here = self._at.get((frame.link, _place(frame.link, frame.address)), ())
        for device in here:
            if device.is_assigned(frame.heard):
                return device
        if here:
            return f"{here[0].id} at {frame.address!r:.100} is registered, but not assigned to a home at this time"
        return f"no device is registered at {frame.link} {frame.address!r:.100}"

    def on(self, link: str) -> Iterator[Assigned]:
        """The devices behind a kind of link."""
        return (device for device in self.devices.values() if device.part.link == link)

    def add(self, device: Assigned) -> None:
        """Put a device on the roll."""
        self.devices[device.id] = device
        place = (device.part.link, _place(device.part.link, device.part.address))
        self._at.setdefault(place, []).append(device)


def call_the_roll(
    part: GatewayPart, types: Mapping[str, DeviceType], folder: Path, old: Roll | None = None
) -> Roll:
    """Make the roll of a registry part; a device that stays keeps what its decoder remembers.

    A device whose type we do not know or whose key is missing is named in `problems`; the others work on.
    """
    roll = Roll(part)
    for device_id, entry in part.devices.items():
        kind = types.get(entry.type)
        if kind is None:
            roll.problems.append(_unknown_type(device_id, entry))
            continue
        home = part.homes.get(entry.home)
        unit = _unit(device_id, entry, kind, folder, roll.problems, "" if home is None else home.tz)
        roll.add(Assigned(device_id, entry, kind, unit))
        known = old.devices.get(device_id) if old is not None else None
        if known is not None and known.type.id == kind.id:
            roll.devices[device_id].remember(known.memory)
    return roll


def _unknown_type(device_id: str, entry: DevicePart) -> Problem:
    name = named(device_id, entry)
    return Problem(
        f"{name} er av typen {entry.type}, som denne hjemmesentralen ikke kjenner",
        f"{name} is of the type {entry.type}, which this gateway does not know",
    )


def named(device_id: str, entry: DevicePart) -> str:
    """A device in a sentence: its name and its id."""
    return f"{entry.name} ({device_id})" if entry.name else device_id


def _unit(
    device_id: str, entry: DevicePart, kind: DeviceType, folder: Path, problems: list[Problem], tz: str
) -> Unit:
    name = named(device_id, entry)
    key: bytes | None = None
    if entry.secret:
        try:
            key = secrets.read_key(folder / entry.secret)
        except secrets.SecretError as wrong:
            nb = f"Nøkkelen til {name} kan ikke leses"
            problems.append(Problem(nb, f"The key of {name} cannot be read", str(wrong)))
    more, faults = secrets.read_all(entry.settings, folder)
    for fault in faults:
        nb = f"En hemmelighet til {name} er satt opp feil"
        problems.append(Problem(nb, f"A secret of {name} is set up wrongly", str(fault)))
    # Meters keep local time without a zone: theirs is the home's, unless said otherwise.
    settings: dict[str, Any] = {"tz": tz, **_right(name, kind, entry.settings, problems)}
    return Unit(
        address=entry.address, key=key, settings=settings, secrets=more, device_class=entry.device_class
    )


def _right(name: str, kind: DeviceType, given: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The settings that can be meant; of the others each is named, and what is usual holds for it.

    A registry of an older release may have them: a device must not fall silent over a slip. What belongs to its line
    the line reads itself, and does not open with a wrong one.
    """
    known = settings_of(kind)
    odd = {
        setting: said
        for setting, one in given.items()
        if setting in known and not setting.endswith(secrets.SUFFIX) and (said := wrong(known, setting, one))
    }
    for said in odd.values():
        nb = f"En innstilling av {name} kan ikke brukes"
        problems.append(Problem(nb, f"A setting of {name} cannot be used", said))
    return {setting: one for setting, one in given.items() if setting not in odd}


def stored_memory(roll: Roll, device: str) -> Mapping[str, Any]:
    """What the decoder of a device remembers, as it is committed; nothing of a device that is not on the roll."""
    known = roll.devices.get(device)
    memory: dict[str, Any] = {} if known is None else orjson.loads(known.memory.committed)
    return memory


def _place(link: str, address: str) -> str:
    """Bluetooth addresses are written in either case; everything else is taken literally."""
    return address.lower() if link == "ble" else address
