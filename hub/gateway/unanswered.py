"""An unlocking that nobody answered: from then on nobody knows where the bolt is, and the rules must know that.

The centre marks the state it shows (hub.centre.unanswered); this is the same for who judges in the home. A lock that
has spoken since it was asked is believed instead. Locking that was not answered changes nothing here: the door was
unlocked before, and stays so for the rules until the lock says otherwise.
"""

from __future__ import annotations

import sqlite3

from drivers.events import Event, Millis
from hub.gateway.journal import Noted, append_event

OPENINGS = frozenset({"unlock", "unlatch"})
AN_ANSWER = ("lock.unlocked", "lock.jammed", "lock.unknown")
"""What a lock says of an opening by itself; "locked" while it is under way says nothing of how it ends."""
REASON = "it was asked to unlock and did not answer"
LOOKED_BACK = 5000
"""Lines of the journal in which an answer is looked for; an order lives for seconds."""


def bolt_unknown(db: sqlite3.Connection, command: str, now: Millis) -> Noted | None:
    """Journal that the bolt is unknown, once, after an opening that failed; None where that is not so."""
    query = "SELECT home, device, name, received, status FROM received_command WHERE id = ?"
    row = db.execute(query, (command,)).fetchone()
    if row is None or row[2] not in OPENINGS or row[4] != "failed" or _has_spoken(db, row[1], row[3]):
        return None
    event = Event(f"{row[1]}:{command}", now, now, row[0], row[1], "lock.unknown", {"reason": REASON})
    return append_event(db, event, given=False)


def _has_spoken(db: sqlite3.Connection, device: str, since: Millis) -> bool:
    """Whether the lock said what became of its bolt since then."""
    lately = f"SELECT device, kind, heard FROM journal ORDER BY seq DESC LIMIT {LOOKED_BACK}"  # noqa: S608
    places = ", ".join("?" * len(AN_ANSWER))
    query = f"SELECT 1 FROM ({lately}) WHERE device = ? AND heard >= ? AND kind IN ({places}) LIMIT 1"  # noqa: S608
    return db.execute(query, (device, since, *AN_ANSWER)).fetchone() is not None
