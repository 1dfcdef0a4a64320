"""A blood-glucose meter by the Bluetooth SIG's Glucose Service (0x1808), such as the Accu-Chek Guide.

After connecting, the records since the last one known are asked for, or all where the meter cannot say or has begun
to count anew; what was told before is not told again. Its clock is read first and set last. A record that the meter
itself doubts is a fault and no value, and a control solution is nobody's blood.
"""

from __future__ import annotations

from types import MappingProxyType

from drivers.device_type import BleUse, DeviceType, Unit, Visit
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import gatt, gatt_glucose, gatt_racp, meters


def _record(frame: Frame, unit: Unit) -> list[Fact]:
    record = gatt_glucose.measurement(frame.payload)
    if record.mmol is not None and not 0 <= record.mmol <= 60:
        raise DecodeError(f"glucose lies between 0 and 60 mmol/L, not at {record.mmol:g}")
    name = _name(record)
    _passed(record.sequence, name, unit)
    if record.control or meters.told_before(name, unit):
        return []
    facts = meters.fault(_fault(record), unit)
    if record.status & gatt_glucose.BATTERY_LOW:
        facts.append(Fact("vitals.battery_low"))
    if record.mmol is None or record.status & gatt_glucose.DOUBTFUL:
        return facts
    return [*meters.reading({"vitals.glucose": {"value": record.mmol}}, record.at, frame, unit), *facts]


def _fault(record: gatt_glucose.Glucose) -> str | None:
    return next((words for bit, words in gatt_glucose.FAULTS.items() if record.status & bit), None)


def _name(record: gatt_glucose.Glucose) -> str:
    return f"{record.sequence}/{record.at}"


def _passed(sequence: int, name: str, unit: Unit) -> None:
    """Remember the newest record of this transfer, as long as their numbers go one way: then it is the highest."""
    before = unit.memory.get("transfer")
    if not isinstance(before, dict):
        unit.memory["transfer"] = {"top": [sequence, name], "previous": sequence, "way": 0}
        return
    step = (sequence > before["previous"]) - (sequence < before["previous"])
    way = before["way"] or step
    top = max(before["top"], [sequence, name], key=lambda one: int(one[0]))
    both_ways = before["way"] is None or (step and step != way)
    unit.memory["transfer"] = {"top": top, "previous": sequence, "way": None if both_ways else way}


def _control_point(frame: Frame, unit: Unit) -> list[Fact]:
    """How many there are, or that these were all: only then the newest is known, so that a cut leaves no gap."""
    answer = gatt_racp.read(frame.payload)
    if answer.number is not None:
        unit.memory["counted"] = answer.number
        unit.memory.pop("transfer", None)
        return []
    if not answer.is_good:
        return [Fact("vitals.fault", {"code": f"stored records not delivered: {answer.wrong}"})]
    transfer, counted = unit.memory.pop("transfer", None), unit.memory.pop("counted", None)
    if answer.request == gatt_racp.REPORT and isinstance(transfer, dict):
        unit.memory["last"] = None if transfer["way"] is None else transfer["top"]
        unit.memory["total"] = counted
    return []


def _conversation(visit: Visit) -> gatt_racp.Records:
    last, total = visit.memory.get("last"), visit.memory.get("total")
    return gatt_racp.Records(
        records=gatt_glucose.MEASUREMENT,
        name=_named,
        last=(int(last[0]), str(last[1])) if isinstance(last, list) else None,
        total=total if isinstance(total, int) else None,
        afterwards=meters.set_clock(visit),
    )


def _named(payload: bytes) -> gatt_racp.Name | None:
    try:
        record = gatt_glucose.measurement(payload)
    except DecodeError:
        return None
    return record.sequence, _name(record)


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
    only_when_used=True,
    settings=meters.SETTINGS,
    source="Bluetooth SIG Glucose Service 1.0.1; GATT Specification Supplement; IEEE 11073-20601",
    ble=BleUse(
        subscribe=(gatt_glucose.MEASUREMENT, gatt_racp.CONTROL_POINT, gatt.BATTERY_LEVEL),
        first=(gatt.CURRENT_TIME,),
        read=(gatt.BATTERY_LEVEL,),
        conversation=_conversation,
        pair=True,
    ),
)
