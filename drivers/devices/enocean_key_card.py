"""EnOcean key card switch, EEP F6-04-01: a card in its holder means that somebody is at home."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from drivers.device_type import DeviceType, Unit
from drivers.events import DecodeError, Fact
from drivers.protocols.eep import profile, rps
from drivers.protocols.esp3 import Telegram
from drivers.protocols.esp3_line import STICK
from drivers.protocols.streams import Read

INSERTED: Final[dict[tuple[int, int], bool]] = {(0x70, 0x30): True, (0x00, 0x20): False}
"""(payload, status without repeater count) → the card is in. From one source only; others are refused."""


def _read(telegram: Telegram, unit: Unit) -> Read:  # noqa: ARG001  nothing is remembered
    said = (rps(telegram), telegram.status & 0xF0)
    if said not in INSERTED:
        raise DecodeError(
            f"a key card says 70 with status 30 or 00 with status 20, not {said[0]:02X}/{said[1]:02X}"
        )
    return [Fact("room.presence", {"value": INSERTED[said]})]


DEVICE = DeviceType(
    id="enocean_key_card",
    vendor="any",
    product="key card switch, EnOcean EEP F6-04-01",
    name=MappingProxyType({"nb": "Nøkkelkortbryter (EnOcean)", "en": "Key card switch (EnOcean)"}),
    link="serial",
    device_class="room",
    emits=frozenset({"room.presence", "room.fault"}),
    decode=profile("room.fault", _read),
    signature="radio telegrams of RORG F6, payload 70 or 00",
    silent_after=None,
    only_when_used=True,
    settings=STICK,
    source="EnOcean Equipment Profiles 2.6, F6-04-01; EnOcean Serial Protocol 3",
)
