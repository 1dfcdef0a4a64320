"""Storing what several uplink messages held, in bulk: each entry exactly once, each lane's mark moved.

Rows go in as one statement a group, not as objects: an ORM session per event costs more than the disk
(reference: messaging, section 4.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre.intake.reading import Read, Sent
from hub.centre.intake.renumbered import renumbered
from hub.centre.intake.watermark import Mark, moved
from hub.store.centre_tables import Entry, Lane

LaneKey: TypeAlias = tuple[str, str, str]
"""Gateway, epoch, lane."""

ABOVE = 20_000
"""Numbers above a hole that are looked at in one go."""


@dataclass(slots=True)
class Stored:
    """What a group changed. new: entries that were not there, in order. conflicts: same number, other content."""

    new: list[tuple[LaneKey, Read]] = field(default_factory=list)
    conflicts: list[tuple[LaneKey, Read]] = field(default_factory=list)
    marks: dict[LaneKey, Mark] = field(default_factory=dict)


async def store(session: AsyncSession, group: Sequence[Sent], now: Millis) -> Stored:
    """Write a group of messages; the caller commits."""
    lanes = _by_lane(group)
    before = await _marks(session, lanes)
    outcome = Stored()
    for key, entries in lanes.items():
        known = await _known(session, key, before[key], entries)
        _sort_out(key, entries, known, outcome)
    again = await renumbered(session, outcome.new)
    fresh = _numbers(outcome.new)
    told = {(key, entry.number) for key, entry in again}
    outcome.new = [one for one in outcome.new if (one[0], one[1].number) not in told]
    await _insert(session, outcome.new, now)
    for key in lanes:
        above = fresh.get(key, [])
        if not before[key].whole:
            above = [*above, *await _above(session, key, before[key].upto)]
        outcome.marks[key] = moved(before[key], above, now)
    await _save(session, before, outcome.marks)
    return outcome


def _by_lane(group: Iterable[Sent]) -> dict[LaneKey, list[Read]]:
    lanes: dict[LaneKey, list[Read]] = {}
    for sent in group:
        lanes.setdefault((sent.gateway, sent.epoch, sent.lane), []).extend(sent.entries)
    return lanes


async def _marks(session: AsyncSession, lanes: Iterable[LaneKey]) -> dict[LaneKey, Mark]:
    keys = list(lanes)
    wanted = select(Lane).where(tuple_(col(Lane.gateway), col(Lane.epoch), col(Lane.lane)).in_(keys))
    found = {
        (row.gateway, row.epoch, row.lane): Mark(row.upto, row.gap_since)
        for row in (await session.exec(wanted)).all()
    }
    return {key: found.get(key, Mark()) for key in keys}


async def _known(
    session: AsyncSession, key: LaneKey, mark: Mark, entries: Sequence[Read]
) -> dict[int, tuple[str, Mapping[str, Any]]]:
    """What stands already under these numbers. Above an unbroken mark there is nothing, so nothing is asked."""
    numbers = {entry.number for entry in entries}
    if mark.whole:
        numbers = {number for number in numbers if number <= mark.upto}
    if not numbers:
        return {}
    wanted = select(Entry.number, Entry.type, Entry.body).where(
        Entry.gateway == key[0],
        Entry.epoch == key[1],
        Entry.lane == key[2],
        col(Entry.number).between(min(numbers), max(numbers)),
    )
    return {number: (type_, body) for number, type_, body in (await session.exec(wanted)).all()}


def _sort_out(
    key: LaneKey,
    entries: Sequence[Read],
    known: dict[int, tuple[str, Mapping[str, Any]]],
    outcome: Stored,
) -> None:
    for entry in entries:
        there = known.get(entry.number)
        if there is None:
            known[entry.number] = (entry.type, entry.body)
            outcome.new.append((key, entry))
        elif there != (entry.type, entry.body):
            outcome.conflicts.append((key, entry))


async def _insert(session: AsyncSession, new: Sequence[tuple[LaneKey, Read]], now: Millis) -> None:
    if not new:
        return
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(Entry.__table__).on_conflict_do_nothing(  # type: ignore[attr-defined]
        index_elements=["gateway", "epoch", "lane", "number"]
    )
    connection = await session.connection()
    await connection.execute(statement, [columns(key, entry, now) for key, entry in new])


def columns(key: LaneKey, entry: Read, now: Millis) -> dict[str, Any]:
    """An entry as a row of the journal."""
    at = now if entry.at is None else entry.at
    return {
        "gateway": key[0],
        "epoch": key[1],
        "lane": key[2],
        "number": entry.number,
        "type": entry.type,
        "event_id": entry.event.id if entry.event else None,
        "home": entry.home,
        "device": entry.device,
        "kind": entry.event.kind if entry.event else "",
        "at": at,
        "heard": at if entry.heard is None else entry.heard,
        "received": now,
        "body": entry.body,
    }


def _numbers(new: Iterable[tuple[LaneKey, Read]]) -> dict[LaneKey, list[int]]:
    numbers: dict[LaneKey, list[int]] = {}
    for key, entry in new:
        numbers.setdefault(key, []).append(entry.number)
    return numbers


async def _above(session: AsyncSession, key: LaneKey, upto: int) -> Sequence[int]:
    wanted = select(Entry.number).where(
        Entry.gateway == key[0], Entry.epoch == key[1], Entry.lane == key[2], Entry.number > upto
    )
    return (await session.exec(wanted.order_by(col(Entry.number)).limit(ABOVE))).all()


async def _save(session: AsyncSession, before: Mapping[LaneKey, Mark], marks: Mapping[LaneKey, Mark]) -> None:
    changed = [key for key, mark in marks.items() if mark != before[key] or not mark.upto]
    if not changed:
        return
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(Lane.__table__)  # type: ignore[attr-defined]
    upsert = statement.on_conflict_do_update(
        index_elements=["gateway", "epoch", "lane"],
        set_={name: statement.excluded[name] for name in ("upto", "gap_since")},
    )
    rows = [
        {
            "gateway": key[0],
            "epoch": key[1],
            "lane": key[2],
            "upto": marks[key].upto,
            "gap_since": marks[key].gap_since,
        }
        for key in changed
    ]
    connection = await session.connection()
    await connection.execute(upsert, rows)
