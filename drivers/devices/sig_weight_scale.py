"""A body scale by the Bluetooth SIG's Weight Scale Service (0x181D).

A scale for the household marks its readings with a user number; the setting `user` says which one is the resident's.
"""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType, Unit
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import gatt, gatt_body, meters


def _weight(frame: Frame, unit: Unit) -> list[Fact]:
    measured = gatt_body.weight(frame.payload)
    if measured.value is None or meters.somebody_else(measured.user, unit):
        return []
    if not 0 <= measured.value <= 500:
        raise DecodeError(f"body weight lies between 0 and 500 kg, not at {measured.value:g}")
    return meters.reading({"vitals.weight": {"value": measured.value}}, measured.at, frame, unit)


DEVICE = DeviceType(
    id="sig_weight_scale",
    vendor="Bluetooth SIG profile",
    product="Weight Scale Service 1.0.1",
    name=MappingProxyType({"nb": "Badevekt", "en": "Body scale"}),
    link="ble",
    device_class="vitals",
    emits=frozenset({"vitals.weight", "vitals.battery", "vitals.battery_low", "vitals.heartbeat"}),
    decode=meters.meter("a scale", {"2a9d": _weight}),
    signature="offers the Weight Scale Service, UUID 0x181D",
    silent_after=None,
    own_clock=True,
    only_when_used=True,
    settings=meters.SETTINGS,
    source="Bluetooth SIG Weight Scale Service 1.0.1; GATT Specification Supplement",
    ble=BleUse(
        subscribe=(gatt_body.WEIGHT, gatt.BATTERY_LEVEL),
        first=(gatt.CURRENT_TIME,),
        read=(gatt.BATTERY_LEVEL,),
        greeting=meters.set_clock,
    ),
)
