"""Scenario file → Scenario, strictly: a slip is an error with its line and, where one is near, a remedy."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulators.scenario.faults import FAULTS
from simulators.scenario.measuring import METERS
from simulators.scenario.model import AREA, Device, Expected, Home, Incident, Instant, Scenario
from simulators.scenario.text import (
    Problems,
    Record,
    ScenarioError,
    Spot,
    clock,
    datum,
    identity,
    meant,
    number,
    one_of,
    parse,
    scalar,
    span,
    whole,
    words,
)
from simulators.scenario.words import COMMON, DOSE_HABITS, KINDS, LASTING, MAKERS, Kind, kind_of

FORMAT = "trygghub-scenario-1"
SHIPPED = Path(__file__).parent.parent / "scenarios"
DEFAULT_EVERY = 20.0


def find(name: str) -> Path:
    """A shipped scenario by name, or a file by path. Raises ScenarioError."""
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        return path
    shipped = {one.stem: one for one in SHIPPED.glob("*.yaml") if not one.stem.endswith("_registry")}
    if name in shipped:
        return shipped[name]
    there_are = f"shipped: {', '.join(sorted(shipped))}"
    raise ScenarioError([f"line 1: no scenario is called {name!r}{meant(name, shipped)} ({there_are})"])


def load(name: str) -> Scenario:
    """Read a scenario by name or path. Raises ScenarioError."""
    path = find(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        why = getattr(wrong, "strerror", None) or wrong
        raise ScenarioError([f"line 1: it cannot be read: {why}"]) from None
    return read(text, path)


def read(text: str, file: Path | None = None) -> Scenario:
    """Read a scenario's text. Raises ScenarioError with every problem found."""
    problems = Problems()
    top = Record.of("a scenario", parse(text), problems)
    top.get("format", one_of(FORMAT))
    zone = top.get("tz", _zone, ZoneInfo("Europe/Oslo"))
    homes = _homes(top.spot("homes"), zone, top)
    scenario = Scenario(
        name=top.get("name", identity),
        says=top.get("says", words, ""),
        seed=top.get("seed", whole, 1),
        first_day=top.maybe("first day", _date),
        start=top.get("start", clock, 7 * 60),
        zone=zone,
        registry=_beside(file, top.maybe("registry", words)),
        homes=homes,
        incidents=tuple(_incidents(top.spot("incidents"), homes, problems)),
        expect=tuple(_expectations(top.spot("expect"), homes, problems)),
        file=file,
    )
    top.close()
    _wires(top.spot("homes"), homes, problems)
    problems.settle()
    return scenario


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"a date is written like 2026-03-28, not {text!r:.40}") from None


def _moment(text: str) -> int | Instant:
    """A clock time, or an instant with its offset where the clock shows a time twice."""
    if "T" not in text:
        return clock(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"an instant is written like 2026-10-25T01:30:00Z, not {text!r:.40}")
    return Instant(round(found.timestamp() * 1000))


def _beside(file: Path | None, name: str | None) -> Path | None:
    return None if name is None else (file.parent / name if file else Path(name))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r:.60} is no time zone; write one like Europe/Oslo") from None


# ---------------------------------------------------------------- homes and devices


def _homes(spot: Spot | None, zone: ZoneInfo, top: Record) -> dict[str, Home]:
    if spot is None:
        top.problems.add(top.line, "a scenario needs 'homes'")
        return {}
    record = Record.of("homes", spot, top.problems)
    homes: dict[str, Home] = {}
    taken: dict[str, str] = {}
    for name, one in record.fields.items():
        _named(name, one, top.problems)
        homes[name] = _home(name, one, zone, top.problems, taken)
    return homes


