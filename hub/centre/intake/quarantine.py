"""Messages that cannot be read at all: kept with the reason, once per content, and never without bound."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.store.centre_tables import Quarantined

KEPT_BYTES = 262_144
"""Of each payload, so that it can be replayed: more than a gateway of ours puts into one. Its true size is noted."""

MOST, MOST_BYTES = 1000, 67_108_864
"""Messages, and bytes of them, that are kept; beyond either the oldest go."""


async def put_aside(
    session: AsyncSession, topic: str, gateway: str, payload: bytes, size: int, problem: str, now: Millis
) -> bool:
    """Keep the message; True if this content is new here."""
    digest = hashlib.sha256(topic.encode() + b"\n" + payload).hexdigest()
    known = (await session.exec(select(Quarantined).where(Quarantined.digest == digest))).first()
    if known is not None:
        known.times, known.last_at = known.times + 1, now
        session.add(known)
        return False
    session.add(
        Quarantined(
            at=now,
            topic=topic[:200],
            gateway=gateway,
            digest=digest,
            problem=problem[:500],
            payload=payload[:KEPT_BYTES].hex(),
            size=max(size, len(payload)),
            last_at=now,
        )
    )
    await session.flush()
    await _forget_oldest(session)
    return True


async def _forget_oldest(session: AsyncSession) -> None:
    sizes = select(Quarantined.id, func.length(Quarantined.payload)).order_by(col(Quarantined.id).desc())
    room, first_too_many = 2 * MOST_BYTES, None
    for place, (id_, digits) in enumerate((await session.exec(sizes)).all()):
        room -= digits
        if place >= MOST or (room < 0 and place):
            first_too_many = id_
            break
    if first_too_many is not None:
        await session.exec(delete(Quarantined).where(col(Quarantined.id) <= first_too_many))
