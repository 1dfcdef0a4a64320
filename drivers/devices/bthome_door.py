"""A door or window contact that speaks BTHome v2, such as the Shelly BLU Door/Window (SBDW-002C)."""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType
from drivers.protocols import bthome
from drivers.protocols.bthome_sensor import Flag, kinds, sensor

DEVICE = DeviceType(
    id="bthome_door",
    vendor="Shelly and others",
    product="BTHome v2 contact (BLU Door/Window)",
    name=MappingProxyType({"nb": "Dørsensor (BTHome)", "en": "Door sensor (BTHome)"}),
    link="ble",
    device_class="door",
    emits=kinds("door", "door.opened", "door.closed"),
    decode=sensor(
        "door",
        Flag("door", "door.opened", "door.closed"),
        Flag("window", "door.opened", "door.closed"),
        Flag("opening", "door.opened", "door.closed"),
        Flag("garage_door", "door.opened", "door.closed"),
    ),
    signature="service data 0xFCD2 with a door (0x1A), window (0x2D), opening (0x11) or garage door (0x1B) object",
    silent_after=26 * 3600,
    settings=bthome.SETTINGS,
    source="bthome.io format and encryption; Shelly BLE documentation, BLU Door/Window",
    ble=BleUse(adverts=frozenset({bthome.CHANNEL})),
)
