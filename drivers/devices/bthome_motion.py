"""A motion or presence sensor that speaks BTHome v2, such as the Shelly BLU Motion (SBMO-003Z)."""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType
from drivers.protocols import bthome
from drivers.protocols.bthome_sensor import Moved, Presence, kinds, sensor

DEVICE = DeviceType(
    id="bthome_motion",
    vendor="Shelly and others",
    product="BTHome v2 motion sensor (BLU Motion)",
    name=MappingProxyType({"nb": "Bevegelsessensor (BTHome)", "en": "Motion sensor (BTHome)"}),
    link="ble",
    device_class="room",
    emits=kinds("room", "room.motion", "room.presence", "room.vibration"),
    decode=sensor(
        "room",
        Moved("motion", "room.motion"),
        Moved("moving", "room.motion"),
        Moved("vibration", "room.vibration"),
        Presence("occupancy", "room.presence"),
        Presence("presence", "room.presence"),
    ),
    signature="service data 0xFCD2 with a motion (0x21), moving (0x22), occupancy (0x23), presence (0x25) or "
    "vibration (0x2C) object",
    silent_after=26 * 3600,
    settings=bthome.SETTINGS,
    source="bthome.io format and encryption; Shelly BLE documentation, BLU Motion",
    ble=BleUse(adverts=frozenset({bthome.CHANNEL})),
)