def _home(name: str, spot: Spot, zone: ZoneInfo, problems: Problems, taken: dict[str, str]) -> Home:
    record = Record.of(f"home '{name}'", spot, problems)
    home = Home(
        id=name,
        resident=record.get("resident", words, "the resident"),
        zone=record.get("tz", _zone, zone),
        wakes=record.get("wakes", clock, 7 * 60 + 10),
        sleeps=record.get("sleeps", clock, 22 * 60 + 30),
        goes_out=record.items("goes out", clock),
        carers=record.items("carers", clock),
        devices=_devices(record, problems, taken),
    )
    record.close()
    return home


def _devices(home: Record, problems: Problems, taken: dict[str, str]) -> dict[str, Device]:
    spot = home.spot("devices")
    if spot is None:
        problems.add(home.line, f"{home.what} needs 'devices'")
        return {}
    name = home.what.removeprefix("home ").strip("'")
    found: dict[str, Device] = {}
    for key, one in Record.of(f"{home.what}: 'devices'", spot, problems).fields.items():
        _named(key, one, problems)
        if key in taken:
            problems.add(
                one.line,
                f"device '{key}' stands in home '{taken[key]}' already; ids are unique",
            )
        taken[key] = name
        if (device := _device(key, name, one, problems)) is not None:
            found[key] = device
    return found


def _device(name: str, home: str, spot: Spot, problems: Problems) -> Device | None:
    record = Record.of(f"device '{name}'", spot, problems)
    before = len(problems.found)
    kind = record.get("type", one_of(*KINDS))
    if len(problems.found) > before or kind is None:
        return None
    family = _family(record, kind, problems)
    if family is None:
        return None
    of = kind_of(kind, family)
    readers = {**COMMON, **of.settings}
    settings: dict[str, Any] = {
        key: record.items(key, read) if key in of.many else record.get(key, read)
        for key, read in readers.items()
        if key in record.fields
    }
    record.close(readers)
    _needed(record, of, "" if family == "native" else f" of the family '{family}'", kind, problems)
    return Device(name, home, kind, settings)


def _family(record: Record, kind: str, problems: Problems) -> str | None:
    """The maker's family of a device, if it has such a type."""
    before = len(problems.found)
    family = record.get("family", one_of("native", *MAKERS), "native")
    if len(problems.found) > before:
        return None
    if family != "native" and kind not in MAKERS[family].types:
        offered = ", ".join(MAKERS[family].types)
        problems.add(record.line, f"the family '{family}' has no {kind}; it has {offered}")
        return None
    return str(family)


def _needed(record: Record, of: Kind, family: str, kind: str, problems: Problems) -> None:
    missing = sorted(key for key in of.needs if key not in record.fields)
    if missing:
        problems.add(record.line, f"{record.what}: a {kind}{family} needs {' and '.join(map(repr, missing))}")


SOLITARY = frozenset({"nurse_call", "door_reader"})
"""Types whose simulator has its line for itself."""


def _wires(spot: Spot | None, homes: dict[str, Home], problems: Problems) -> None:
    """Two devices at one address, or of two protocols on one line, cannot be meant."""
    met: dict[str, Device] = {}
    for home in homes.values():
        for device in home.devices.values():
            line = _line_of(spot, device)
            place = str(
                device.settings.get("address") or device.settings.get("port") or f"{device.home}/{device.id}"
            )
            if place in met:
                problems.add(
                    line, f"device '{device.id}': {place} is the address of '{met[place].id}' already"
                )
            met[place] = device
            port = place.partition("#")[0]
            other = met.setdefault(f"port {port}", device) if device.kind.wire == "serial" else device
            if other is not device and (
                SOLITARY & {device.type, other.type} or _speaks(device) != _speaks(other)
            ):
                problems.add(
                    line, f"device '{device.id}': the line {port} is that of '{other.id}'; name another port"
                )


def _speaks(device: Device) -> str:
    return "enocean" if device.type == "key_card" else str(device.settings.get("family", device.type))


def _line_of(spot: Spot | None, device: Device) -> int:
    """The line a device stands on."""
    for key in (device.home, "devices", device.id):
        fields = spot.value if spot is not None else None
        spot = fields.get(key) if isinstance(fields, dict) else None
    return spot.line if spot is not None else 1


