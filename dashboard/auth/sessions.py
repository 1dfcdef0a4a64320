"""Web sessions: a random 256-bit secret in a cookie, its hash in the database (reference section 21).

Times here are the machine's own, never the homes': a shift lasts as long at the wall as it says, also while a
demonstration's world runs faster. A session ends after 30 idle minutes or 12 hours, or when somebody revokes
it. An open live stream counts as activity: an alarm page must never time out silently (WCAG 2.2.1).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre.access import Actor, actor_of
from hub.store.centre_tables import WebSession

MINUTE = 60_000
IDLE = 30 * MINUTE
SHIFT = 12 * 60 * MINUTE
WARNING = 2 * MINUTE
"""Before a session's end the page says so, and offers to stay."""
EXTENSION = 30 * MINUTE
EXTENSIONS = 10
"""How often a shift may be drawn out (WCAG 2.2.1 asks for ten times)."""
MARKED_EVERY = MINUTE
"""`seen` is written at most this often."""
LONGEST_AGENT = 200


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person at one browser. session: hash of the cookie; expires: when the shift's session ends."""

    session: str
    actor: Actor
    created: Millis
    seen: Millis
    expires: Millis

    def due_to_be_marked(self, now: Millis) -> bool:
        """Whether it is time to note again that the session is in use."""
        return self.seen < now - MARKED_EVERY

    @property
    def may_extend(self) -> bool:
        """Whether the session may be drawn out once more."""
        return self.expires < self.created + SHIFT + EXTENSIONS * EXTENSION


def hashed(secret: str) -> str:
    """What the database keeps of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def open_session(session: AsyncSession, staff: str, now: Millis, agent: str) -> str:
    """Begin a web session for a person; answers the secret for the cookie."""
    secret = secrets.token_urlsafe(32)
    row = WebSession(
        id=hashed(secret),
        staff=staff,
        created=now,
        seen=now,
        expires=now + SHIFT,
        agent=agent[:LONGEST_AGENT],
    )
    session.add(row)
    return secret


def is_alive(row: WebSession, now: Millis) -> bool:
    """Whether a session still stands at this moment of real time."""
    return row.revoked is None and now < row.expires and now < row.seen + IDLE


async def viewers(
    session: AsyncSession, ids: Collection[str], now: Millis, world: Millis
) -> Mapping[str, Viewer]:
    """Those of the sessions (hashes) that stand, each with its person as the registry knows them now.

    now: real time, for the session; world: the homes' time, for emergency access.
    """
    rows = (await session.exec(select(WebSession).where(col(WebSession.id).in_(ids)))).all()
    alive = [row for row in rows if is_alive(row, now)]
    actors = {staff: await actor_of(session, staff, world) for staff in {row.staff for row in alive}}
    return {
        row.id: Viewer(
            row.id, replace(actor, login_age=(now - row.created) / 1000), row.created, row.seen, row.expires
        )
        for row in alive
        if (actor := actors[row.staff]) is not None
    }


async def mark_seen(session: AsyncSession, ids: Collection[str], now: Millis) -> None:
    """Note that these sessions are in use."""
    stale = update(WebSession).where(col(WebSession.id).in_(ids), col(WebSession.seen) < now - MARKED_EVERY)
    await session.exec(stale.values(seen=now))


async def revoke(session: AsyncSession, identity: str, staff: str, now: Millis) -> None:
    """End one session of a person; another person's stays untouched."""
    mine = update(WebSession).where(
        col(WebSession.id) == identity, col(WebSession.staff) == staff, col(WebSession.revoked).is_(None)
    )
    await session.exec(mine.values(revoked=now))


async def extend(session: AsyncSession, viewer: Viewer, now: Millis) -> None:
    """Draw a shift's session out by half an hour, if it may be drawn out once more."""
    if viewer.may_extend:
        until = max(viewer.expires, now) + EXTENSION
        await session.exec(
            update(WebSession).where(col(WebSession.id) == viewer.session).values(expires=until, seen=now)
        )


async def open_sessions(session: AsyncSession, staff: str, now: Millis) -> list[WebSession]:
    """A person's standing sessions, newest first."""
    mine = select(WebSession).where(WebSession.staff == staff).order_by(col(WebSession.created).desc())
    return [row for row in (await session.exec(mine)).all() if is_alive(row, now)]
