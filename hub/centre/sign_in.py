"""One-time sign-in links: a way in without a password, for the first minute of an installation and for later.

A link is a random 256-bit secret; the database keeps only its hash. It works once, for a quarter of an hour of
real time (never the homes' time, which may run faster), and both its making and its use stand in the audit trail.

    token = await issue(session, "nils", real=wall.now(), world=clock.now(), by="console")
    staff = await redeem(session, token, real=wall.now(), world=clock.now(), origin="10.0.0.7")
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.store.centre_tables import SignInLink, Staff

LIFE: Millis = 15 * 60 * 1000
"""How long a link works, in ms of real time."""

PREFERRED = ("coordinator", "nurse", "carer", "admin")
"""Whom a link is for when nobody is named: somebody who can see and answer alerts."""


class UnknownStaffError(LookupError):
    """There is no such person, or they have left; the text says so."""


def hashed(token: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


async def issue(session: AsyncSession, staff: str, *, real: Millis, world: Millis, by: str) -> str:
    """Make a link's token for a person. Raises UnknownStaffError."""
    person = await session.get(Staff, staff)
    if person is None or not person.active:
        raise UnknownStaffError(f"there is no staff {staff!r} in the registry")
    token = secrets.token_urlsafe(32)
    session.add(SignInLink(token=hashed(token), staff=staff, created=real, expires=real + LIFE))
    await audit.write(
        session, audit.Deed(at=world, actor=by, action="sign_in.link", subject=f"staff {staff}")
    )
    return token


async def redeem(
    session: AsyncSession, token: str, *, real: Millis, world: Millis, origin: str
) -> str | None:
    """The person a token lets in, once; None for one that is unknown, used or too old."""
    use = update(SignInLink).where(
        col(SignInLink.token) == hashed(token), col(SignInLink.used).is_(None), col(SignInLink.expires) > real
    )
    outcome = await session.exec(use.values(used=real))
    if outcome.rowcount != 1:
        return None
    link = await session.get(SignInLink, hashed(token), populate_existing=True)
    person = await session.get(Staff, link.staff) if link else None
    if person is None or not person.active:
        return None
    deed = audit.Deed(
        at=world, actor=person.id, action="sign_in", subject=f"staff {person.id}", origin=origin
    )
    await audit.write(session, deed)
    return person.id


async def somebody(session: AsyncSession) -> str:
    """Whom a link is for when nobody is named. Raises UnknownStaffError where nobody could answer an alert."""
    active = select(Staff).where(col(Staff.active).is_(True)).order_by(col(Staff.id))
    people = (await session.exec(active)).all()
    for role in PREFERRED:
        for person in people:
            if role in person.roles:
                return person.id
    raise UnknownStaffError("the registry has no staff who could sign in; import one first")


def link(base_url: str, token: str, language: str = "nb") -> str:
    """The address to open."""
    return f"{base_url.rstrip('/')}/{language}/sign-in?token={token}"
