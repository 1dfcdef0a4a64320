"""A water leak detector that speaks BTHome v2."""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType
from drivers.protocols import bthome
from drivers.protocols.bthome_sensor import Flag, kinds, sensor

DEVICE = DeviceType(
    id="bthome_leak",
    vendor="Shelly and others",
    product="BTHome v2 water leak detector",
    name=MappingProxyType({"nb": "Vannvarsler (BTHome)", "en": "Water detector (BTHome)"}),
    link="ble",
    device_class="water",
    emits=kinds("water", "water.detected", "water.cleared"),
    decode=sensor(
        "water",
        Flag("moisture", "water.detected", "water.cleared"),
    ),
    signature="service data 0xFCD2 with a moisture object (0x20)",
    silent_after=26 * 3600,
    settings=bthome.SETTINGS,
    source="bthome.io format and encryption",
    ble=BleUse(adverts=frozenset({bthome.CHANNEL})),
)
