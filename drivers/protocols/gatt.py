"""Values of Bluetooth SIG characteristics: medical numbers, times, flags (GATT Specification Supplement).

A `Cursor` reads a value from left to right; whatever is missing is a DecodeError that names the field.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drivers.device_type import Unit
from drivers.events import DecodeError, Millis

LONGEST: Final = 512  # bytes an attribute value can have (Core 5.4, vol 3, part F, 3.2.9)


class NoNumber(Enum):
    """What a medical number can be instead of a number (IEEE 11073-20601, annex F)."""

    NAN = "not a number"
    NRES = "not at this resolution"
    PLUS_INFINITY = "too large"
    MINUS_INFINITY = "too small"
    RESERVED = "reserved"


Medical: TypeAlias = float | NoNumber

SFLOAT_SPECIAL: Final = {
    0x07FF: NoNumber.NAN,
    0x0800: NoNumber.NRES,
    0x07FE: NoNumber.PLUS_INFINITY,
    0x0802: NoNumber.MINUS_INFINITY,
    0x0801: NoNumber.RESERVED,
}
FLOAT_SPECIAL: Final = {
    0x007FFFFF: NoNumber.NAN,
    0x00800000: NoNumber.NRES,
    0x007FFFFE: NoNumber.PLUS_INFINITY,
    0x00800002: NoNumber.MINUS_INFINITY,
    0x00800001: NoNumber.RESERVED,
}


def uuid(short: str) -> str:
    """A 16-bit UUID in full, as channels carry it."""
    return f"0000{short.lower()}-0000-1000-8000-00805f9b34fb"


def full(channel: str) -> str:
    """A characteristic's UUID in full and in lower case, however it was written: 2A5E, 0x2a5e or in full."""
    plain = channel.lower().removeprefix("0x")
    return uuid(plain) if len(plain) == 4 else plain


BATTERY_LEVEL: Final = uuid("2a19")
DATE_TIME: Final = uuid("2a08")
CURRENT_TIME: Final = uuid("2a2b")


@dataclass(slots=True)
class Cursor:
    """Reads a characteristic's value. what: its name for error sentences."""

    value: bytes
    what: str
    at: int = 0

    def __post_init__(self) -> None:
        if len(self.value) > LONGEST:
            raise DecodeError(
                f"{self.what} has {len(self.value)} bytes; a characteristic has at most {LONGEST}"
            )

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.value) - self.at

    def take(self, size: int, field: str) -> bytes:
        """The next bytes, as they are."""
        if self.left < size:
            raise DecodeError(
                f"{self.what} ends after {len(self.value)} bytes, expected {size} at byte {self.at} ({field})"
            )
        start, self.at = self.at, self.at + size
        return self.value[start : self.at]

    def uint(self, size: int, field: str) -> int:
        """The next bytes as an unsigned number, least significant byte first."""
        return int.from_bytes(self.take(size, field), "little")

    def sint(self, size: int, field: str) -> int:
        """The next bytes as a signed number, least significant byte first."""
        return int.from_bytes(self.take(size, field), "little", signed=True)

    def sfloat(self, field: str) -> Medical:
        """A 16-bit medical number: four bits of exponent, twelve of mantissa, both signed."""
        return sfloat(self.uint(2, field))

    def float32(self, field: str) -> Medical:
        """A 32-bit medical number: eight bits of exponent, twenty-four of mantissa, both signed."""
        return float32(self.uint(4, field))

    def date_time(self, field: str) -> datetime | None:
        """Seven bytes of local time without a zone; None when the device does not know it."""
        raw = self.take(7, field)
        year, month, day = int.from_bytes(raw[:2], "little"), raw[2], raw[3]
        if 0 in {year, month, day}:
            return None  # 0 stands for "not known" in each of them
        try:
            return datetime(year, month, day, raw[4], raw[5], raw[6])  # noqa: DTZ001 - the wire has no zone
        except ValueError:
            raise DecodeError(
                f"{self.what} has no such time: {year}-{month}-{day} {raw[4]}:{raw[5]}:{raw[6]} ({field})"
            ) from None


def sfloat(raw: int) -> Medical:
    """A 16-bit medical number from its bits."""
    mantissa, exponent = raw & 0x0FFF, raw >> 12
    special = SFLOAT_SPECIAL.get(mantissa)
    # The special values are defined with exponent 0; meters send them with others too.
    return special if special is not None else _scaled(_signed(mantissa, 12), _signed(exponent, 4))


def float32(raw: int) -> Medical:
    """A 32-bit medical number from its bits."""
    mantissa, exponent = raw & 0x00FF_FFFF, raw >> 24
    special = FLOAT_SPECIAL.get(mantissa)
    return special if special is not None else _scaled(_signed(mantissa, 24), _signed(exponent, 8))


def within(value: Medical, low: float, high: float, what: str) -> float | None:
    """A number inside its range, None where the meter has none; raises DecodeError for a number outside."""
    if isinstance(value, NoNumber):
        return None
    if not low <= value <= high:
        raise DecodeError(f"{what} lies between {low:g} and {high:g}, not at {value:g}")
    return value


def in_zone(at: datetime | None, unit: Unit) -> Millis | None:
    """A meter's local time as ms UTC, by the unit's `tz` setting; None when either is not known."""
    zone = unit.settings.get("tz")
    if at is None or not isinstance(zone, str):
        return None
    try:
        aware = at.replace(tzinfo=ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return calendar.timegm(aware.utctimetuple()) * 1000


def battery_level(payload: bytes) -> int:
    """Battery Level (0x2A19): percent."""
    cursor = Cursor(payload, "battery level")
    level = cursor.uint(1, "level")
    if level > 100:
        raise DecodeError(f"battery level lies between 0 and 100 %, not at {level}")
    return level


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _scaled(mantissa: int, exponent: int) -> float:
    # Dividing by a whole power of ten rounds correctly; multiplying by 0.1 would make 36.4 a 36.400000000000006.
    power: int = 10 ** abs(exponent)
    return mantissa / power if exponent < 0 else float(mantissa * power)
