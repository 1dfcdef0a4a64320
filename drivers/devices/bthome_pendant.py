"""A worn alarm button that speaks BTHome v2, such as the Shelly BLU Button1 (SBBT-002C).

Connectionless: a press reaches every gateway in range. Turn its beacon mode on, or silence cannot be told from
a quiet day.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drivers.device_type import BleUse, DeviceType, Unit
from drivers.events import Fact, Frame
from drivers.protocols import bthome, reports

NO_PRESS: Final = frozenset({0x00, 0x81})  # none, hold released
PRESSES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x01: "short",
        0x02: "double",
        0x03: "triple",
        0x04: "long",
        0x05: "long",  # long, then more
        0x06: "long",
        0x80: "long",  # held
        0xFE: "long",  # held, in Shelly's own numbering
    }
)


def decode(frame: Frame, unit: Unit) -> list[Fact]:
    """Read one service data; a press of a kind nobody knows is a press all the same."""
    packet = bthome.read(frame, unit)
    if packet is None:
        return []
    facts = [_pressed(code) for code in packet.events("button") if code not in NO_PRESS]
    for percent in packet.numbers("battery"):
        facts += reports.battery("pendant", percent, unit, frame.heard)
    if any(packet.numbers("battery_low")):
        facts.append(Fact("pendant.battery_low"))
    if any(packet.numbers("tamper")):
        facts.append(Fact("pendant.tamper"))
    facts = reports.alive("pendant", facts, unit, frame.heard)
    return [
        Fact(fact.kind, fact.data, fact.at, bthome.fact_id(packet, unit, number))
        for number, fact in enumerate(facts)
    ]


def _pressed(code: int) -> Fact:
    how = PRESSES.get(code)
    return Fact("pendant.pressed", {"press": how} if how else {})


DEVICE = DeviceType(
    id="bthome_pendant",
    vendor="Shelly and others",
    product="BTHome v2 button (BLU Button1)",
    name=MappingProxyType({"nb": "Alarmknapp (BTHome)", "en": "Pendant (BTHome)"}),
    link="ble",
    device_class="pendant",
    emits=frozenset(
        {"pendant.pressed", "pendant.battery", "pendant.battery_low", "pendant.tamper", "pendant.heartbeat"}
    ),
    decode=decode,
    signature="service data 0xFCD2 with a button object (0x3A)",
    silent_after=4 * 3600,
    settings=bthome.SETTINGS,
    source="bthome.io format and encryption; Shelly BLE documentation, BLU Button",
    ble=BleUse(adverts=frozenset({bthome.CHANNEL})),
)
