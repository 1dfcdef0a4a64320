"""A BTHome sensor or button with encryption: its bind key, tried on what it says before it is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.device_type import Result, Unit
from drivers.events import DecodeError, Frame
from drivers.links.ble.commission import CommissionError, Found, find
from drivers.links.ble.radio import Radio
from drivers.registry import DEVICE_TYPES
from hub.provisioning.entry import Entry, NotProvisioned, Place, Secrets
from hub.provisioning.nuki import heard

Say = Callable[[str], None]

SERVICE = "0000fcd2-0000-1000-8000-00805f9b34fb"
CHANNEL = "adv:fcd2"
KEY = re.compile(r"[0-9a-fA-F]{32}")
ENCRYPTED = 0x01
"""Bit of the device information byte that begins every BTHome packet."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """What is asked for. key: the bind key of the maker's app, 32 hexadecimal digits; empty for a device without."""

    address: str
    place: Place
    type: str
    key: str = field(default="", repr=False)

    @property
    def files(self) -> tuple[str, ...]:
        """Name of its key in the secrets folder, if it has one."""
        return (f"{self.place.id}.key",) if self.key else ()


async def provision(
    sensor: Sensor, radio: Radio, secrets: Secrets, say: Say, within: float, now: int
) -> Entry:
    """Hear it, try the key, keep it. Raises NotProvisioned."""
    if sensor.key and not KEY.fullmatch(sensor.key):
        raise NotProvisioned("a bind key has 32 hexadecimal digits")
    say(f"listening for {sensor.address.lower()}; press its button, or open and close what it watches")
    try:
        found = await find(radio, sensor.address, within, lambda one: SERVICE in one.data)
    except CommissionError as wrong:
        raise NotProvisioned(str(wrong)) from None
    say(heard(found))
    say("it says " + _understood(sensor, found, now))
    for name in sensor.files:
        say(secrets.write(name, sensor.key.lower()))
    return Entry(sensor.place, sensor.type, sensor.address.lower(), secret="".join(sensor.files))


def _understood(sensor: Sensor, found: Found, now: int) -> str:
    """What the device just said. Raises NotProvisioned where the key does not open it."""
    payload = found.data[SERVICE]
    encrypted = bool(payload and payload[0] & ENCRYPTED)
    if encrypted and not sensor.key:
        raise NotProvisioned("it sends encrypted, so its bind key is needed: see the maker's app")
    if sensor.key and not encrypted:
        raise NotProvisioned(
            "it sends in the clear, so a key would make everything it says unreadable: set the key in the maker's app"
        )
    unit = Unit(sensor.address.lower(), bytes.fromhex(sensor.key) if sensor.key else None)
    try:
        told = list(DEVICE_TYPES[sensor.type].decode(Frame("ble", unit.address, payload, now, CHANNEL), unit))
    except DecodeError as wrong:
        raise NotProvisioned(f"what it says cannot be read with this key: {wrong}") from None
    kinds = [one.kind for one in told if not isinstance(one, Result)]
    return ", ".join(kinds) or "nothing new"
