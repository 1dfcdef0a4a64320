"""Read the table of changes: the truth that the stream follows, and from which a browser catches up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.store.centre_tables import Change

AT_ONCE = 500
"""Changes read in one go; a burst is worked off in several."""
FARTHEST_BACK = 5000
"""Changes a browser may lie behind and still catch up; beyond that it fetches everything anew."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The newest change of one thing within a batch."""

    seq: int
    subject: str
    ref: str
    home: str
    zone: str


async def after(session: AsyncSession, seq: int, limit: int = AT_ONCE) -> list[Change]:
    """Changes beyond a place, in order. The centre writes them so that they also commit in this order."""
    following = select(Change).where(col(Change.seq) > seq).order_by(col(Change.seq)).limit(limit)
    return list((await session.exec(following)).all())


async def missed(session: AsyncSession, seq: int) -> list[Change] | None:
    """What came after a browser's place, or None if that cannot be told any more."""
    newest = (await session.exec(select(func.max(Change.seq)))).one() or 0
    oldest = (await session.exec(select(func.min(Change.seq)))).one() or 0
    if seq > newest or seq + 1 < oldest:
        return None
    rows = await after(session, seq, FARTHEST_BACK + 1)
    return rows if len(rows) <= FARTHEST_BACK else None


def newest_of_each(changes: Iterable[Change]) -> list[Changed]:
    """One entry for each thing that changed, at the place of its last change, in order."""
    latest: dict[tuple[str, str], Changed] = {}
    for row in changes:
        key = (row.subject, row.ref)
        latest.pop(key, None)
        latest[key] = Changed(row.seq or 0, row.subject, row.ref, row.home, row.zone)
    return list(latest.values())
