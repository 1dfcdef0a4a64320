"""EnOcean smoke detector, EEP F6-05-02: alarm, quiet, or energy low."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from drivers.device_type import DeviceType, Unit
from drivers.events import DecodeError, Fact
from drivers.protocols.eep import changed, profile, rps
from drivers.protocols.esp3 import Telegram
from drivers.protocols.esp3_line import STICK
from drivers.protocols.streams import Read

ALARM: Final = 0x10
QUIET: Final = 0x00
ENERGY_LOW: Final = 0x30


def _read(telegram: Telegram, unit: Unit) -> Read:
    byte = rps(telegram)
    if byte == ALARM:
        unit.memory["state"] = "alarm"
        return [Fact("smoke.detected")]
    if byte == QUIET:
        return changed(unit, "quiet", Fact("smoke.cleared"), "smoke.heartbeat")
    if byte == ENERGY_LOW:
        return [Fact("smoke.battery_low")]
    raise DecodeError(f"a smoke detector says 10, 00 or 30, not {byte:02X}")


DEVICE = DeviceType(
    id="enocean_smoke",
    vendor="any",
    product="smoke detector, EnOcean EEP F6-05-02",
    name=MappingProxyType({"nb": "Røykvarsler (EnOcean)", "en": "Smoke detector (EnOcean)"}),
    link="serial",
    device_class="smoke",
    emits=frozenset(
        {"smoke.detected", "smoke.cleared", "smoke.heartbeat", "smoke.battery_low", "smoke.fault"}
    ),
    decode=profile("smoke.fault", _read, watched=True),
    signature="radio telegrams of RORG F6 with payload 10, 00 or 30",
    silent_after=86_400,
    settings=STICK,
    source="EnOcean Equipment Profiles 2.6, F6-05-02; EnOcean Serial Protocol 3",
)
