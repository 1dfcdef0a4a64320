"""A body thermometer by the Bluetooth SIG's Health Thermometer Service (0x1809)."""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType, Unit
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import gatt, gatt_body, meters


def _temperature(frame: Frame, unit: Unit) -> list[Fact]:
    measured = gatt_body.temperature(frame.payload)
    if measured.value is None or meters.somebody_else(measured.user, unit):
        return []
    if not 10 <= measured.value <= 50:
        raise DecodeError(f"body temperature lies between 10 and 50 °C, not at {measured.value:g}")
    return meters.reading({"vitals.temperature": {"value": measured.value}}, measured.at, frame, unit)


DEVICE = DeviceType(
    id="sig_thermometer",
    vendor="Bluetooth SIG profile",
    product="Health Thermometer Service 1.0",
    name=MappingProxyType({"nb": "Febertermometer", "en": "Body thermometer"}),
    link="ble",
    device_class="vitals",
    emits=frozenset({"vitals.temperature", "vitals.battery", "vitals.battery_low", "vitals.heartbeat"}),
    decode=meters.meter("a thermometer", {"2a1c": _temperature}),
    signature="offers the Health Thermometer Service, UUID 0x1809",
    silent_after=None,
    own_clock=True,
    only_when_used=True,
    settings=meters.SETTINGS,
    source="Bluetooth SIG Health Thermometer Service 1.0; GATT Specification Supplement",
    ble=BleUse(
        subscribe=(gatt_body.TEMPERATURE, gatt.BATTERY_LEVEL),
        first=(gatt.CURRENT_TIME,),
        read=(gatt.BATTERY_LEVEL,),
        greeting=meters.set_clock,
    ),
)
