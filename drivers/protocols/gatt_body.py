"""Thermometer, scale and heart-rate profiles: short measurements of one number each.

Health Thermometer Service 1.0 (0x1809), Weight Scale Service 1.0.1 (0x181D), Heart Rate Service 1.0 (0x180D).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drivers.protocols.gatt import Cursor, NoNumber, uuid

TEMPERATURE: Final = uuid("2a1c")
WEIGHT: Final = uuid("2a9d")
HEART_RATE: Final = uuid("2a37")

KG_PER_POUND: Final = 0.45359237
NO_WEIGHT: Final = 0xFFFF  # measurement unsuccessful
UNKNOWN_USER: Final = 255
CONTACT_SUPPORTED, CONTACT = 1 << 2, 1 << 1


@dataclass(frozen=True, slots=True)
class Body:
    """One number of a body: °C, kg or beats a minute; None where the meter found none."""

    value: float | None
    at: datetime | None = None
    user: int | None = None


def temperature(payload: bytes) -> Body:
    """Temperature Measurement (0x2A1C), °C. Raises DecodeError."""
    cursor = Cursor(payload, "temperature measurement")
    flags = cursor.uint(1, "flags")
    raw = cursor.float32("temperature")
    at = cursor.date_time("timestamp") if flags & 1 << 1 else None
    if flags & 1 << 2:
        cursor.uint(1, "temperature type")
    if isinstance(raw, NoNumber):
        return Body(None, at)
    return Body(round((raw - 32) * 5 / 9, 2) if flags & 1 << 0 else raw, at)


def weight(payload: bytes) -> Body:
    """Weight Measurement (0x2A9D), kg. Raises DecodeError."""
    cursor = Cursor(payload, "weight measurement")
    flags = cursor.uint(1, "flags")
    raw = cursor.uint(2, "weight")
    at = cursor.date_time("timestamp") if flags & 1 << 1 else None
    user = cursor.uint(1, "user id") if flags & 1 << 2 else UNKNOWN_USER
    if flags & 1 << 3:
        cursor.take(4, "body mass index and height")
    kilograms = raw * 0.01 * KG_PER_POUND if flags & 1 << 0 else raw * 0.005
    value = None if raw == NO_WEIGHT else round(kilograms, 3)
    return Body(value, at, None if user == UNKNOWN_USER else user)


def heart_rate(payload: bytes) -> Body:
    """Heart Rate Measurement (0x2A37), beats a minute; None when the sensor does not touch skin."""
    cursor = Cursor(payload, "heart rate measurement")
    flags = cursor.uint(1, "flags")
    rate = cursor.uint(2 if flags & 1 << 0 else 1, "heart rate")
    if flags & 1 << 3:
        cursor.uint(2, "energy expended")
    if flags & CONTACT_SUPPORTED and not flags & CONTACT:
        return Body(None)
    return Body(float(rate) if rate else None)