def _named(name: str, spot: Spot, problems: Problems) -> None:
    scalar(Spot(name, spot.line), f"'{name:.60}'", identity, problems, None)


# ---------------------------------------------------------------- incidents and expectations


def _incidents(spot: Spot | None, homes: dict[str, Home], problems: Problems) -> list[Incident]:
    return [
        found for one in _listed("incidents", spot, problems) if (found := _incident(one, homes, problems))
    ]


def _incident(spot: Spot, homes: dict[str, Home], problems: Problems) -> Incident | None:
    record = Record.of("an incident", spot, problems)
    devices = {device.id: device for home in homes.values() for device in home.devices.values()}
    name = record.get("device", one_of(*devices))
    device = devices.get(name)
    do = record.get("do", one_of(*device.kind.incidents) if device else words)
    found = Incident(
        home=device.home if device else "",
        device=name,
        do=do,
        at=record.get("at", clock),
        day=record.maybe("day", whole),
        times=record.get("times", whole, 1),
        every=record.get("every", span, DEFAULT_EVERY),
        lasting=record.maybe("for", span),
        data=_data(record, problems),
    )
    record.close()
    if device is None or do is None:  # said already; what follows from it would only confuse
        return None
    if found.lasting is not None and not _can_last(device, do):
        problems.add(record.line, f"'for' does not go with '{do}': nothing a {device.type} says ends it")
    if do in DOSE_HABITS and found.at not in device.settings.get("doses", ()):
        problems.add(
            record.line, f"'{do}' needs the clock time of one of the doses of '{device.id}' as its 'at'"
        )
    if found.lasting is None and do in LASTING - {"reading"}:
        problems.add(record.line, f"'{do}' needs 'for' (how long)")
    _told(device, do, record, problems)
    return found


def _told(device: Device, do: str, record: Record, problems: Problems) -> None:
    """Whether a fault or a measurement understands its data."""
    spot = record.fields.get("data")
    if spot is None or not isinstance(spot.value, dict) or not (do == "reading" or do in FAULTS):
        return
    readers = FAULTS[do].data if do in FAULTS else {one.name: number for one in METERS[device.type]}
    for key, one in spot.value.items():
        if key in readers:
            scalar(one, f"data '{key}'", readers[key], problems, None)
        else:
            takes = f"; it takes {', '.join(readers) or 'none'}"
            problems.add(one.line, f"'{do}' knows no data '{key}'{meant(key, readers) or takes}")


def _can_last(device: Device, do: str) -> bool:
    """Whether `for` goes with it: a fact with an end, or a word of its own that lasts."""
    return do in device.kind.ends or do in LASTING


def _data(record: Record, problems: Problems) -> dict[str, Any]:
    spot = record.spot("data")
    if spot is None:
        return {}
    fields = Record.of(f"{record.what}: 'data'", spot, problems).fields
    return {
        key: scalar(one, f"data '{key}'", words if one.quoted else datum, problems, None)
        for key, one in fields.items()
    }


def _expectations(spot: Spot | None, homes: dict[str, Home], problems: Problems) -> list[Expected]:
    found = []
    for one in _listed("expect", spot, problems):
        record = Record.of("an expected alert", one, problems)
        between = record.items("between", _moment)
        if len(between) != 2:
            problems.add(record.line, "an expected alert needs 'between': [from, to], two clock times")
            between = (0, 0)
        found.append(
            Expected(
                rule=record.get("rule", identity),
                home=record.get("home", one_of(*homes, AREA)),
                since=between[0],
                until=between[1],
                day=record.get("day", whole, 1),
            )
        )
        record.close()
    return found


def _listed(what: str, spot: Spot | None, problems: Problems) -> list[Spot]:
    if spot is None:
        return []
    if isinstance(spot.value, list):
        return spot.value
    problems.add(spot.line, f"'{what}' is a list; begin each line with '- '")
    return []
