"""A blood-pressure cuff by the Bluetooth SIG's Blood Pressure Service (0x1810), such as A&D's and Omron's.

Stored readings are indicated as soon as somebody subscribes. A cuff for two people marks its readings with a
user number; the setting `user` says which one is the resident's.
"""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType, Unit
from drivers.events import Fact, Frame
from drivers.protocols import gatt, gatt_blood_pressure, meters


def _measurement(frame: Frame, unit: Unit) -> list[Fact]:
    measured = gatt_blood_pressure.measurement(frame.payload)
    systolic = gatt.within(measured.systolic, 0, 400, "systolic pressure")
    diastolic = gatt.within(measured.diastolic, 0, 400, "diastolic pressure")
    mean = gatt.within(measured.mean, 0, 400, "mean pressure")
    pulse = gatt.within(measured.pulse, 0, 400, "pulse")
    if meters.somebody_else(measured.user, unit):
        return []
    facts = {}
    if systolic is not None and diastolic is not None:
        # Cuffs without a mean pressure send NaN or 0 there.
        more = {"mean": mean} if mean else {}
        facts["vitals.blood_pressure"] = {"systolic": systolic, "diastolic": diastolic, **more}
    if pulse:
        facts["vitals.pulse"] = {"value": pulse}
    return meters.reading(facts, measured.at, frame, unit)


DEVICE = DeviceType(
    id="sig_blood_pressure",
    vendor="Bluetooth SIG profile",
    product="Blood Pressure Service 1.1.1",
    name=MappingProxyType({"nb": "Blodtrykksmåler", "en": "Blood-pressure cuff"}),
    link="ble",
    device_class="vitals",
    emits=frozenset(
        {"vitals.blood_pressure", "vitals.pulse", "vitals.battery", "vitals.battery_low", "vitals.heartbeat"}
    ),
    decode=meters.meter("a blood-pressure cuff", {"2a35": _measurement}),
    signature="offers the Blood Pressure Service, UUID 0x1810",
    silent_after=None,
    own_clock=True,
    only_when_used=True,
    settings=meters.SETTINGS,
    source="Bluetooth SIG Blood Pressure Service 1.1.1; GATT Specification Supplement; IEEE 11073-20601",
    ble=BleUse(
        subscribe=(gatt_blood_pressure.MEASUREMENT, gatt.BATTERY_LEVEL),
        first=(gatt.CURRENT_TIME,),
        read=(gatt.BATTERY_LEVEL,),
        greeting=meters.set_clock,
    ),
)
