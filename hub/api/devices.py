"""/devices and /commands: what is installed, what is known of it, and asking it for something."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.registry import DEVICE_TYPES
from hub.api.context import Here, Origin, Person
from hub.api.homes import Id, within
from hub.api.problems import RESPONSES, missing, no_access
from hub.api.shapes import CommandIn, CommandOut, DeviceDetail, DeviceOut, StateOut
from hub.centre import commands, remote_unlock
from hub.centre.access import Actor, Right
from hub.store.centre_tables import CommandRow, Device, DeviceState, Home

router = APIRouter(tags=["devices"], responses=RESPONSES)


@router.get("/devices", summary="List devices")
async def devices(
    api: Here,
    person: Person,
    home: Annotated[str, Query(max_length=64, description="Only of this home.")] = "",
    limit: Annotated[int, Query(ge=1, le=5000, description="At most so many.")] = 1000,
) -> list[DeviceOut]:
    """Devices in this person's zones."""
    _may_see(person)
    wanted = select(Device).join(Home, col(Home.id) == Device.home).where(within(person))
    if home:
        wanted = wanted.where(Device.home == home)
    async with api.store.reading() as session:
        rows = (await session.exec(wanted.order_by(col(Device.id)).limit(limit))).all()
    return [DeviceOut.model_validate(row) for row in rows]


@router.get("/devices/{device}", summary="One device, with its states and commands")
async def device(api: Here, person: Person, device: Id) -> DeviceDetail:
    """What is known of it now, each value with its age."""
    _may_see(person)
    async with api.store.reading() as session:
        row = await _found(session, person, device)
        wanted = select(DeviceState).where(DeviceState.device == device).order_by(col(DeviceState.state))
        states = (await session.exec(wanted)).all()
        known = DEVICE_TYPES.get(row.type)
        opens = known is not None and bool(commands.DOOR_OPENING & set(known.commands))
        closed = await remote_unlock.why_not(session, person) if opens else None
    return DeviceDetail.model_validate(
        {
            **row.model_dump(),
            "states": [StateOut.model_validate(state) for state in states],
            "commands": {name: list(args) for name, args in known.commands.items()} if known else {},
            "no_unlock": closed,
        }
    )


@router.post("/devices/{device}/commands", summary="Ask a device for something", status_code=202)
async def ask(api: Here, person: Person, origin: Origin, device: Id, body: CommandIn) -> CommandOut:
    """Accepted is not done: look at the command for the device's own answer.

    A door opens with an alert of that home which the person has taken, or with a stated reason.
    """
    _may_see(person)
    async with api.store.reading() as session:
        row = await _found(session, person, device)
    wish = commands.Wish(
        home=row.home,
        device=device,
        name=body.name,
        args=body.args,
        reason=body.reason,
        alert=body.alert,
        purpose=body.purpose,
        id=body.id,
    )
    asked = await commands.ask(api.store, api.clock, wish, person, origin)
    api.changed()
    return CommandOut.model_validate(asked)


@router.get("/commands/{command}", summary="What became of a command")
async def command(
    api: Here, person: Person, command: Annotated[str, Path(pattern=r"^[0-9a-f]{8,64}$")]
) -> CommandOut:
    """Its status and the device's answer."""
    _may_see(person)
    async with api.store.reading() as session:
        wanted = select(CommandRow).join(Home, col(Home.id) == CommandRow.home)
        row = (await session.exec(wanted.where(CommandRow.id == command, within(person)))).first()
    if row is None:
        raise missing()
    return CommandOut.model_validate(row)


def _may_see(person: Actor) -> None:
    if not person.has(Right.SEE_DEVICES):
        raise no_access()


async def _found(session: AsyncSession, person: Actor, device: str) -> Device:
    wanted = select(Device).join(Home, col(Home.id) == Device.home)
    row = (await session.exec(wanted.where(Device.id == device, within(person)))).first()
    if row is None:
        raise missing()
    return row
