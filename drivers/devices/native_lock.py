"""An electronic door lock, with or without a door sensor, that speaks the native MQTT contract.

What it says and nobody understands makes the bolt unknown; only its own word "locked" makes it locked.
"""

from __future__ import annotations

from types import MappingProxyType

from drivers.catalogue import GENERIC
from drivers.device_type import DeviceType
from drivers.protocols.native import write_command
from drivers.protocols.native_device import reader, recogniser

EMITS = frozenset(
    {f"lock.{fact}" for fact in ("locked", "unlocked", "jammed", "refused", "unknown", *GENERIC)}
    | {"door.opened", "door.closed"}
)

DEVICE = DeviceType(
    id="native_lock",
    vendor="any",
    product="electronic door lock, native MQTT contract",
    name=MappingProxyType({"nb": "Elektronisk dørlås (MQTT)", "en": "Electronic door lock (MQTT)"}),
    link="mqtt",
    device_class="lock",
    emits=EMITS,
    decode=reader(EMITS),
    signature="JSON with a kind lock.* on homes/{home}/devices/{device}/event",
    silent_after=3600,
    commands=MappingProxyType({"lock": (), "unlock": (), "state": ()}),
    encode=write_command,
    own_clock=True,
    answers=True,
    recognises=recogniser("lock"),
    source="drivers/protocols/native_schemas",
)
