"""A heart-rate sensor by the Bluetooth SIG's Heart Rate Service (0x180D).

It speaks every second; told is what moved by ten beats, or once a minute.
"""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType, Unit
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import gatt, gatt_body, meters


def _rate(frame: Frame, unit: Unit) -> list[Fact]:
    measured = gatt_body.heart_rate(frame.payload)
    if measured.value is None:
        return []
    if measured.value > 400:
        raise DecodeError(f"a heart beats at most 400 times a minute, not {measured.value:g}")
    return meters.shown({"vitals.pulse": measured.value}, {"vitals.pulse": 10}, unit, frame.heard)


DEVICE = DeviceType(
    id="sig_heart_rate",
    vendor="Bluetooth SIG profile",
    product="Heart Rate Service 1.0",
    name=MappingProxyType({"nb": "Pulsmåler", "en": "Heart-rate sensor"}),
    link="ble",
    device_class="vitals",
    emits=frozenset({"vitals.pulse", "vitals.battery", "vitals.battery_low", "vitals.heartbeat"}),
    decode=meters.meter("a heart-rate sensor", {"2a37": _rate}),
    signature="offers the Heart Rate Service, UUID 0x180D",
    silent_after=None,
    own_clock=False,
    only_when_used=True,
    settings=meters.SETTINGS,
    source="Bluetooth SIG Heart Rate Service 1.0; GATT Specification Supplement",
    ble=BleUse(
        subscribe=(gatt_body.HEART_RATE, gatt.BATTERY_LEVEL),
        read=(gatt.BATTERY_LEVEL,),
    ),
)
