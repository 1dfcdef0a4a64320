"""Pulse Oximeter Service 1.0.1 (0x1822): spot-check and continuous measurements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drivers.protocols.gatt import Cursor, Medical, uuid

SERVICE: Final = uuid("1822")
SPOT_CHECK: Final = uuid("2a5e")
CONTINUOUS: Final = uuid("2a5f")

# Measurement Status (16 bits): reasons not to believe the numbers as a measurement of this person.
EARLY, DEMONSTRATION, TESTING = 1 << 6, 1 << 10, 1 << 11
CALIBRATING, UNAVAILABLE, QUESTIONABLE, INVALID = 1 << 12, 1 << 13, 1 << 14, 1 << 15
UNBELIEVABLE: Final = EARLY | DEMONSTRATION | TESTING | CALIBRATING | UNAVAILABLE | QUESTIONABLE | INVALID

# Device and Sensor Status (24 bits): what is broken, and what merely is not on a finger.
FAULTS: Final = {
    1 << 1: "equipment malfunction",
    1 << 12: "unknown sensor connected",
    1 << 14: "sensor malfunctioning",
}
SENSOR_OFF: Final = 1 << 11 | 1 << 13 | 1 << 15  # unconnected to user, displaced, disconnected


@dataclass(frozen=True, slots=True)
class Oximetry:
    """One measurement. spo2: %, pulse: /min. at: device's local time. status, sensor: bit fields, 0 if absent."""

    spo2: Medical
    pulse: Medical
    at: datetime | None = None
    status: int = 0
    sensor: int = 0

    @property
    def believable(self) -> bool:
        """Whether device and status stand by the numbers."""
        return not self.status & UNBELIEVABLE and not self.sensor & SENSOR_OFF

    @property
    def fault(self) -> str | None:
        """What the device says is broken."""
        return next((words for bit, words in FAULTS.items() if self.sensor & bit), None)


def spot_check(payload: bytes) -> Oximetry:
    """PLX Spot-Check Measurement (0x2A5E). Raises DecodeError."""
    cursor = Cursor(payload, "spot-check measurement")
    flags = cursor.uint(1, "flags")
    spo2, pulse = cursor.sfloat("SpO2"), cursor.sfloat("pulse rate")
    at = cursor.date_time("timestamp") if flags & 1 << 0 else None
    status = cursor.uint(2, "measurement status") if flags & 1 << 1 else 0
    sensor = cursor.uint(3, "device and sensor status") if flags & 1 << 2 else 0
    if flags & 1 << 3:
        cursor.sfloat("pulse amplitude index")
    clock_is_set = not flags & 1 << 4
    return Oximetry(spo2, pulse, at if clock_is_set else None, status, sensor)


def continuous(payload: bytes) -> Oximetry:
    """PLX Continuous Measurement (0x2A5F): the normal values; fast and slow ones are read over."""
    cursor = Cursor(payload, "continuous measurement")
    flags = cursor.uint(1, "flags")
    spo2, pulse = cursor.sfloat("SpO2"), cursor.sfloat("pulse rate")
    for bit, name in ((1 << 0, "fast"), (1 << 1, "slow")):
        if flags & bit:
            cursor.take(4, f"{name} SpO2 and pulse rate")
    status = cursor.uint(2, "measurement status") if flags & 1 << 2 else 0
    sensor = cursor.uint(3, "device and sensor status") if flags & 1 << 3 else 0
    if flags & 1 << 4:
        cursor.sfloat("pulse amplitude index")
    return Oximetry(spo2, pulse, None, status, sensor)
