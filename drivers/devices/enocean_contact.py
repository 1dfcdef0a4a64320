"""EnOcean contact, EEP D5-00-01: a door or window that is open or closed, repeated as a sign of life."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from drivers.device_type import DeviceType, Unit
from drivers.events import Fact
from drivers.protocols.eep import LEARN, changed, expect, profile
from drivers.protocols.esp3 import ONE_BYTE, Telegram
from drivers.protocols.esp3_line import STICK
from drivers.protocols.streams import Read

CLOSED: Final = 0x01
"""Bit 0: the contact is closed."""


def _read(telegram: Telegram, unit: Unit) -> Read:
    byte = expect(telegram, ONE_BYTE, 1)[0]
    if not byte & LEARN:
        return []
    state = "closed" if byte & CLOSED else "opened"
    return changed(unit, state, Fact(f"door.{state}"), "door.heartbeat")


DEVICE = DeviceType(
    id="enocean_contact",
    vendor="any",
    product="door or window contact, EnOcean EEP D5-00-01",
    name=MappingProxyType({"nb": "Dørsensor (EnOcean)", "en": "Door contact (EnOcean)"}),
    link="serial",
    device_class="door",
    emits=frozenset({"door.opened", "door.closed", "door.heartbeat", "door.fault"}),
    decode=profile("door.fault", _read, watched=True),
    signature="radio telegrams of RORG D5 (1BS), payload 08 or 09",
    silent_after=14_400,
    settings=STICK,
    source="EnOcean Equipment Profiles 2.6, D5-00-01; EnOcean Serial Protocol 3",
)
