"""A blood-glucose meter by the Bluetooth SIG's Glucose Service (0x1808), such as the Accu-Chek Guide.

After connecting, all stored records are asked for; what was told before is not told again. A record that the
meter itself doubts is a fault and no value, and a control solution is nobody's blood.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from drivers.device_type import BleUse, DeviceType, Outgoing, Unit, Visit
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import gatt, gatt_glucose, meters

MOST_REMEMBERED: Final = 1000
"""Records told before that are remembered; meters store 480 to 720."""


def _record(frame: Frame, unit: Unit) -> list[Fact]:
    record = gatt_glucose.measurement(frame.payload)
    if record.mmol is not None and not 0 <= record.mmol <= 60:
        raise DecodeError(f"glucose lies between 0 and 60 mmol/L, not at {record.mmol:g}")
    told = unit.memory.get("records", [])
    name = f"{record.sequence}/{record.at}"
    if record.control or name in told:
        return []
    unit.memory["records"] = [*told, name][-MOST_REMEMBERED:]
    facts = meters.fault(_fault(record), unit)
    if record.status & gatt_glucose.BATTERY_LOW:
        facts.append(Fact("vitals.battery_low"))
    if record.mmol is None or record.status & gatt_glucose.DOUBTFUL:
        return facts
    return [*meters.reading({"vitals.glucose": {"value": record.mmol}}, record.at, frame, unit), *facts]


def _fault(record: gatt_glucose.Glucose) -> str | None:
    return next((words for bit, words in gatt_glucose.FAULTS.items() if record.status & bit), None)


def _control_point(frame: Frame, unit: Unit) -> list[Fact]:
    del unit
    wrong = gatt_glucose.control_point(frame.payload)
    return [] if wrong is None else [Fact("vitals.fault", {"code": f"stored records not delivered: {wrong}"})]


def _greeting(visit: Visit) -> Iterable[Outgoing]:
    yield from meters.set_clock(visit)
    yield Outgoing(gatt_glucose.CONTROL_POINT, gatt_glucose.REPORT_ALL)


DEVICE = DeviceType(
    id="sig_glucose_meter",
    vendor="Bluetooth SIG profile",
    product="Glucose Service 1.0.1",
    name=MappingProxyType({"nb": "Blodsukkermåler", "en": "Blood-glucose meter"}),
    link="ble",
    device_class="vitals",
    emits=frozenset(
        {
            "vitals.glucose",
            "vitals.fault",
            "vitals.recovered",
            "vitals.battery",
            "vitals.battery_low",
            "vitals.heartbeat",
        }
    ),
    decode=meters.meter("a glucose meter", {"2a18": _record, "2a52": _control_point}),
    signature="offers the Glucose Service, UUID 0x1808",
    silent_after=None,
    own_clock=True,
    source="Bluetooth SIG Glucose Service 1.0.1; GATT Specification Supplement; IEEE 11073-20601",
    ble=BleUse(
        subscribe=(gatt_glucose.MEASUREMENT, gatt_glucose.CONTROL_POINT, gatt.BATTERY_LEVEL),
        read=(gatt.BATTERY_LEVEL,),
        greeting=_greeting,
        pair=True,
    ),
)
