"""EnOcean occupancy sensor, EEP A5-07-01: movement, and the voltage of its supply.

DB3 supply (0 to 250 = 0 to 5 V), DB1 movement from 128, DB0 bit 3 zero while it introduces itself, bit 0 set
when the supply value means something. `low_volts` in the settings says when its battery counts as low.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from drivers.device_type import DeviceType, Unit
from drivers.events import Fact
from drivers.protocols.eep import LEARN, expect, profile
from drivers.protocols.esp3 import FOUR_BYTES, Telegram
from drivers.protocols.esp3_line import STICK
from drivers.protocols.streams import Read
from drivers.settings import number

MOVEMENT: Final = 128
VOLTS: Final = 0.02
"""Volts a step of DB3."""


def _read(telegram: Telegram, unit: Unit) -> Read:
    db3, _, db1, db0 = expect(telegram, FOUR_BYTES, 4)
    if not db0 & LEARN:
        return []
    facts: Read = [Fact("room.motion" if db1 >= MOVEMENT else "room.heartbeat")]
    low = unit.settings.get("low_volts")
    if isinstance(low, int | float) and db0 & 1 and db3 * VOLTS <= low:
        facts.append(Fact("room.battery_low"))
    return facts


SETTINGS: Final = {**STICK, "low_volts": number(0, 5, "volts")}

DEVICE = DeviceType(
    id="enocean_motion",
    vendor="any",
    product="occupancy sensor, EnOcean EEP A5-07-01",
    name=MappingProxyType({"nb": "Bevegelsessensor (EnOcean)", "en": "Motion sensor (EnOcean)"}),
    link="serial",
    device_class="room",
    emits=frozenset({"room.motion", "room.heartbeat", "room.battery_low", "room.fault"}),
    decode=profile("room.fault", _read, watched=True),
    signature="radio telegrams of RORG A5 (4BS) with four bytes",
    silent_after=14_400,
    settings=SETTINGS,
    source="EnOcean Equipment Profiles 2.6, A5-07-01; EnOcean Serial Protocol 3",
)
