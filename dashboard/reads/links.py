"""Whom a one-time link is for, without using it up."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre.sign_in import hashed
from hub.store.centre_tables import SignInLink, Staff


async def meant_for(session: AsyncSession, token: str, real: Millis) -> str:
    """The id of the person a token would let in at this real time; empty for one unknown, used or too old."""
    link = await session.get(SignInLink, hashed(token))
    return "" if link is None or link.used is not None or link.expires <= real else link.staff


async def whose(session: AsyncSession, token: str, real: Millis) -> str:
    """The same person's name."""
    staff = await meant_for(session, token, real)
    person = await session.get(Staff, staff) if staff else None
    return person.name if person and person.active else ""
