"""Glucose Service 1.0.1 (0x1808): Glucose Measurement (0x2A18). Stored records are asked for at the control point
(drivers.protocols.gatt_racp).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drivers.protocols.gatt import Cursor, NoNumber, uuid
from drivers.protocols.meters import later

MEASUREMENT: Final = uuid("2a18")
MMOL_PER_KG: Final = 5550.74
"""mmol of glucose in a kilogram (molar mass 180.156 g/mol); the unit on the wire is kg/L."""
CONTROL_SOLUTION: Final = 10  # type of sample: a test of the meter, not of a person

BATTERY_LOW: Final = 1 << 0
FAULTS: Final = {
    1 << 1: "sensor malfunction",
    1 << 2: "sample too small",
    1 << 3: "strip inserted wrongly",
    1 << 4: "wrong strip type",
    1 << 5: "result too high for the meter",
    1 << 6: "result too low for the meter",
    1 << 7: "too warm for a valid result",
    1 << 8: "too cold for a valid result",
    1 << 9: "strip removed too soon",
    1 << 10: "general fault of the meter",
    1 << 11: "time of the meter may be wrong",
}
DOUBTFUL: Final = sum(bit for bit in FAULTS if bit != 1 << 11)


@dataclass(frozen=True, slots=True)
class Glucose:
    """One record. mmol: mmol/L, None without a concentration. status: sensor status, 0 if absent."""

    sequence: int
    at: datetime | None
    mmol: float | None
    control: bool
    status: int


def measurement(payload: bytes) -> Glucose:
    """Read Glucose Measurement. Raises DecodeError."""
    cursor = Cursor(payload, "glucose measurement")
    flags = cursor.uint(1, "flags")
    sequence = cursor.uint(2, "sequence number")
    at = cursor.date_time("base time")
    if flags & 1 << 0:
        at = later(at, cursor.sint(2, "time offset"))
    mmol, control = None, False
    if flags & 1 << 1:
        amount = cursor.sfloat("concentration")
        factor = 1000 if flags & 1 << 2 else MMOL_PER_KG
        mmol = None if isinstance(amount, NoNumber) else round(amount * factor, 2)
        control = cursor.uint(1, "type and location") & 0x0F == CONTROL_SOLUTION
    status = cursor.uint(2, "sensor status") if flags & 1 << 3 else 0
    return Glucose(sequence, at, mmol, control, status)
