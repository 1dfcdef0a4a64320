"""A medicine dispenser that speaks the native MQTT contract, with its own sense of what was taken."""

from __future__ import annotations

from types import MappingProxyType

from drivers.catalogue import CATALOGUE
from drivers.device_type import DeviceType
from drivers.protocols.native import write_command
from drivers.protocols.native_device import reader, recogniser

EMITS = frozenset(kind for kind in CATALOGUE.facts if kind.startswith("dispenser."))

DEVICE = DeviceType(
    id="native_dispenser",
    vendor="any",
    product="medicine dispenser, native MQTT contract",
    name=MappingProxyType({"nb": "Medisindispenser (MQTT)", "en": "Medicine dispenser (MQTT)"}),
    link="mqtt",
    device_class="dispenser",
    emits=EMITS,
    decode=reader(EMITS),
    signature="JSON with a kind dispenser.* on homes/{home}/devices/{device}/event",
    silent_after=1800,
    commands=MappingProxyType({"state": (), "message": ("text",)}),
    encode=write_command,
    knows_taken=True,
    own_clock=True,
    answers=True,
    recognises=recogniser("dispenser"),
    source="drivers/protocols/native_schemas; IEEE 11073-10472; VKP alert codes 1.x",
)
