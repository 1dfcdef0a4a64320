"""The outbox: what still has to go up, lane by lane, and what the centre has said it holds.

Every journal line is an outbox entry; two marks a lane tell where it stands: `last`, the last number given, and
`acked`, the last one the centre has committed without a hole before it. Nothing above `acked` is forgotten.
The functions are operations of the writer; `LaneCursor` is the memory of what was sent and not yet acknowledged.
"""

from __future__ import annotations

import random
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.gateway.journal import next_number
from hub.uplink.messages import LANES, MAX_BATCH, MAX_SPANS, Ack, LaneName, Span

MAX_BYTES = 200_000
"""Bytes of entries in one batch; the embedded broker takes 1 MB, and an alarm waits behind at most one batch."""

WINDOW = 2 * MAX_BATCH
"""Entries of a lane that may be under way without an acknowledgement."""

FIRST_WAIT, LONGEST_WAIT = 3.0, 60.0
"""Seconds (real) without an acknowledgement before entries are sent again, doubling each time."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a lane stands: the last number given, the last number acknowledged."""

    last: int
    acked: int


@dataclass(frozen=True, slots=True)
class Entries:
    """Consecutive entries of one lane, ready for the wire. more: others may follow."""

    lane: LaneName
    first: int
    last: int
    text: bytes
    more: bool


@dataclass(slots=True)
class LaneCursor:
    """How far one lane was sent since the connection was made. Times are seconds of the loop's clock.

    shown: the highest number sent in this run. checked: up to here the centre has compared, in this run, what we say
    under these numbers with what it has; apart: spans above that it has compared too.
    """

    acked: int = 0
    sent: int = 0
    pending: bool = True
    tries: int = 0
    since: float = 0.0
    jitter: float = 1.0
    heard_back: int | None = None
    shown: int = 0
    checked: int = 0
    apart: list[Span] = field(default_factory=list)

    @property
    def under_way(self) -> int:
        """Entries sent and not acknowledged."""
        return self.sent - self.acked

    def can_send(self) -> bool:
        """Whether there may be something to send and room for it in the window."""
        return self.pending and self.under_way < WINDOW

    def resend_at(self) -> float | None:
        """When silence of the centre has lasted too long; None while nothing is under way."""
        return None if self.under_way == 0 else self.since + self._wait()

    def sent_up_to(self, number: int, now: float, *, more: bool) -> None:
        """Remember what went out."""
        if self.under_way == 0:
            self.since = now
        self.sent = max(self.sent, number)
        self.shown = max(self.shown, number)
        self.pending = self.pending or more

    def believed(self, upto: int, got: Sequence[Span] | None) -> int:
        """How far an acknowledgement speaks of our own entries.

        Of an old copy the centre knows more numbers than this box has said, with other content: what it has not
        compared in this run does not count. got: None from a centre that does not tell; then what was sent counts.
        """
        if got is None:
            return min(upto, max(self.shown, self.acked))
        self.checked = max(self.checked, self.acked)
        self.apart = sorted((*self.apart, *got))
        for first, last in self.apart:
            if first <= self.checked + 1:
                self.checked = max(self.checked, last)
        self.apart = [span for span in self.apart if span[1] > self.checked][:MAX_SPANS]
        return min(upto, self.checked)

    def acknowledged(self, upto: int, now: float, *, held: int | None = None) -> None:
        """The centre holds everything up to here, and `held` of it is ours for certain. Only progress counts."""
        self.heard_back = upto
        ours = upto if held is None else held
        if ours <= self.acked:
            return
        self.acked, self.sent = ours, max(self.sent, ours)
        self.tries, self.since = 0, now

    def start_over(self) -> None:
        """Nothing was ever sent: the numbers are new."""
        self.acked = self.shown = self.checked = 0
        self.heard_back, self.apart = None, []

    @property
    def lacking(self) -> bool:
        """Whether the centre, by its last word, holds less than it once did: it was restored from a backup."""
        return self.heard_back is not None and self.heard_back < self.acked

    def go_back(self, now: float) -> None:
        """Send again what the centre lacks."""
        if self.heard_back is not None and self.lacking:
            self.acked = self.heard_back
            self.checked, self.apart = self.acked, []
        self.rewind(now, patient=True)

    def rewind(self, now: float, *, patient: bool) -> None:
        """Send again from the last acknowledged number; patient: wait longer before the next time."""
        self.sent, self.pending, self.since = self.acked, True, now
        self.tries = self.tries + 1 if patient else 0
        self.jitter = random.uniform(0.8, 1.2)

    def _wait(self) -> float:
        return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self.tries, 10)) * self.jitter


