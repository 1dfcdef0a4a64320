"""Entries that a gateway sends again under new numbers, because it began a new epoch: known by what they say.

A gateway put back from a backup, or set right after the centre was, numbers anew what it does not know to be here.
One that works on an old copy of its database numbers anew what devices tell it again, before it knows what it is.
Their numbers count, so that the lane goes on; no second line is written and nothing is carried out twice. The time of
hearing does not tell two events apart: a device that repeats itself until it is answered may still do so afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.centre.intake.reading import Read
from hub.store.centre_tables import Entry, Lane

LaneKey: TypeAlias = tuple[str, str, str]
Numbered: TypeAlias = tuple[LaneKey, Read]


async def renumbered(session: AsyncSession, new: Sequence[Numbered]) -> list[Numbered]:
    """Those that stand under another number of the same gateway, saying the same."""
    if not new:
        return []
    others = await _with_other_epochs(session, {key[:2] for key, _ in new})
    twice = await _said_before(session, new)
    asked = [
        (key, entry)
        for key, entry in new
        if entry.home and entry.at is not None and (key[:2] in others or _event_id(entry) in twice)
    ]
    if not asked:
        return []
    known = await _known(session, asked)
    return [(key, entry) for key, entry in asked if _stands(key, entry, known)]


def _event_id(entry: Read) -> str | None:
    return entry.event.id if entry.event else None


async def _said_before(session: AsyncSession, new: Sequence[Numbered]) -> set[str]:
    """Ids of events that stand here, or come twice now. A gateway says each once, unless it is an old copy."""
    ids = Counter(entry.event.id for _, entry in new if entry.event)
    if not ids:
        return set()
    wanted = select(Entry.event_id).where(
        col(Entry.event_id).in_(ids), col(Entry.gateway).in_({key[0] for key, _ in new})
    )
    here = {one for one in (await session.exec(wanted)).all() if one is not None}
    return here | {one for one, times in ids.items() if times > 1}


async def _with_other_epochs(session: AsyncSession, epochs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Few gateways ever have a second epoch; for the others nothing is asked."""
    wanted = select(Lane.gateway, Lane.epoch).where(col(Lane.gateway).in_({one for one, _ in epochs}))
    rows = set((await session.exec(wanted.distinct())).all())
    return {mine for mine in epochs if any(one[0] == mine[0] and one != mine for one in rows)}


async def _known(session: AsyncSession, asked: Sequence[Numbered]) -> dict[tuple[Any, ...], list[Any]]:
    """Bodies of the lines of these homes at these moments, by gateway, home, moment and type."""
    places = {(entry.home, entry.at) for _, entry in asked}
    wanted = select(Entry).where(tuple_(col(Entry.home), col(Entry.at)).in_(places))
    found: dict[tuple[Any, ...], list[Any]] = {}
    for row in (await session.exec(wanted)).all():
        found.setdefault((row.gateway, row.home, row.at, row.type), []).append(_says(row.type, row.body))
    return found


def _stands(key: LaneKey, entry: Read, known: dict[tuple[Any, ...], list[Any]]) -> bool:
    """Whether it stands here; if not, it does from now on."""
    there = known.setdefault((key[0], entry.home, entry.at, entry.type), [])
    says = _says(entry.type, entry.body)
    if says in there:
        return True
    there.append(says)
    return False


def _says(type_: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What makes this line the one it is: of a decision its identity, of an event all but when it was heard."""
    if type_ == "decision":
        return {name: body.get(name) for name in ("rule", "key", "action")}
    return {name: value for name, value in body.items() if name != "heard"}
