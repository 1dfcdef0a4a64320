"""The files `trygghub rules` reads: books, HOMES.json and EVENTS.jsonl (DESIGN.md section 9)."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis, TimeError, Value, parse_time
from drivers.registry import UnknownDeviceType, device_type
from hub.cli.outcome import FAILED, Refused
from rules import Book, BookError, DeviceSpec, HomeSpec, load_book, standard_book_text
from rules.homes import DEFAULT_LATE, DEFAULT_TZ
from rules.problems import Wrong
from rules.spans import SECOND, parse_span

LONGEST_LINE = 1_048_576
_GZIP = b"\x1f\x8b"
STANDARD = "standard"
"""Instead of a book's path: the one that is shipped."""


def read_text(path: str) -> str:
    """A whole text file; `-` is standard input. Raises Refused with a sentence."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8")
    except OSError as wrong:
        raise Refused(f"{path} cannot be read: {wrong.strerror or wrong}") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is not a text in UTF-8") from None


def read_book(path: str) -> Book:
    """A rule book. Raises Refused with every fault, a line each."""
    text = standard_book_text() if path == STANDARD else read_text(path)
    try:
        return load_book(text, source=path)
    except BookError as wrong:
        raise Refused("\n".join([f"{path} cannot be used", *wrong.problems]), FAILED) from None


# ---------------------------------------------------------------- homes


def read_homes(path: str) -> list[HomeSpec]:
    """HOMES.json. Raises Refused, naming home and device."""
    try:
        body = orjson.loads(read_text(path))
    except orjson.JSONDecodeError as wrong:
        raise Refused(f"{path} is not JSON: {wrong}") from None
    homes = body.get("homes") if isinstance(body, dict) else None
    if not isinstance(homes, dict):
        raise Refused(f'{path} is written {{"homes": {{"h1": {{"tz": "Europe/Oslo", …}}}}}}')
    try:
        return [_home(name, _mapping(each, f"home {name}")) for name, each in homes.items()]
    except (Wrong, TimeError) as wrong:
        raise Refused(f"{path}: {wrong}") from None


def _home(name: str, body: Mapping[str, Any]) -> HomeSpec:
    where = f"home {name!r:.80}"
    tz = body.get("tz", DEFAULT_TZ)
    try:
        ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise Wrong(f"{where}: {tz!r:.80} is no time zone; write one like Europe/Oslo") from None
    devices = _mapping(body.get("devices", {}), f"devices of {where}")
    return HomeSpec(
        id=name,
        tz=tz,
        resident=_mapping(body.get("resident", {}), f"resident of {where}"),
        devices={each: _device(where, each, _mapping(spec, each)) for each, spec in devices.items()},
        late_ms=_span(body["late"], where) if "late" in body else DEFAULT_LATE,
    )


def _device(where: str, name: str, body: Mapping[str, Any]) -> DeviceSpec:
    where = f"{where}, device {name!r:.80}"
    known = _known_type(where, body.get("type"))
    device_class = body.get("class") or (known.device_class if known else None)
    if device_class not in CATALOGUE.classes:
        raise Wrong(f"{where}: 'class' is one of {', '.join(CATALOGUE.classes)}, not {device_class!r:.80}")
    silent_after = body.get("silent_after", known.silent_after if known else None)
    if isinstance(silent_after, str):
        silent_after = _seconds(silent_after)
    if silent_after is not None and (
        isinstance(silent_after, bool) or not isinstance(silent_after, int | float)
    ):
        raise Wrong(f"{where}: 'silent_after' is a time span or seconds, not {silent_after!r:.80}")
    return DeviceSpec(
        device_class=str(device_class),
        since=_instant(body["since"], where) if body.get("since") is not None else None,
        silent_after=silent_after,
        name=str(body.get("name") or ""),
        late_ms=_span(body["late"], where) if "late" in body else None,
        knows_taken=known is None or known.knows_taken,
    )


def _seconds(text: str) -> float | str:
    """A span in seconds; the text itself where it is none."""
    try:
        return parse_span(text) / SECOND
    except Wrong:
        return text


def _known_type(where: str, name: object) -> Any:
    if name is None:
        return None
    try:
        return device_type(str(name))
    except UnknownDeviceType as wrong:
        raise Wrong(f"{where}: {wrong}") from None


def _instant(value: object, where: str) -> Millis:
    try:
        return parse_time(value)
    except TimeError as wrong:
        raise Wrong(f"{where}: since: {wrong}") from None


def _span(value: object, where: str) -> Millis:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        return parse_span(value if isinstance(value, str) else "")
    except Wrong:
        raise Wrong(f"{where}: 'late' is a time span such as '2 min', not {value!r:.80}") from None


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(f"{what} is written in braces, not {value!r:.80}")
    return value


# ---------------------------------------------------------------- events


def read_events(path: str) -> list[Event]:
    """EVENTS.jsonl, perhaps gzipped. Raises Refused, naming the line."""
    events = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            events.append(read_event(line))
        except (Wrong, TimeError) as wrong:
            raise Refused(f"{path}, line {number}: {wrong}") from None
    return events


def read_event(line: bytes) -> Event:
    """One event as DESIGN.md section 9 writes it. Raises Wrong or TimeError."""
    if len(line) > LONGEST_LINE:
        raise Wrong(f"an event has at most {LONGEST_LINE} bytes")
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError as wrong:
        raise Wrong(f"not JSON: {wrong}") from None
    if not isinstance(body, dict):
        raise Wrong('an event is written {"id": …, "at": …, "home": …, "device": …, "kind": …, "data": {…}}')
    data = body.get("data", {})
    if not isinstance(data, dict):
        raise Wrong(f"data is written in braces, not {data!r:.80}")
    at = parse_time(body.get("at"))
    heard = parse_time(body["heard"]) if body.get("heard") is not None else at
    home, device, kind = (_word(body, name) for name in ("home", "device", "kind"))
    return Event(_id(body.get("id")), at, heard, home, device, kind, _values(data))


def _id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not 0 < len(value) <= 500:
        raise Wrong(f"an event's id is a text, not {value!r:.80}")
    return value


def _word(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "-" if name == "device" else None)
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise Wrong(f"an event's {name} is a text, not {value!r:.80}")
    return value


def _values(data: dict[str, Any]) -> dict[str, Value]:
    return {name: value for name, value in data.items() if isinstance(value, bool | int | float | str)}


def _lines(path: str) -> Iterator[bytes]:
    try:
        raw: Any  # BufferedReader, which alone can peek
        with sys.stdin.buffer if path == "-" else Path(path).open("rb") as raw:
            if raw.peek(2)[:2] != _GZIP:
                yield from raw
                return
            with gzip.open(raw) as unpacked:
                yield from unpacked
    except (OSError, EOFError, zlib.error) as wrong:
        raise Refused(f"{path} cannot be read: {getattr(wrong, 'strerror', None) or wrong}") from None


def unknown_kinds(events: Iterable[Event]) -> list[str]:
    """Kinds in a stream that no device sends; rules never see them."""
    return sorted({event.kind for event in events} - set(CATALOGUE.facts))
