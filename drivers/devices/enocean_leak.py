"""EnOcean water leak detector, EEP F6-05-01: it says 11 when it gets wet."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from drivers.device_type import DeviceType, Unit
from drivers.events import DecodeError, Fact
from drivers.protocols.eep import changed, profile, rps
from drivers.protocols.esp3 import Telegram
from drivers.protocols.esp3_line import STICK
from drivers.protocols.streams import Read

WET: Final = 0x11
DRY: Final = 0x00


def _read(telegram: Telegram, unit: Unit) -> Read:
    byte = rps(telegram)
    if byte == WET:
        unit.memory["state"] = "wet"
        return [Fact("water.detected")]
    if byte == DRY:
        return changed(unit, "dry", Fact("water.cleared"), "water.heartbeat")
    raise DecodeError(f"a leak detector says 11 or 00, not {byte:02X}")


DEVICE = DeviceType(
    id="enocean_leak",
    vendor="any",
    product="water leak detector, EnOcean EEP F6-05-01",
    name=MappingProxyType({"nb": "Vannvarsler (EnOcean)", "en": "Water leak detector (EnOcean)"}),
    link="serial",
    device_class="water",
    emits=frozenset({"water.detected", "water.cleared", "water.heartbeat", "water.fault"}),
    decode=profile("water.fault", _read),
    signature="radio telegrams of RORG F6 with payload 11",
    silent_after=None,
    only_when_used=True,
    settings=STICK,
    source="EnOcean Equipment Profiles 2.6, F6-05-01; EnOcean Serial Protocol 3",
)
