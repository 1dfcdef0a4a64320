"""EnOcean rocker or pendant, EEP F6-02-01 and F6-02-02: a battery-free button worn or on the wall.

Which of the four buttons means what is a setting: `buttons: {"B0": "cancelled", "BI": "ignored"}`; a button
that is not named calls for help, and so does a hand that presses several at once.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from drivers.device_type import DeviceType, Unit
from drivers.events import Fact
from drivers.protocols.eep import ENERGY_BOW, NU, profile, rps
from drivers.protocols.esp3 import Telegram
from drivers.protocols.esp3_line import STICK
from drivers.protocols.streams import Read
from drivers.settings import one_of, table

BUTTONS: Final = ("AI", "A0", "BI", "B0")
"""R1, bits 7 to 5 of the payload. EEP 2.6.8, F6-02-01."""


def _read(telegram: Telegram, unit: Unit) -> Read:
    byte = rps(telegram)
    if not byte & ENERGY_BOW:
        return []
    number = byte >> 5
    named = bool(telegram.status & NU) and number < len(BUTTONS)
    meanings = unit.settings.get("buttons", {})
    meaning = meanings.get(BUTTONS[number]) if named and isinstance(meanings, dict) else None
    if meaning == "ignored":
        return []
    return [Fact("pendant.cancelled" if meaning == "cancelled" else "pendant.pressed")]


SETTINGS: Final = {
    **STICK,
    "buttons": table(one_of("pressed", "cancelled", "ignored"), keys=one_of(*BUTTONS)),
}

DEVICE = DeviceType(
    id="enocean_pendant",
    vendor="any",
    product="rocker switch or pendant, EnOcean EEP F6-02-01, F6-02-02",
    name=MappingProxyType({"nb": "Alarmknapp (EnOcean-vippe)", "en": "Pendant (EnOcean rocker)"}),
    link="serial",
    device_class="pendant",
    emits=frozenset({"pendant.pressed", "pendant.cancelled", "pendant.fault"}),
    decode=profile("pendant.fault", _read),
    signature="radio telegrams of RORG F6 with the button in bits 7 to 5",
    silent_after=None,
    only_when_used=True,
    settings=SETTINGS,
    source="EnOcean Equipment Profiles 2.6, F6-02-01, F6-02-02; EnOcean Serial Protocol 3",
)
