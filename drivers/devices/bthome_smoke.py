"""A detector of smoke, heat, carbon monoxide or gas that speaks BTHome v2."""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType
from drivers.protocols import bthome
from drivers.protocols.bthome_sensor import Flag, kinds, sensor

DEVICE = DeviceType(
    id="bthome_smoke",
    vendor="Shelly and others",
    product="BTHome v2 smoke, heat, CO or gas detector",
    name=MappingProxyType({"nb": "Røykvarsler (BTHome)", "en": "Smoke detector (BTHome)"}),
    link="ble",
    device_class="smoke",
    emits=kinds(
        "smoke",
        "smoke.detected",
        "smoke.cleared",
        "heat.detected",
        "heat.cleared",
        "co.detected",
        "co.cleared",
        "gas.detected",
        "gas.cleared",
    ),
    decode=sensor(
        "smoke",
        Flag("smoke", "smoke.detected", "smoke.cleared"),
        Flag("heat", "heat.detected", "heat.cleared"),
        Flag("co", "co.detected", "co.cleared"),
        Flag("gas", "gas.detected", "gas.cleared"),
    ),
    signature="service data 0xFCD2 with a smoke (0x29), heat (0x1D), carbon monoxide (0x17) or gas (0x1C) object",
    silent_after=26 * 3600,
    settings=bthome.SETTINGS,
    source="bthome.io format and encryption",
    ble=BleUse(adverts=frozenset({bthome.CHANNEL})),
)
