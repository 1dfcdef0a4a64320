"""Every look at a resident is written into the trail (DESIGN.md, promise 8)."""

from __future__ import annotations

from hub.api.context import Api
from hub.centre import audit
from hub.centre.access import Actor


async def note(api: Api, person: Actor, origin: str, *, home: str, subject: str) -> None:
    """Write down that this person looked."""
    deed = audit.Deed(
        at=api.now(), actor=person.staff, action="look", home=home, subject=subject, origin=origin
    )
    async with api.store.writing() as session:
        await audit.write(session, deed)
