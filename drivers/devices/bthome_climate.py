"""A thermometer and hygrometer for rooms that speaks BTHome v2, such as the Shelly BLU H&T (SBHT-003C)."""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType
from drivers.protocols import bthome
from drivers.protocols.bthome_sensor import Level, kinds, sensor

DEVICE = DeviceType(
    id="bthome_climate",
    vendor="Shelly and others",
    product="BTHome v2 climate sensor (BLU H&T)",
    name=MappingProxyType({"nb": "Temperatur- og fuktsensor (BTHome)", "en": "Climate sensor (BTHome)"}),
    link="ble",
    device_class="room",
    emits=kinds("room", "room.temperature", "room.humidity"),
    decode=sensor(
        "room",
        Level("temperature", "room.temperature", step=0.5, low=-60, high=150),
        Level("humidity", "room.humidity", step=5, low=0, high=100),
    ),
    signature="service data 0xFCD2 with a temperature (0x02, 0x45, 0x57) or humidity (0x03, 0x2E) object",
    silent_after=3600,
    settings=bthome.SETTINGS,
    source="bthome.io format and encryption; Shelly BLE documentation, BLU H&T (a packet a minute)",
    ble=BleUse(adverts=frozenset({bthome.CHANNEL})),
)
