"""What meters with Bluetooth SIG profiles have in common: channels, battery, clocks, readings kept in a store.

A meter sends a stored reading again when its confirmation was lost, so a reading that carries the device's time
has an id made of its own bytes: the same bytes are the same reading.

Many meters' clocks are wrong, above all after a change of battery. Theirs is read before it is set, and what they
had stored by the wrong clock is put where it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drivers.device_type import Outgoing, Unit, Visit
from drivers.events import DecodeError, Fact, Frame, Millis, Value
from drivers.protocols import gatt, reports
from drivers.settings import Settings, time_zone, whole

Reader: TypeAlias = Callable[[Frame, Unit], list[Fact]]

SETTINGS: Final[Settings] = {"user": whole(0, 255), "tz": time_zone()}
SAY_AGAIN: Final[Millis] = 60_000
"""A continuous value that does not change is reported this often."""
MOST_REMEMBERED: Final = 1000
"""Records told before that are remembered; meters store 480 to 720."""
MINUTE: Final = timedelta(minutes=1)
WRONG: Final = 5 * MINUTE
"""A meter's clock further off than this is wrong; less is its drift, or the time it took to ask."""
MANUAL_UPDATE: Final = 1  # adjust reason of Current Time: somebody set it


def meter(what: str, readers: Mapping[str, Reader]) -> Reader:
    """A decoder that knows a meter's characteristics by their short UUID, and the battery level of all."""
    known = {gatt.uuid(short): reader for short, reader in readers.items()}
    known.setdefault(gatt.BATTERY_LEVEL, battery)
    known.setdefault(gatt.CURRENT_TIME, clock)
    names = ", ".join([*readers, "2a19", "2a2b"])

    def decode(frame: Frame, unit: Unit) -> list[Fact]:
        reader = known.get(gatt.full(frame.channel))
        if reader is None:
            raise DecodeError(f"{what} speaks on {names}, not on {frame.channel!r:.60}")
        return reader(frame, unit)

    return decode


def battery(frame: Frame, unit: Unit) -> list[Fact]:
    """Battery Level (0x2A19) of a meter."""
    level = gatt.battery_level(frame.payload)
    said = reports.battery("vitals", level, unit, frame.heard)
    return reports.alive("vitals", said, unit, frame.heard)


def reading(
    facts: Mapping[str, Mapping[str, Value]], measured: datetime | None, frame: Frame, unit: Unit
) -> list[Fact]:
    """The facts of one stored reading: with the device's time where known, and an id if it carries a time."""
    at = gatt.in_zone(_by_a_right_clock(measured, frame.heard, unit), unit)
    name = f"{gatt.full(frame.channel)[4:8]}-{frame.payload.hex()}" if measured is not None else None
    return [
        Fact(kind, data, at, None if name is None else f"{name}-{kind.partition('.')[2]}")
        for kind, data in facts.items()
    ]


def told_before(name: str, unit: Unit) -> bool:
    """Whether a stored record was told already; remembered if not. name: what tells it from all others."""
    told = unit.memory.get("records", [])
    if name in told:
        return True
    unit.memory["records"] = [*told, name][-MOST_REMEMBERED:]
    return False


def clock(frame: Frame, unit: Unit) -> list[Fact]:
    """The meter's own clock (0x2A2B), before it is set: remembered while it is wrong by more than a little."""
    theirs = gatt.Cursor(frame.payload, "current time").date_time("time")
    if theirs is None or not isinstance(unit.settings.get("tz"), str):
        return []
    ours = _local(frame.heard, unit.settings)
    if abs(ours - theirs) > WRONG:
        unit.memory["clock"] = {"wrong": theirs.isoformat(), "right": ours.isoformat()}
    return []


def _by_a_right_clock(measured: datetime | None, heard: Millis, unit: Unit) -> datetime | None:
    """A reading's time, put right if the meter stored it before its wrong clock was set.

    Stored before: it is not later than the wrong clock stood then, and does not lie in the time that has been right
    since. What a clock that ran ahead had stored within that time cannot be told apart, and is believed.
    """
    told = unit.memory.get("clock")
    if measured is None or not isinstance(told, dict):
        return measured
    wrong, right = datetime.fromisoformat(told["wrong"]), datetime.fromisoformat(told["right"])
    since_right = right <= measured <= _local(heard, unit.settings)
    return measured if measured > wrong or since_right else later(measured, round((right - wrong) / MINUTE))


def _local(at: Millis, settings: Mapping[str, Any]) -> datetime:
    """Local time without a zone, as meters keep it."""
    return datetime.fromtimestamp(at // 1000, _zone(settings.get("tz"))).replace(tzinfo=None)


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
