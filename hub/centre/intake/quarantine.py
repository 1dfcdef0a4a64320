"""Messages that cannot be read at all: kept with the reason, once per content, and never without bound."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.store.centre_tables import Quarantined

KEPT_BYTES = 4096
"""Of each payload; its true size is noted."""

MOST = 1000
"""Messages kept; beyond that the oldest go."""


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
    newest = select(Quarantined.id).order_by(col(Quarantined.id).desc()).offset(MOST).limit(1)
    first_too_many = (await session.exec(newest)).first()
    if first_too_many is not None:
        await session.exec(delete(Quarantined).where(col(Quarantined.id) <= first_too_many))
