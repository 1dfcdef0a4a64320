"""What a resident's timeline is made of: journal entries and the lines of the home's alerts, newest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.store.centre_tables import Alert, AlertLine, Device, Entry


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the timeline: time, then source (`e`ntry or alert `l`ine), then number."""

    at: int
    source: str
    number: int

    def text(self) -> str:
        """As it stands in a page's address."""
        return f"{self.at}.{self.source}.{self.number}"


def place_from(text: str) -> Place | None:
    """Read a place from an address; None if it is none."""
    parts = text.split(".")
    if len(parts) != 3 or parts[1] not in {"e", "l"}:
        return None
    at, number = parts[0], parts[2]
    if not (at.isascii() and at.isdigit() and number.isascii() and number.isdigit()):
        return None
    return Place(int(at), parts[1], int(number)) if len(at) < 16 and len(number) < 19 else None


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the timeline: a journal entry, or a line of an alert with its alert."""

    place: Place
    entry: Entry | None = None
    line: AlertLine | None = None
    alert: Alert | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter: which entry types and classes of kind, and whether the alerts' lines. Empty means all.

    without: ends of kinds left out, `heartbeat`; not_of: classes left out; late: whether decisions that
    only say that something came too late are told; asking: whether answers to a mere question for the state are.
    """

    types: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    not_of: tuple[str, ...] = ()
    late: bool = True
    asking: bool = True
    entries: bool = True
    lines: bool = True


async def happenings(
    session: AsyncSession,
    home: str,
    wanted: Wanted,
    before: Place | None,
    limit: int,
    queues: Collection[str],
) -> list[Happening]:
    """At most `limit` happenings of a home older than a place, newest first."""
    found: list[Happening] = []
    if wanted.entries:
        found += [
            Happening(Place(entry.at, "e", entry.seq or 0), entry=entry)
            for entry in await _entries(session, home, wanted, before, limit)
        ]
    if wanted.lines:
        found += [
            Happening(Place(line.at, "l", line.id or 0), line=line, alert=alert)
            for line, alert in await _lines(session, home, before, limit, queues)
        ]
    return sorted(found, key=lambda one: one.place, reverse=True)[:limit]


async def _entries(
    session: AsyncSession, home: str, wanted: Wanted, before: Place | None, limit: int
) -> Sequence[Entry]:
    older = _older(col(Entry.at), col(Entry.seq), "e", before)
    query = select(Entry).where(col(Entry.home) == home, *older)
    if wanted.types:
        query = query.where(col(Entry.type).in_(wanted.types))
    if wanted.classes:
        of_class = select(Device.id).where(col(Device.device_class).in_(wanted.classes))
        results = and_(col(Entry.type) == "result", col(Entry.device).in_(of_class))
        kinds = [col(Entry.kind).startswith(f"{name}.") for name in wanted.classes]
        query = query.where(or_(*kinds, results))
    for fact in wanted.without:
        query = query.where(col(Entry.kind).not_like(f"%.{fact}"))
    for name in wanted.not_of:
        query = query.where(col(Entry.kind).not_like(f"{name}.%"))
    if not wanted.late:
        action = func.coalesce(col(Entry.body)["action"].as_string(), "")
        query = query.where(or_(col(Entry.type) != "decision", action != "late"))
    if not wanted.asking:
        asked = func.coalesce(col(Entry.body)["name"].as_string(), "")
        query = query.where(or_(col(Entry.type) != "result", asked != "state"))
    newest_first = query.order_by(col(Entry.at).desc(), col(Entry.seq).desc()).limit(limit)
    return (await session.exec(newest_first)).all()


async def _lines(
    session: AsyncSession, home: str, before: Place | None, limit: int, queues: Collection[str]
) -> Sequence[tuple[AlertLine, Alert]]:
    older = _older(col(AlertLine.at), col(AlertLine.id), "l", before)
    query = (
        select(AlertLine, Alert)
        .where(col(AlertLine.alert) == col(Alert.id), col(Alert.home) == home, *older)
        .where(col(Alert.queue).in_(queues))
        .order_by(col(AlertLine.at).desc(), col(AlertLine.id).desc())
        .limit(limit)
    )
    return (await session.exec(query)).all()


def _older(at: Any, number: Any, source: str, before: Place | None) -> list[ColumnElement[bool]]:
    """Everything older than a place, in the order of (at, source, number)."""
    if before is None:
        return []
    if source < before.source:
        return [at <= before.at]
    if source > before.source:
        return [at < before.at]
    return [or_(at < before.at, and_(at == before.at, number < before.number))]


async def entries_of(session: AsyncSession, events: Collection[str], home: str) -> list[Entry]:
    """The journal entries of these event ids; only those of the home itself."""
    if not events:
        return []
    query = select(Entry).where(
        col(Entry.event_id).in_(events), col(Entry.type) == "event", col(Entry.home) == home
    )
    return list((await session.exec(query)).all())


async def lines_of(session: AsyncSession, alert: int) -> list[AlertLine]:
    """An alert's timeline, oldest first."""
    query = select(AlertLine).where(AlertLine.alert == alert).order_by(col(AlertLine.at), col(AlertLine.id))
    return list((await session.exec(query)).all())
