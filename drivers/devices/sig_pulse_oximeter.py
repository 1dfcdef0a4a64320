"""A pulse oximeter by the Bluetooth SIG's Pulse Oximeter Service (0x1822), such as Nonin's and ChoiceMMed's.

Spot checks are reported one by one. Continuous values come every second and are reported when they change or
a minute has passed. Numbers the device does not stand by (no finger, early estimate, demonstration) are none.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from drivers.device_type import BleUse, DeviceType, Unit
from drivers.events import DecodeError, Fact, Frame, Millis
from drivers.protocols import gatt, gatt_plx, reports

SPO2_STEP: Final = 2  # percentage points that are news in a continuous measurement
PULSE_STEP: Final = 10  # beats a minute that are news
SAY_AGAIN: Final[Millis] = 60_000


def decode(frame: Frame, unit: Unit) -> list[Fact]:
    """Read one value of a characteristic. Raises DecodeError."""
    channel = gatt.full(frame.channel)
    if channel == gatt_plx.SPOT_CHECK:
        return _spot_check(frame, unit)
    if channel == gatt_plx.CONTINUOUS:
        return _continuous(frame, unit)
    if channel == gatt.BATTERY_LEVEL:
        level = gatt.battery_level(frame.payload)
        said = reports.battery("vitals", level, unit, frame.heard)
        return said or reports.life("vitals", unit, frame.heard)
    raise DecodeError(f"a pulse oximeter speaks on 2a5e, 2a5f and 2a19, not on {frame.channel!r:.60}")


def _spot_check(frame: Frame, unit: Unit) -> list[Fact]:
    measured = gatt_plx.spot_check(frame.payload)
    values = _values(measured)
    at = gatt.in_zone(measured.at, unit)
    # With the device's time in it the same bytes are the same reading, however often they are sent.
    reading = f"2a5e-{frame.payload.hex()}" if measured.at is not None else None
    facts = [
        Fact(kind, {"value": value}, at, f"{reading}-{kind.partition('.')[2]}" if reading else None)
        for kind, value in values.items()
    ]
    return facts + _fault(measured, unit)


def _continuous(frame: Frame, unit: Unit) -> list[Fact]:
    measured = gatt_plx.continuous(frame.payload)
    values = _values(measured)
    faults = _fault(measured, unit)
    if not values or not _is_news(values, unit, frame.heard):
        return faults
    unit.memory["shown"] = {**values, "heard": frame.heard}
    return [Fact(kind, {"value": value}) for kind, value in values.items()] + faults


def _values(measured: gatt_plx.Oximetry) -> dict[str, float]:
    spo2 = gatt.within(measured.spo2, 0, 100, "oxygen saturation")
    pulse = gatt.within(measured.pulse, 0, 400, "pulse")
    if not measured.believable:
        return {}
    found = {"vitals.spo2": spo2, "vitals.pulse": pulse}
    return {kind: value for kind, value in found.items() if value is not None}


def _is_news(values: dict[str, float], unit: Unit, heard: Millis) -> bool:
    shown = unit.memory.get("shown")
    if not isinstance(shown, dict) or not 0 <= heard - int(shown.get("heard", 0)) < SAY_AGAIN:
        return True
    steps = {"vitals.spo2": SPO2_STEP, "vitals.pulse": PULSE_STEP}
    return any(kind not in shown or abs(value - shown[kind]) >= steps[kind] for kind, value in values.items())


def _fault(measured: gatt_plx.Oximetry, unit: Unit) -> list[Fact]:
    """Say a fault once, and once that it is gone."""
    now, before = measured.fault, unit.memory.get("fault")
    if now == before:
        return []
    unit.memory["fault"] = now
    if now is None:
        return [Fact("vitals.recovered", {"code": str(before)})]
    return [Fact("vitals.fault", {"code": now})]


DEVICE = DeviceType(
    id="sig_pulse_oximeter",
    vendor="Bluetooth SIG profile",
    product="Pulse Oximeter Service 1.0.1",
    name=MappingProxyType({"nb": "Pulsoksymeter", "en": "Pulse oximeter"}),
    link="ble",
    device_class="vitals",
    emits=frozenset(
        {
            "vitals.spo2",
            "vitals.pulse",
            "vitals.battery",
            "vitals.battery_low",
            "vitals.heartbeat",
            "vitals.fault",
            "vitals.recovered",
        }
    ),
    decode=decode,
    signature="offers the Pulse Oximeter Service, UUID 0x1822",
    silent_after=None,  # it is used when somebody measures
    own_clock=True,
    source="Bluetooth SIG Pulse Oximeter Service 1.0.1; GATT Specification Supplement; IEEE 11073-20601",
    ble=BleUse(
        subscribe=(gatt_plx.SPOT_CHECK, gatt_plx.CONTINUOUS, gatt.BATTERY_LEVEL), read=(gatt.BATTERY_LEVEL,)
    ),
)
