"""A pulse oximeter by the Bluetooth SIG's Pulse Oximeter Service (0x1822), such as Nonin's and ChoiceMMed's.

Spot checks are reported one by one, those that the device has stored too. Continuous values come every second and
are reported when they change or a minute has passed. Numbers the device does not stand by (no finger, early estimate,
demonstration) are none.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from drivers.device_type import BleUse, DeviceType, Unit, Visit
from drivers.events import Fact, Frame
from drivers.protocols import gatt, gatt_plx, gatt_racp, meters

STEPS: Final = {"vitals.spo2": 2, "vitals.pulse": 10}
"""Percentage points and beats a minute that are news in a continuous measurement."""


def _spot_check(frame: Frame, unit: Unit) -> list[Fact]:
    measured = gatt_plx.spot_check(frame.payload)
    values = _values(measured)
    if measured.at is not None and meters.told_before(frame.payload.hex(), unit):
        return []
    facts = {kind: {"value": value} for kind, value in values.items()}
    return [*meters.reading(facts, measured.at, frame, unit), *meters.fault(measured.fault, unit)]


def _continuous(frame: Frame, unit: Unit) -> list[Fact]:
    measured = gatt_plx.continuous(frame.payload)
    values = _values(measured)
    return [*meters.shown(values, STEPS, unit, frame.heard), *meters.fault(measured.fault, unit)]


def _control_point(frame: Frame, unit: Unit) -> list[Fact]:
    del unit
    wrong = gatt_racp.read(frame.payload).wrong
    return [] if wrong is None else [Fact("vitals.fault", {"code": f"stored records not delivered: {wrong}"})]


def _conversation(visit: Visit) -> gatt_racp.Records:
    """Spot checks have no numbers: where the device keeps them, all are asked for."""
    return gatt_racp.Records(records=gatt_plx.SPOT_CHECK, optional=True, afterwards=meters.set_clock(visit))


def _values(measured: gatt_plx.Oximetry) -> dict[str, float]:
    spo2 = gatt.within(measured.spo2, 0, 100, "oxygen saturation")
    pulse = gatt.within(measured.pulse, 0, 400, "pulse")
    if not measured.believable:
        return {}
    found = {"vitals.spo2": spo2, "vitals.pulse": pulse}
    return {kind: value for kind, value in found.items() if value is not None}


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
    decode=meters.meter(
        "a pulse oximeter", {"2a5e": _spot_check, "2a5f": _continuous, "2a52": _control_point}
    ),
    signature="offers the Pulse Oximeter Service, UUID 0x1822",
    silent_after=None,  # it is used when somebody measures
    own_clock=True,
    only_when_used=True,
    settings=meters.SETTINGS,
    source="Bluetooth SIG Pulse Oximeter Service 1.0.1; GATT Specification Supplement; IEEE 11073-20601",
    ble=BleUse(
        subscribe=(
            gatt_plx.SPOT_CHECK,
            gatt_plx.CONTINUOUS,
            gatt_racp.CONTROL_POINT,
            gatt.BATTERY_LEVEL,
        ),
        first=(gatt.CURRENT_TIME,),
        read=(gatt.BATTERY_LEVEL,),
        conversation=_conversation,
    ),
)
