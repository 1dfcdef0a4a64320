"""/gateways, /registry and /me: the boxes, the whole registry as a file, and who asks."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Response
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.api import looking
from hub.api.context import Here, Origin, Person
from hub.api.homes import Id, within
from hub.api.problems import RESPONSES, missing, no_access
from hub.api.shapes import GatewayDetail, GatewayOut, LaneOut, MeOut, StateOut
from hub.centre.access import Actor, Right
from hub.registry.exporting import NothingStoredError, as_yaml, export
from hub.store.centre_tables import DeviceState, Gateway, Home, Lane

router = APIRouter(responses=RESPONSES)


@router.get("/gateways", summary="List gateways", tags=["gateways"])
async def gateways(api: Here, person: Person) -> list[GatewayOut]:
    """Gateways that serve homes in this person's zones, with when they were last heard."""
    _may_see(person)
    async with api.store.reading() as session:
        served = await _served(session, person)
        wanted = select(Gateway).order_by(col(Gateway.id))
        if not person.everywhere:
            wanted = wanted.where(col(Gateway.id).in_(list(served)))
        rows = (await session.exec(wanted)).all()
    return [GatewayOut.model_validate({**row.model_dump(), "homes": served.get(row.id, [])}) for row in rows]


@router.get("/gateways/{gateway}", summary="One gateway, with its lanes and states", tags=["gateways"])
async def gateway(api: Here, person: Person, gateway: Id) -> GatewayDetail:
    """How far each lane has come in, and what the box says of itself."""
    _may_see(person)
    async with api.store.reading() as session:
        served = await _served(session, person)
        row = await session.get(Gateway, gateway)
        if row is None or not (person.everywhere or gateway in served):
            raise missing()
        lanes = (
            await session.exec(select(Lane).where(Lane.gateway == gateway).order_by(col(Lane.lane)))
        ).all()
        states = (await session.exec(select(DeviceState).where(DeviceState.device == gateway))).all()
    return GatewayDetail.model_validate(
        {
            **row.model_dump(),
            "homes": served.get(gateway, []),
            "lanes": [LaneOut.model_validate(lane) for lane in lanes],
            "states": [StateOut.model_validate(state) for state in states],
        }
    )


async def _served(session: AsyncSession, person: Actor) -> dict[str, list[str]]:
    """Gateway → its homes that this person has business with."""
    served: dict[str, list[str]] = {}
    wanted = select(Home.id, Home.gateway).where(within(person)).order_by(col(Home.id))
    rows: Sequence[tuple[str, str | None]] = (await session.exec(wanted)).all()
    for home, gateway in rows:
        if gateway:
            served.setdefault(gateway, []).append(home)
    return served


def _may_see(person: Actor) -> None:
    if not person.has(Right.SEE_DEVICES):
        raise no_access()


@router.get(
    "/registry",
    summary="The registry as a file",
    tags=["registry"],
    response_class=Response,
    responses={200: {"content": {"application/yaml": {}}, "description": "The file, ready to be imported."}},
)
async def registry(api: Here, person: Person, origin: Origin) -> Response:
    """Everything but secrets; for administrators. The export is written into the trail."""
    if not person.has(Right.EDIT_REGISTRY):
        raise no_access()
    try:
        async with api.store.reading() as session:
            text = as_yaml(await export(session))
    except NothingStoredError:
        raise missing() from None
    await looking.note(api, person, origin, home="", subject="registry")
    return Response(text, media_type="application/yaml", headers={"Cache-Control": "no-store"})


@router.get("/me", summary="Who I am here", tags=["me"])
async def me(person: Person) -> MeOut:
    """The signed-in person, with roles, rights and zones."""
    return MeOut(
        staff=person.staff,
        name=person.name,
        roles=sorted(person.roles),
        rights=sorted(right.value for right in person.rights),
        zones=sorted(person.zones),
    )