@dataclass(slots=True)
class Cursors:
    """The cursors of all lanes, and which of them may send now."""

    lanes: Mapping[LaneName, LaneCursor] = field(
        default_factory=lambda: {lane: LaneCursor() for lane in LANES}
    )

    def next_to_send(self) -> LaneName | None:
        """The most important lane with something to send: the alarm lane never waits for another."""
        return next((lane for lane in LANES if self.lanes[lane].can_send()), None)

    def next_resend(self) -> float | None:
        """When the first lane is to be sent again, seconds of the loop's clock."""
        return min(
            (due for cursor in self.lanes.values() if (due := cursor.resend_at()) is not None), default=None
        )

    def lacking(self, now: float) -> list[LaneName]:
        """Lanes of which the centre lacks something; where entries are under way, only when no answer helped."""
        return [
            lane
            for lane, cursor in self.lanes.items()
            if cursor.lacking and ((due := cursor.resend_at()) is None or due <= now)
        ]

    def rewind_overdue(self, now: float) -> None:
        """Send again what has waited too long."""
        for cursor in self.lanes.values():
            due = cursor.resend_at()
            if due is not None and due <= now:
                cursor.rewind(now, patient=True)

    def rewind_all(self, now: float) -> None:
        """After a new connection nothing can be taken as under way."""
        for cursor in self.lanes.values():
            cursor.rewind(now, patient=False)


# ---------------------------------------------------------------- operations of the writer


def epoch(db: sqlite3.Connection) -> str:
    """The epoch of this database; made on first use."""
    row = db.execute("SELECT value FROM store_note WHERE name = 'epoch'").fetchone()
    if row is not None:
        return str(row[0])
    made = secrets.token_hex(8)
    db.execute("INSERT INTO store_note (name, value) VALUES ('epoch', ?)", (made,))
    return made


def marks(db: sqlite3.Connection) -> dict[LaneName, Mark]:
    """Where every lane stands."""
    rows = db.execute("SELECT lane, last, acked FROM lane_mark").fetchall()
    return {lane: Mark(last, acked) for lane, last, acked in rows}


def take(db: sqlite3.Connection, lane: LaneName, after: int) -> Entries | None:
    """The entries that follow a number, as many as fit one batch; None if there are none.

    A hole (entries pruned because a centre had acknowledged them, which it has since forgotten) is stepped over;
    the centre sees it by the numbers and says so.
    """
    rows = _numbered(db, lane, after)
    if lane == "telemetry" and len(rows) <= MAX_BATCH:
        _number_telemetry(db, MAX_BATCH + 1 - len(rows))
        rows = _numbered(db, lane, after)
    chosen = _fitting(rows)
    if not chosen:
        return None
    text = ",".join(f'{{"number":{number},"type":"{kind}","body":{body}}}' for number, kind, body in chosen)
    return Entries(lane, chosen[0][0], chosen[-1][0], text.encode(), more=len(rows) > len(chosen))


