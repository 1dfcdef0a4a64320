"""Frame, Fact and Event: the vocabulary every package speaks.

Times are integers: milliseconds since 1970-01-01T00:00:00Z. An integer has no time zone to forget,
compares fast and survives every database; `iso` and `parse_time` translate at the edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeAlias

Millis: TypeAlias = int
"""Milliseconds since 1970-01-01T00:00:00Z."""

Value: TypeAlias = bool | int | float | str
"""What one field of an event's data may hold."""

NO_DATA: Mapping[str, Value] = MappingProxyType({})


class DecodeError(ValueError):
    """The one error a decoder raises: says in a sentence what was expected and what came."""


class TimeError(ValueError):
    """A text or number that is not a point in time."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Bytes from one device at one moment, exactly as a link heard them.

    address: who sent it, in the link's own words (MQTT device path `h1/front-lock`, BLE address, serial port).
    channel: where on that device (MQTT topic's last part, GATT characteristic or `adv:<uuid>`, empty for serial).
    heard: when our clock saw it, in ms UTC.
    retained: the transport kept it for us; it is a state, never news (failure mode TR-10).
    """

    link: str
    address: str
    payload: bytes
    heard: Millis
    channel: str = ""
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """What a decoder reads out of a frame: a kind of the catalogue, its data, and perhaps when and which.

    at: when the device says it happened (ms UTC), None if it has no clock of its own.
    id: the device's own id of the report, unique on that device, None if the wire has none.
    """

    kind: str
    data: Mapping[str, Value] = field(default_factory=lambda: NO_DATA)
    at: Millis | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded, immutable fact about one home.

    id: unique in the whole system; the same id again is the same event and counts once.
    at: when it happened. heard: when the gateway heard it. Both in ms UTC.
    """

    id: str
    at: Millis
    heard: Millis
    home: str
    device: str
    kind: str
    data: Mapping[str, Value] = field(default_factory=lambda: NO_DATA)

    @property
    def device_class(self) -> str:
        """The class of the fact, which is the first half of its kind."""
        return self.kind.partition(".")[0]

    def as_json(self) -> dict[str, Any]:
        """The event as DESIGN.md section 9 writes it, ready for `json.dumps`."""
        return {
            "id": self.id,
            "at": iso(self.at),
            "heard": iso(self.heard),
            "home": self.home,
            "device": self.device,
            "kind": self.kind,
            "data": dict(self.data),
        }


def iso(at: Millis) -> str:
    """Write a time as `2026-01-15T12:00:00.000Z`."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


EARLIEST: Millis = 0
LATEST: Millis = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last instant `datetime` can hold


def parse_time(value: object) -> Millis:
    """Read ISO 8601 with an offset, or integer milliseconds since 1970 UTC.

    Raises TimeError for anything else; a time without offset is refused, since nobody can know what it means.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TimeError(f"a time is ISO 8601 with an offset or integer milliseconds, not {value!r:.80}")
    at = value if isinstance(value, int) else _from_text(value)
    if not EARLIEST <= at <= LATEST:
        raise TimeError(f"a time lies between 1970 and 9999, not at {at} ms")
    return at


def _from_text(text: str) -> Millis:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TimeError(f"a time is written like 2026-01-15T12:00:00Z, not {text!r:.80}") from None
    if moment.tzinfo is None:
        raise TimeError(f"the time {text!r:.80} has no offset; write Z or +01:00 behind it")
    try:
        whole = moment.astimezone(UTC)
    except OverflowError:
        raise TimeError(f"a time lies between 1970 and 9999, not {text!r:.80}") from None
    return round((whole - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
