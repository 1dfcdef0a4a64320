"""What meters with Bluetooth SIG profiles have in common: channels, battery, clocks, readings kept in a store.

A meter sends a stored reading again when its confirmation was lost, so a reading that carries the device's time
has an id made of its own bytes: the same bytes are the same reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drivers.device_type import Outgoing, Unit, Visit
from drivers.events import DecodeError, Fact, Frame, Millis, Value
from drivers.protocols import gatt, reports

Reader: TypeAlias = Callable[[Frame, Unit], list[Fact]]

SAY_AGAIN: Final[Millis] = 60_000
"""A continuous value that does not change is reported this often."""
MANUAL_UPDATE: Final = 1  # adjust reason of Current Time: somebody set it


def meter(what: str, readers: Mapping[str, Reader]) -> Reader:
    """A decoder that knows a meter's characteristics by their short UUID, and the battery level of all."""
    known = {gatt.uuid(short): reader for short, reader in readers.items()}
    known.setdefault(gatt.BATTERY_LEVEL, battery)
    names = ", ".join([*readers, "2a19"])

    def decode(frame: Frame, unit: Unit) -> list[Fact]:
        reader = known.get(gatt.full(frame.channel))
        if reader is None:
            raise DecodeError(f"{what} speaks on {names}, not on {frame.channel!r:.60}")
        return reader(frame, unit)

    return decode


def battery(frame: Frame, unit: Unit) -> list[Fact]:
    """Battery Level (0x2A19) of a meter."""
    level = gatt.battery_level(frame.payload)
    return reports.battery("vitals", level, unit, frame.heard) or reports.life("vitals", unit, frame.heard)


def reading(
    facts: Mapping[str, Mapping[str, Value]], measured: datetime | None, frame: Frame, unit: Unit
) -> list[Fact]:
    """The facts of one stored reading: with the device's time where known, and an id if it carries a time."""
    at = gatt.in_zone(measured, unit)
    name = f"{gatt.full(frame.channel)[4:8]}-{frame.payload.hex()}" if measured is not None else None
    return [
        Fact(kind, data, at, None if name is None else f"{name}-{kind.partition('.')[2]}")
        for kind, data in facts.items()
    ]


def shown(values: Mapping[str, float], steps: Mapping[str, float], unit: Unit, heard: Millis) -> list[Fact]:
    """Values that come every second: reported when one moved by its step, or after a minute."""
    said: dict[str, float] = unit.memory.get("shown") or {}
    recent = bool(said) and 0 <= heard - said["heard"] < SAY_AGAIN
    moved = not recent or any(
        kind not in said or abs(value - said[kind]) >= steps[kind] for kind, value in values.items()
    )
    if not values or not moved:
        return []
    unit.memory["shown"] = {**values, "heard": heard}
    return [Fact(kind, {"value": value}) for kind, value in values.items()]


def fault(code: str | None, unit: Unit) -> list[Fact]:
    """Say a fault once, and once that it is gone."""
    before = unit.memory.get("fault")
    if code == before:
        return []
    unit.memory["fault"] = code
    if code is None:
        return [Fact("vitals.recovered", {"code": str(before)})]
    return [Fact("vitals.fault", {"code": code})]


def somebody_else(user: int | None, unit: Unit) -> bool:
    """Whether a reading of a shared meter belongs to another person: setting `user`, the number on the meter."""
    ours = unit.settings.get("user")
    return isinstance(ours, int) and user is not None and user != ours


def set_clock(visit: Visit) -> Iterable[Outgoing]:
    """A greeting: the home's local time, as Current Time and as Date Time; meters have one, the other or none."""
    local = datetime.fromtimestamp(visit.now / 1000, _zone(visit.settings.get("tz")))
    day = local.year.to_bytes(2, "little") + bytes(
        [local.month, local.day, local.hour, local.minute, local.second]
    )
    fraction = local.microsecond * 256 // 1_000_000
    return (
        Outgoing(gatt.CURRENT_TIME, day + bytes([local.isoweekday(), fraction, MANUAL_UPDATE])),
        Outgoing(gatt.DATE_TIME, day),
    )


def later(at: datetime | None, minutes: int) -> datetime | None:
    """A base time and its offset, in the meter's local time."""
    try:
        return None if at is None else at + timedelta(minutes=minutes)
    except OverflowError:
        return None


def _zone(name: object) -> ZoneInfo | timezone:
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
