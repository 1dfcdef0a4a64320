"""The gateway's journal: append-only lines, each event once, each line numbered for its lane of the outbox.

Functions here are operations of the writer (hub.store.writer): they take its connection and run inside its
transaction, so a line, its frame, its number and what the decoder remembers are written together or not at all.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from drivers.events import Event, Frame, Millis
from hub.gateway import lanes
from hub.uplink.messages import LANES, EntryType, LaneName

KEPT_BYTES = 4096
"""Of a longer frame only the first bytes are kept; its true size is noted."""

SAME_REPORT: Millis = 600_000
"""Two reports with one id and other times, this far apart, are two events: the device counts anew."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line to be appended. once: see JournalRow. Times in ms UTC."""

    type: EntryType
    lane: LaneName
    body: bytes
    at: Millis
    heard: Millis
    once: str | None = None
    home: str = ""
    device: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a line stands in the journal; new: False when it stood there before."""

    seq: int
    lane: LaneName
    new: bool


@dataclass(frozen=True, slots=True)
class Noted:
    """An event as the journal has it: its id may have grown when the device used one id for two events."""

    seq: int
    event: Event
    new: bool


def line_of(event: Event) -> Line:
    """The journal line of an event."""
    return Line(
        type="event",
        lane=lanes.of_event(event.kind),
        body=orjson.dumps(event.as_json()),
        at=event.at,
        heard=event.heard,
        once=f"event:{event.id}",
        home=event.home,
        device=event.device,
        kind=event.kind,
    )


def health_line(what: str, nb: str, en: str, now: Millis, **data: Any) -> Line:
    """A line about the gateway's own condition, in words for people and data for programs.

    The centre makes a technical alert of it, unless `data` says `over` (it is past) or `note` (nobody need act).
    `urgency` (high, moderate, low) and `staff_action` ({nb, en}) in `data` are taken over into the alert.
    """
    body = orjson.dumps({"what": what, "says": {"nb": nb, "en": en}, "data": data})
    return Line(type="health", lane="technical", body=body, at=now, heard=now)


def append(db: sqlite3.Connection, line: Line, frame: int | None = None) -> Appended:
    """Append a line unless it is there already; give it its number in its lane."""
    if line.once is not None:
        found = db.execute("SELECT seq FROM journal WHERE once = ?", (line.once,)).fetchone()
        if found is not None:
            return Appended(found[0], line.lane, new=False)
    number = None if line.lane == "telemetry" else next_number(db, line.lane)
    row = db.execute(
        "INSERT INTO journal (type, once, lane, number, home, device, kind, at, heard, frame, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (line.type, line.once, line.lane, number, line.home, line.device, line.kind, line.at, line.heard, frame,
         line.body.decode()),
    )  # fmt: skip
    return Appended(row.lastrowid or 0, line.lane, new=True)


def next_number(db: sqlite3.Connection, lane: LaneName) -> int:
    """Count one on in a lane."""
    row = db.execute("UPDATE lane_mark SET last = last + 1 WHERE lane = ? RETURNING last", (lane,)).fetchone()
    return int(row[0])


def append_event(db: sqlite3.Connection, event: Event, *, given: bool, frame: int | None = None) -> Noted:
    """Append an event once per id; an id that comes back with other content is another event, never lost.

    given: `event.at` is the device's own word, so two reports with one id can be told apart by it.
    """
    known = _known(db, event.id)
    if known is not None and _another(event, known[1], given=given):
        event = replace(event, id=f"{event.id}~{_digest(event, given=given)}")
        known = _known(db, event.id)
    if known is not None:
        return Noted(known[0], event, new=False)
    return Noted(append(db, line_of(event), frame).seq, event, new=True)


def append_frame(db: sqlite3.Connection, frame: Frame) -> int:
    """Keep a frame's bytes; gives the number that journal lines refer to."""
    row = db.execute(
        "INSERT INTO frame (link, address, channel, payload, size, heard) VALUES (?, ?, ?, ?, ?, ?)",
        (
            frame.link,
            frame.address,
            frame.channel,
            frame.payload[:KEPT_BYTES],
            len(frame.payload),
            frame.heard,
        ),
    )
    return row.lastrowid or 0


def ensure_marks(db: sqlite3.Connection) -> None:
    """Make the rows that exist once: a mark for each lane, the engine's place in the journal."""
    db.executemany(
        "INSERT OR IGNORE INTO lane_mark (lane, last, acked) VALUES (?, 0, 0)", [(x,) for x in LANES]
    )
    db.execute("INSERT OR IGNORE INTO engine_state (id, judged, covers, snapshot) VALUES (1, 0, 0, 'null')")


def last_heard(db: sqlite3.Connection) -> Millis:
    """When the newest line was heard: time cannot be earlier than that now. 0 in an empty journal."""
    row = db.execute("SELECT heard FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def heard_upto(db: sqlite3.Connection, seq: int) -> Millis:
    """When the newest event up to a line was heard; 0 if there is none."""
    row = db.execute(
        "SELECT heard FROM journal WHERE seq <= ? AND type = 'event' ORDER BY seq DESC LIMIT 1", (seq,)
    ).fetchone()
    return int(row[0]) if row else 0


def events_after(db: sqlite3.Connection, seq: int, limit: int) -> Sequence[tuple[int, Event]]:
    """Events that follow a journal line, in order, each with its own line number."""
    rows = db.execute(
        "SELECT seq, at, heard, body FROM journal WHERE seq > ? AND type = 'event' ORDER BY seq LIMIT ?",
        (seq, limit),
    )
    return [(line, event_from(orjson.loads(body), at, heard)) for line, at, heard, body in rows]


def events_since(db: sqlite3.Connection, heard: Millis, upto: int) -> Sequence[Event]:
    """Events heard from a moment on, up to a journal line, in order."""
    rows = db.execute(
        "SELECT at, heard, body FROM journal WHERE heard >= ? AND seq <= ? AND type = 'event' ORDER BY seq",
        (heard, upto),
    )
    return [event_from(orjson.loads(body), at, when) for at, when, body in rows]


def event_from(body: Mapping[str, Any], at: Millis, heard: Millis) -> Event:
    """An event from its journal body and the times of its line."""
    return Event(
        id=body["id"],
        at=at,
        heard=heard,
        home=body["home"],
        device=body["device"],
        kind=body["kind"],
        data=body["data"],
    )


def _known(db: sqlite3.Connection, event_id: str) -> tuple[int, Event] | None:
    row = db.execute(
        "SELECT seq, at, heard, body FROM journal WHERE once = ?", (f"event:{event_id}",)
    ).fetchone()
    return None if row is None else (row[0], event_from(orjson.loads(row[3]), row[1], row[2]))


def _another(event: Event, known: Event, *, given: bool) -> bool:
    if (event.kind, dict(event.data)) != (known.kind, dict(known.data)):
        return True
    return given and known.at != known.heard and abs(event.at - known.at) > SAME_REPORT


def _digest(event: Event, *, given: bool) -> str:
    """Tell apart what the device itself said; our own stamp would make every repetition a new event."""
    said = [event.kind, dict(event.data), event.at if given else None]
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
