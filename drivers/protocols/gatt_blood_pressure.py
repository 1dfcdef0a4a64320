"""Blood Pressure Service 1.1.1 (0x1810): Blood Pressure Measurement (0x2A35)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drivers.protocols.gatt import Cursor, Medical, NoNumber, uuid

MEASUREMENT: Final = uuid("2a35")
MMHG_PER_KPA: Final = 7.50062
UNKNOWN_USER: Final = 255


@dataclass(frozen=True, slots=True)
class BloodPressure:
    """One measurement, in mmHg and beats a minute. user: number on the cuff, None if it does not say."""

    systolic: Medical
    diastolic: Medical
    mean: Medical
    at: datetime | None
    pulse: Medical
    user: int | None
    status: int


def measurement(payload: bytes) -> BloodPressure:
    """Read Blood Pressure Measurement. Raises DecodeError."""
    cursor = Cursor(payload, "blood pressure measurement")
    flags = cursor.uint(1, "flags")
    values = [cursor.sfloat(name) for name in ("systolic", "diastolic", "mean arterial pressure")]
    if flags & 1 << 0:
        values = [one if isinstance(one, NoNumber) else round(one * MMHG_PER_KPA, 1) for one in values]
    at = cursor.date_time("timestamp") if flags & 1 << 1 else None
    pulse: Medical = cursor.sfloat("pulse rate") if flags & 1 << 2 else NoNumber.NAN
    user = cursor.uint(1, "user id") if flags & 1 << 3 else UNKNOWN_USER
    status = cursor.uint(2, "measurement status") if flags & 1 << 4 else 0
    systolic, diastolic, mean = values
    return BloodPressure(systolic, diastolic, mean, at, pulse, None if user == UNKNOWN_USER else user, status)