def acknowledge(db: sqlite3.Connection, ack: Ack, held: int | None = None) -> Mark | None:
    """Note what the centre holds; None when it holds more than we ever sent: this database is an old copy.

    held: how much of it is ours for certain (LaneCursor.believed). The word of an epoch that is over changes nothing.
    """
    if ack.epoch != epoch(db):
        return marks(db)[ack.lane]
    row = db.execute(
        "UPDATE lane_mark SET acked = max(acked, ?) WHERE lane = ? AND last >= ? RETURNING last, acked",
        (ack.upto if held is None else held, ack.lane, ack.upto),
    ).fetchone()
    return None if row is None else Mark(*row)


def go_back(db: sqlite3.Connection, lane: LaneName, upto: int) -> int:
    """Note that the centre holds a lane no further than this, so that nothing above is forgotten.

    Gives how many of the entries above are gone from here: they were acknowledged, and pruned.
    """
    db.execute("UPDATE lane_mark SET acked = min(acked, ?) WHERE lane = ?", (upto, lane))
    return missing(db, lane)


def missing(db: sqlite3.Connection, lane: LaneName) -> int:
    """How many numbers between the two marks of a lane have no entry any more; 0 while nothing went wrong."""
    row = db.execute(
        "SELECT last - acked - (SELECT count(*) FROM journal j WHERE j.lane = m.lane AND j.number > m.acked)"
        " FROM lane_mark m WHERE lane = ?",
        (lane,),
    ).fetchone()
    return int(row[0]) if row else 0


def begin_epoch(db: sqlite3.Connection) -> str:
    """Start a new epoch: what the centre has not acknowledged is numbered anew from 1, lane by lane.

    For a database that was restored or copied: its numbers would say other things than the centre remembers.
    """
    made = secrets.token_hex(8)
    db.execute("INSERT OR REPLACE INTO store_note (name, value) VALUES ('epoch', ?)", (made,))
    for lane, mark in marks(db).items():
        db.execute("UPDATE journal SET number = -seq WHERE lane = ? AND number <= ?", (lane, mark.acked))
        rows = db.execute(
            "SELECT seq FROM journal WHERE lane = ? AND number > 0 ORDER BY number", (lane,)
        ).fetchall()
        db.executemany(
            "UPDATE journal SET number = ? WHERE seq = ?", [(n, row[0]) for n, row in enumerate(rows, 1)]
        )
        db.execute("UPDATE lane_mark SET last = ?, acked = 0 WHERE lane = ?", (len(rows), lane))
    return made


def batch_json(epoch_id: str, entries: Entries, run: str = "") -> bytes:
    """A hub.uplink.messages.Batch as JSON; the entries' bodies are JSON already."""
    named = b'"run":"%s",' % run.encode() if run else b""
    return b'{"epoch":"%s",%s"entries":[%s]}' % (epoch_id.encode(), named, entries.text)


def _numbered(db: sqlite3.Connection, lane: LaneName, after: int) -> list[tuple[int, str, str]]:
    return db.execute(
        "SELECT number, type, body FROM journal WHERE lane = ? AND number > ? ORDER BY number LIMIT ?",
        (lane, after, MAX_BATCH + 1),
    ).fetchall()


def _number_telemetry(db: sqlite3.Connection, most: int) -> None:
    """Number so much telemetry, now that it is about to be sent and cannot be evicted any more.

    One more than a batch holds, so that `more` says whether a backlog is left.
    """
    free = db.execute(
        "SELECT seq FROM journal WHERE lane = 'telemetry' AND number IS NULL ORDER BY seq LIMIT ?",
        (most,),
    ).fetchall()
    for (seq,) in free:
        db.execute("UPDATE journal SET number = ? WHERE seq = ?", (next_number(db, "telemetry"), seq))


def _fitting(rows: Sequence[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """The first rows without a hole between them that fit one message; at least one."""
    chosen: list[tuple[int, str, str]] = []
    size = 0
    for row in rows[:MAX_BATCH]:
        size += len(row[2]) + 60
        if chosen and (size > MAX_BYTES or row[0] != chosen[-1][0] + 1):
            break
        chosen.append(row)
    return chosen
