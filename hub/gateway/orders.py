"""Orders and their outcomes in the database: operations of the writer, once per order whatever is repeated."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from drivers.device_type import Result
from drivers.events import Millis, iso
from hub.gateway.journal import Appended, Line, append
from hub.uplink.messages import Order

UNKNOWN_OUTCOME = "we stopped while it was under way; whether the device carried it out is not known"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order went. outcome: done, refused, failed or expired. reason: one sentence, empty when done."""

    command: str
    outcome: str
    reason: str = ""


def begin(db: sqlite3.Connection, order: Order, now: Millis) -> bool:
    """Write down that this order is under way, before a byte leaves; False when it was received before."""
    row = db.execute(
        "INSERT INTO received_command"
        " (id, home, device, name, args, asked_by, reason, expires, received, status, answer)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'under_way', '') ON CONFLICT (id) DO NOTHING",
        (order.id, order.home, order.device, order.name, orjson.dumps(order.args).decode(), order.asked_by,
         order.reason, order.expires, now),
    )  # fmt: skip
    return row.rowcount == 1


def settle(db: sqlite3.Connection, outcome: Outcome, now: Millis) -> Appended | None:
    """Write an outcome down and send it up, once.

    A device may answer after we gave up on it: then what it says corrects what we said, in a line of its own.
    None when there is nothing new, or when nobody here asked for this command.
    """
    query = "SELECT status, home, device, name, asked_by, reason FROM received_command WHERE id = ?"
    known = db.execute(query, (outcome.command,)).fetchone()
    if known is None or known[0] not in {"under_way", "failed"} or known[0] == outcome.outcome:
        return None
    status, home, device, name, asked_by, why = known
    db.execute(
        "UPDATE received_command SET status = ?, settled = ?, answer = ? WHERE id = ?",
        (outcome.outcome, now, outcome.reason, outcome.command),
    )
    asked = {"name": name, "asked_by": asked_by, "why": why}
    return append(db, _line(outcome, home, device, asked, now, late=status == "failed"))


def outcome_of(result: Result) -> Outcome:
    """What a device's answer means for the order."""
    return Outcome(result.command, result.outcome, result.reason)


def cut_off(db: sqlite3.Connection, now: Millis) -> Sequence[Appended]:
    """After a restart: orders that were under way end as failed, with the honest reason; none is sent again."""
    rows = db.execute(
        "SELECT id FROM received_command WHERE status = 'under_way' ORDER BY received"
    ).fetchall()
    settled = [settle(db, Outcome(row[0], "failed", UNKNOWN_OUTCOME), now) for row in rows]
    return [line for line in settled if line is not None]


def _line(
    outcome: Outcome, home: str, device: str, asked: Mapping[str, str], now: Millis, *, late: bool
) -> Line:
    """On the wire an order that came too late was refused; the reason says why."""
    said = "refused" if outcome.outcome == "expired" else outcome.outcome
    body = {
        "command": outcome.command,
        "outcome": said,
        "reason": outcome.reason,
        "home": home,
        "device": device,
        "at": iso(now),
        **asked,
    }
    once = f"result:{outcome.command}" + (":late" if late else "")
    return Line(
        type="result",
        lane="care",
        body=orjson.dumps(body),
        at=now,
        heard=now,
        once=once,
        home=home,
        device=device,
    )
