"""EnOcean push button, EEP F6-01-01: one button, pressed or let go."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from drivers.device_type import DeviceType, Unit
from drivers.events import DecodeError, Fact
from drivers.protocols.eep import profile, rps
from drivers.protocols.esp3 import Telegram
from drivers.protocols.esp3_line import STICK
from drivers.protocols.streams import Read

PRESSED, RELEASED = 0x10, 0x00
MEANINGS: Final[dict[int, Read]] = {PRESSED: [Fact("pendant.pressed")], RELEASED: []}


def _read(telegram: Telegram, unit: Unit) -> Read:  # noqa: ARG001  nothing is remembered
    byte = rps(telegram)
    if byte not in MEANINGS:
        raise DecodeError(f"a push button says 10 or 00, not {byte:02X}")
    return list(MEANINGS[byte])


DEVICE = DeviceType(
    id="enocean_button",
    vendor="any",
    product="push button, EnOcean EEP F6-01-01",
    name=MappingProxyType({"nb": "Alarmknapp (EnOcean-trykknapp)", "en": "Pendant (EnOcean push button)"}),
    link="serial",
    device_class="pendant",
    emits=frozenset({"pendant.pressed", "pendant.fault"}),
    decode=profile("pendant.fault", _read),
    signature="radio telegrams of RORG F6 with payload 10 or 00",
    silent_after=None,
    only_when_used=True,
    settings=STICK,
    source="EnOcean Equipment Profiles 2.6, F6-01-01; EnOcean Serial Protocol 3",
)
