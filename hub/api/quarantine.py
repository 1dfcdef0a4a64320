"""/quarantine: what gateways sent and nobody could read, for technicians: look, replay after an upgrade, or drop."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.api import looking
from hub.api.context import Here, Origin, Person
from hub.api.homes import within
from hub.api.problems import RESPONSES, missing, no_access
from hub.api.shapes import Out, Time
from hub.centre.access import Actor, Right
from hub.centre.intake import replaying
from hub.centre.intake.replaying import Aside
from hub.store.centre_tables import Gateway, Home

router = APIRouter(tags=["quarantine"], responses=RESPONSES)

AsideId = Annotated[str, Path(pattern=r"^e?[0-9]{1,18}$", description="As the list names it.")]


class AsideOut(Out):
    """A message put aside (`12`), or an entry of the journal that was not understood (`e345`)."""

    id: str
    gateway: str
    topic: str
    at: Time
    last_at: Time
    times: int = Field(description="How often the same content came.")
    size: int = Field(description="Bytes of the whole.")
    problem: str = Field(description="What was expected and what came, in English.")


class AsideDetail(AsideOut):
    """The same with its content."""

    content: str = Field(description="Text where it is text, else hexadecimal.")


class ReplayedOut(Out):
    """What a replay brought into the journal."""

    new: int
    known: int = Field(description="Entries that were in the journal already.")


class DropIn(BaseModel):
    """Why it is given up."""

    reason: str = Field(max_length=500)


@router.get("/quarantine", summary="List what could not be read")
async def quarantine(api: Here, person: Person) -> list[AsideOut]:
    """Oldest first, of gateways in this person's zones and of gateways that nobody registered."""
    _may_mend(person)
    async with api.store.reading() as session:
        waiting = await replaying.listed(session)
        others = await _others(session, person)
    return [AsideOut.model_validate(one) for one in waiting if one.gateway not in others]


@router.get("/quarantine/{aside}", summary="One of them, with its content")
async def one(api: Here, person: Person, origin: Origin, aside: AsideId) -> AsideDetail:
    """The look is written into the trail: the content may speak of residents."""
    found = await _found(api, person, aside)
    await looking.note(api, person, origin, home="", subject=f"quarantine {aside}")
    return AsideDetail.model_validate(found)


@router.post("/quarantine/{aside}/replay", summary="Read it again")
async def replay(api: Here, person: Person, origin: Origin, aside: AsideId) -> ReplayedOut:
    """After an upgrade: stored and carried out like everything else. What still cannot be read stays (409)."""
    await _found(api, person, aside)
    done = await replaying.replay(api.store, api.clock, aside, by=person.staff, origin=origin)
    api.changed()
    return ReplayedOut.model_validate(done)


@router.post("/quarantine/{aside}/drop", summary="Give it up", status_code=204)
async def drop(api: Here, person: Person, origin: Origin, aside: AsideId, body: DropIn) -> None:
    """For a stated reason, which stands in the trail."""
    await _found(api, person, aside)
    await replaying.drop(api.store, api.clock, aside, reason=body.reason, by=person.staff, origin=origin)
    api.changed()


def _may_mend(person: Actor) -> None:
    if not person.has(Right.MEND):
        raise no_access()


async def _found(api: Here, person: Person, aside: str) -> Aside:
    _may_mend(person)
    async with api.store.reading() as session:
        found = await replaying.shown(session, aside)
        if found.gateway in await _others(session, person):
            raise missing()
    return found


async def _others(session: AsyncSession, person: Actor) -> set[str]:
    """Registered gateways that are not this person's business."""
    if person.everywhere:
        return set()
    every = set((await session.exec(select(Gateway.id))).all())
    mine = (
        await session.exec(select(Home.gateway).where(within(person), col(Home.gateway).is_not(None)))
    ).all()
    return every - set(mine)
