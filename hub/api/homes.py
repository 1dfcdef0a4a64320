"""/residents and /homes: who lives where, what staff need at the door, and the journal of a home."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import ColumnElement, or_, true
from sqlmodel import col, select

from hub.api import looking
from hub.api.context import Here, Origin, Person
from hub.api.problems import RESPONSES, missing, no_access
from hub.api.shapes import EntryOut, ResidentDetail, ResidentOut
from hub.centre.access import Actor, Right
from hub.store.centre_tables import Entry, Home, Resident

router = APIRouter(responses=RESPONSES)

GATEWAY_FACTS = "gateway."
"""How the kinds begin that a box says of itself; the wire gives them the first of its homes (hub.gateway.own_facts)."""

Id = Annotated[str, Path(pattern=r"^[a-z0-9_-]{1,64}$")]


def within(actor: Actor) -> ColumnElement[bool]:
    """The homes this person has business with, as a condition."""
    if actor.everywhere:
        return true()
    return or_(col(Home.zone).in_(list(actor.zones)), col(Home.id).in_(list(actor.homes)))


@router.get("/residents", summary="List residents", tags=["residents"])
async def residents(
    api: Here,
    person: Person,
    query: Annotated[str, Query(max_length=100, description="Part of a name or address.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 200,
) -> list[ResidentOut]:
    """Residents of this person's zones, by name."""
    _may_see(person)
    wanted = select(Resident, Home).where(Resident.home == Home.id, within(person))
    if query.strip():
        part = f"%{query.strip()}%"
        wanted = wanted.where(or_(col(Resident.name).ilike(part), col(Home.address).ilike(part)))
    async with api.store.reading() as session:
        rows = (await session.exec(wanted.order_by(col(Resident.name)).limit(limit))).all()
    return [ResidentOut.model_validate(_short(resident, home)) for resident, home in rows]


@router.get("/residents/{resident}", summary="One resident", tags=["residents"])
async def resident(api: Here, person: Person, origin: Origin, resident: Id) -> ResidentDetail:
    """What staff need at the door. The look is written into the trail."""
    _may_see(person)
    async with api.store.reading() as session:
        wanted = select(Resident, Home).where(
            Resident.id == resident, Resident.home == Home.id, within(person)
        )
        found = (await session.exec(wanted)).first()
    if found is None:
        raise missing()
    row, home = found
    await looking.note(api, person, origin, home=home.id, subject=f"resident {row.id}")
    return ResidentDetail.model_validate(_short(row, home) | _at_the_door(row, home))


@router.get("/homes/{home}/journal", summary="The journal of a home, newest first", tags=["journal"])
async def journal(
    api: Here,
    person: Person,
    origin: Origin,
    home: Id,
    kind: Annotated[str, Query(max_length=64, description="Only events of this kind.")] = "",
    before: Annotated[int | None, Query(description="Only with a smaller seq: the next page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 200,
) -> list[EntryOut]:
    """Everything heard from this home. The look is written into the trail.

    Facts of the gateway box itself (`gateway.*`) are no life in the home; they come only when asked for by kind.
    """
    _may_see(person)
    async with api.store.reading() as session:
        if (await session.exec(select(Home.id).where(Home.id == home, within(person)))).first() is None:
            raise missing()
        wanted = select(Entry).where(Entry.home == home)
        wanted = wanted.where(Entry.kind == kind if kind else col(Entry.kind).not_like(f"{GATEWAY_FACTS}%"))
        if before is not None:
            wanted = wanted.where(col(Entry.seq) < before)
        rows = (await session.exec(wanted.order_by(col(Entry.seq).desc()).limit(limit))).all()
    await looking.note(api, person, origin, home=home, subject=f"journal {home}")
    return [EntryOut.model_validate(row) for row in rows]


def _may_see(person: Actor) -> None:
    if not person.has(Right.SEE_RESIDENT):
        raise no_access()


def _short(row: Resident, home: Home) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "home": home.id, "address": home.address, "zone": home.zone}


def _at_the_door(row: Resident, home: Home) -> dict[str, Any]:
    return {
        "phone": row.phone,
        "tz": home.tz,
        "key_box": home.body.get("key_box", ""),
        "notes": home.body.get("notes", ""),
        "next_of_kin": row.body.get("next_of_kin", []),
        "warnings": row.body.get("warnings", []),
        "parameters": row.parameters,
    }
