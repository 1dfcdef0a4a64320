"""Turn changes into frames for one level of redaction and one language; each is made once and shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dashboard.auth.scope import Redaction
from dashboard.live.frames import frame
from dashboard.look.rows import Row, row_of
from dashboard.look.words import Language
from dashboard.reads.alerts import Told
from drivers.events import Millis

WriteRow = Callable[[Row, Language], str]
"""Renders a row's HTML; the page and the stream use the same template."""


class Telling:
    """The frames of one batch, made when the first channel needs them."""

    def __init__(self, told: Mapping[int, Told], now: Millis, write: WriteRow) -> None:
        self._told = told
        self._now = now
        self._write = write
        self._made: dict[tuple[int, str, str, str], bytes] = {}

    def row(self, alert: int, op: str, redaction: Redaction, language: Language, identity: str) -> bytes:
        """The `a` frame of one alert: op is put, add or del."""
        key = (alert, op, redaction, language)
        if key not in self._made:
            row = row_of(self._told[alert], redaction, language, self._now)
            self._made[key] = frame("a", row_body(row, op, self._write(row, language)), identity)
        return self._made[key]


def row_body(row: Row, op: str, html: str) -> dict[str, object]:
    """One row as live.js takes it, from the stream or as the answer to an action."""
    return {
        "op": op,
        "id": row.id,
        "key": row.key,
        "ver": row.version,
        "list": row.list,
        "home": row.home,
        "tier": row.tier,
        "handling": row.handling,
        "owner": row.owner,
        "seen": row.seen,
        "name": row.name,
        "html": html,
    }


def gone(alert: int, identity: str) -> bytes:
    """The frame that takes a row away of which nothing more may be said."""
    return frame("a", {"op": "del", "id": alert}, identity)
