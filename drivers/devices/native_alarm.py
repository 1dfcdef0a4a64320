"""A safety alarm unit with its sensors (the standard safety package) that speaks the native MQTT contract.

One unit in the home with a pendant, pull cords, smoke, gas and water detectors, door, room, bed and chair
sensors behind it. A unit is registered under the class that matters most about it.
"""

from __future__ import annotations

from types import MappingProxyType

from drivers.catalogue import CATALOGUE
from drivers.device_type import DeviceType
from drivers.protocols.native import write_command
from drivers.protocols.native_device import reader, recogniser

CLASSES = ("pendant", "call", "smoke", "heat", "gas", "co", "water", "door", "room", "bed", "chair")

EMITS = frozenset(spec.kind for spec in CATALOGUE.facts.values() if spec.device_class in CLASSES)

DEVICE = DeviceType(
    id="native_alarm",
    vendor="any",
    product="safety alarm and its sensors, native MQTT contract",
    name=MappingProxyType({"nb": "Trygghetsalarm (MQTT)", "en": "Safety alarm (MQTT)"}),
    link="mqtt",
    device_class="pendant",
    emits=EMITS,
    decode=reader(EMITS),
    signature="JSON with a kind pendant.*, smoke.*, bed.* … on homes/{home}/devices/{device}/event",
    silent_after=7200,
    commands=MappingProxyType({"state": ()}),
    encode=write_command,
    own_clock=True,
    answers=True,
    recognises=recogniser(*CLASSES),
    source="drivers/protocols/native_schemas; IEEE 11073-10471; SS 91100",
)
