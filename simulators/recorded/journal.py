"""A recorded journal: events as JSON lines, as `trygghub decode`, `--dry` and the hub's exports write them.

    {"id": "…", "at": "2026-01-15T12:00:00.000Z", "heard": "…", "home": "h1", "device": "front-lock",
     "kind": "door.opened", "data": {…}}

`heard` decides when a line is played, so that what was late is late again. A file may be gzipped, and is read line
by line: it may be larger than memory. A gateway's own database is read too: its table `journal` holds these lines in
`body` where `type` is `event`; nothing in it is changed, and the gateway may be at work meanwhile.
"""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

Millis = int

LONGEST_LINE = 65_536
ZIPPED, DATABASE = b"\x1f\x8b", b"SQLite format 3\x00"
"""How such files begin, whatever their names."""
RECORDED = "SELECT body FROM journal WHERE type = 'event' ORDER BY seq"
ID = re.compile(r"[a-z0-9_-]{1,64}")
KIND = re.compile(r"[a-z0-9_]{1,32}\.[a-z0-9_]{1,32}")


class RecordedError(ValueError):
    """A journal that cannot be played; the text says which line and why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event. Times in ms UTC."""

    number: int
    at: Millis
    heard: Millis
    home: str
    device: str
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A journal in a file."""

    path: Path

    def lines(self) -> Iterator[Line]:
        """Its events in the order of the file; a gateway's own facts are left out. Raises RecordedError."""
        try:
            for number, raw in enumerate(self._raw(), start=1):
                if raw.strip():
                    line = _read(raw, number)
                    if not line.kind.startswith("gateway."):
                        yield line
        except (OSError, EOFError, zlib.error) as wrong:
            why = getattr(wrong, "strerror", None) or wrong
            raise RecordedError(f"{self.path} cannot be read: {why}") from None
        except sqlite3.Error as wrong:
            raise RecordedError(f"{self.path} is no gateway's database: {wrong}") from None

    def devices(self) -> dict[tuple[str, str], list[str]]:
        """Home and device → the classes of what it said, the first one first."""
        found: dict[tuple[str, str], list[str]] = {}
        for line in self.lines():
            said = found.setdefault((line.home, line.device), [])
            name = line.kind.partition(".")[0]
            if name not in said:
                said.append(name)
        return found

    def summary(self) -> str:
        """How much there is, and from when to when."""
        count, first, last, homes = 0, None, None, set()
        for line in self.lines():
            count, first, last = count + 1, first if first is not None else line.heard, line.heard
            homes.add(line.home)
        if first is None or last is None:
            return "no events"
        return f"{count} events of {len(homes)} homes, {_iso(first)} to {_iso(last)}"

    def _raw(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            begins = file.read(len(DATABASE))
        return self._rows() if begins == DATABASE else self._file_lines(zipped=begins.startswith(ZIPPED))

    def _file_lines(self, *, zipped: bool) -> Iterator[bytes]:
        opened = cast("IO[bytes]", gzip.open(self.path) if zipped else self.path.open("rb"))  # noqa: SIM115
        with opened as file:
            yield from iter(lambda: file.readline(LONGEST_LINE + 1), b"")

    def _rows(self) -> Iterator[bytes]:
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows: Iterable[tuple[str | bytes]] = database.execute(RECORDED)
            yield from (body.encode() if isinstance(body, str) else bytes(body) for (body,) in rows)


def _read(raw: bytes, number: int) -> Line:
    if len(raw) > LONGEST_LINE:
        raise RecordedError(f"line {number}: a line has at most {LONGEST_LINE} bytes")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise RecordedError(f"line {number}: an event is a JSON object, not {raw[:60]!r}") from None
    if not isinstance(found, dict):
        raise RecordedError(f"line {number}: an event is a JSON object, not {raw[:60]!r}")
    at = _time(found.get("at"), number)
    data = found.get("data", {})
    if not isinstance(data, dict):
        raise RecordedError(f"line {number}: 'data' is an object, not {data!r:.60}")
    return Line(
        number,
        at,
        max(at, _time(found.get("heard", found.get("at")), number)),
        _word(found, "home", ID, number),
        _word(found, "device", ID, number),
        _word(found, "kind", KIND, number),
        data,
    )


def _word(found: dict[str, Any], name: str, shape: re.Pattern[str], number: int) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise RecordedError(f"line {number}: {name!r} is written like {shape.pattern}, not {value!r:.60}")
    return value


def _time(written: object, number: int) -> Millis:
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise RecordedError(
            f"line {number}: a time is ISO 8601 with an offset or whole ms, not {written!r:.60}"
        )
    return round(moment.timestamp() * 1000)


def _iso(at: Millis) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
