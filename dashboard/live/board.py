"""The open alerts, kept in memory as little marks: which channel an alert belongs to, and what it counts as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import select as sql_select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.auth.scope import Scope
from dashboard.look.priority import LISTED, TIERS, Tier, list_key, tier_of
from dashboard.reads.alerts import OPEN
from hub.store.centre_tables import Alert


@dataclass(frozen=True, slots=True)
class Mark:
    """What must be known of an open alert to count it and to say who may see it."""

    id: int
    version: int
    zone: str
    home: str
    queue: str
    tier: Tier
    listed: bool
    handling: str
    owner: str
    seen: tuple[str, ...]
    key: str

    @property
    def untaken(self) -> bool:
        """Nobody has it yet, and it is not put off."""
        return self.handling in {"new", "seen"}

    def as_list(self) -> list[object]:
        """The form in which live.js keeps it: id, version, priority, handling, owner, seen by, listed."""
        return [
            self.id,
            self.version,
            self.tier,
            self.handling,
            self.owner,
            list(self.seen),
            int(self.listed),
        ]


MARKED = (
    col(Alert.id),
    col(Alert.version),
    col(Alert.zone),
    col(Alert.home),
    col(Alert.queue),
    col(Alert.urgency),
    col(Alert.handling),
    col(Alert.owner),
    col(Alert.seen_by),
    col(Alert.at),
    col(Alert.area),
)
"""The columns of a mark: all open alerts are read as these, and only what is shown is read in full."""


async def read_marks(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[Mark]:
    """The marks of the open alerts that meet the conditions."""
    rows = (await session.exec(sql_select(*MARKED).where(OPEN, *conditions))).all()  # type: ignore[call-overload]
    return [mark_of(row) for row in rows]


def mark_of(alert: Any) -> Mark:
    """The mark of an alert, or of anything that has the columns of MARKED."""
    return Mark(
        id=alert.id or 0,
        version=alert.version,
        zone=alert.zone,
        home=alert.home,
        queue=alert.queue,
        tier=tier_of(alert.urgency, alert.queue),
        listed=alert.urgency in LISTED,
        handling=alert.handling,
        owner=alert.owner or "",
        seen=tuple(str(one["staff"]) for one in alert.seen_by),
        key=list_key(
            alert.urgency,
            alert.queue,
            alert.handling,
            alert.at,
            alert.id or 0,
            grouped=alert.area is not None,
        ),
    )


def admits(scope: Scope, mark: Mark) -> bool:
    """Whether a scope shows this alert."""
    return scope.admits(zone=mark.zone, home=mark.home, queue=mark.queue)


@dataclass(slots=True)
class Counts:
    """Open and untaken alarms by priority, and the open ones of the work list."""

    untaken: dict[str, int]
    open: dict[str, int]
    work: int = 0

    def add(self, mark: Mark, sign: int = 1) -> None:
        """Count an alert in, or out with -1."""
        if not mark.listed:
            self.work += sign
            return
        self.open[mark.tier] += sign
        self.untaken[mark.tier] += sign * mark.untaken

    def as_json(self) -> dict[str, object]:
        """The data of the `n` event."""
        return {"untaken": dict(self.untaken), "open": dict(self.open), "work": self.work}

    @property
    def total(self) -> int:
        """Open alarms with a row."""
        return sum(self.open.values())


def nothing() -> Counts:
    """All zero."""
    return Counts(dict.fromkeys(TIERS, 0), dict.fromkeys(TIERS, 0))


def count(marks: Iterable[Mark]) -> Counts:
    """Count from the beginning."""
    counts = nothing()
    for mark in marks:
        counts.add(mark)
    return counts


class Board:
    """All open alerts of the municipality, by number."""

    def __init__(self, marks: Iterable[Mark] = ()) -> None:
        self._open: dict[int, Mark] = {mark.id: mark for mark in marks}

    def replace(self, identity: int, now: Mark | None) -> Mark | None:
        """Put an alert's newest mark, None when it is resolved; answers the one before."""
        before = self._open.pop(identity, None)
        if now is not None:
            self._open[identity] = now
        return before

    def seen_by(self, scope: Scope) -> Iterator[Mark]:
        """The open alerts a scope admits."""
        return (mark for mark in self._open.values() if admits(scope, mark))

    def by_id(self) -> Mapping[int, Mark]:
        """All of them."""
        return self._open
