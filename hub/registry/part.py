"""The part of the registry that one gateway gets, and its content hash (failure mode ST-1).

It holds what judging and hearing need: homes with their clocks, residents' names and parameters, devices. Phone
numbers, relatives, key boxes and notes stay at the centre. A part that no message can carry is refused where the file
is checked, where it is imported, and before it would be sent.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.registry.models import DevicePart, GatewayPart, HomePart, RegistryFile, ResidentPart
from hub.store.centre_tables import Device, Gateway, Home, Resident
from hub.uplink.messages import LARGEST_PART, Part

MIB: Final = 1_048_576


class PartTooLargeError(ValueError):
    """A gateway's part of the registry that no message can carry, said in a sentence."""


async def part_of(session: AsyncSession, gateway: str) -> Part:
    """The message for one gateway, ready to be published retained."""
    homes = (await session.exec(select(Home).where(Home.gateway == gateway).order_by(col(Home.id)))).all()
    ids = [home.id for home in homes]
    people = await session.exec(
        select(Resident).where(col(Resident.home).in_(ids)).order_by(col(Resident.id))
    )
    devices = await session.exec(select(Device).where(col(Device.home).in_(ids)).order_by(col(Device.id)))
    part = GatewayPart(
        gateway=gateway,
        homes={row.id: _home(row) for row in homes},
        residents={row.id: _resident(row) for row in people.all()},
        devices={row.id: _device(row) for row in devices.all()},
    )
    return _message(part)


def part_in(registry: RegistryFile, gateway: str) -> Part:
    """The message that a file alone would mean for one gateway."""
    homes = {id_: home for id_, home in registry.homes.items() if home.gateway == gateway}
    part = GatewayPart(
        gateway=gateway,
        homes={
            id_: HomePart(address="", zone=home.zone, gateway=gateway, tz=home.tz)
            for id_, home in homes.items()
        },
        residents={
            id_: ResidentPart(home=one.home, name=one.name, parameters=one.parameters)
            for id_, one in registry.residents.items()
            if one.home in homes
        },
        devices={id_: one for id_, one in registry.devices.items() if one.home in homes},
    )
    return _message(part)


def too_large(gateway: str, part: Part) -> str:
    """Why a part cannot be sent, in a sentence; empty where it can."""
    size = len(part.model_dump_json().encode())
    if size <= LARGEST_PART:
        return ""
    count = len(part.registry["homes"])
    homes = "1 home" if count == 1 else f"{count} homes"
    return (
        f"the part of the registry for the gateway {gateway}, with {homes} and {len(part.registry['devices'])} devices,"
        f" is {size / MIB:.1f} MiB; a gateway takes at most {LARGEST_PART / MIB:g} MiB: share them among more gateways"
    )


async def refuse_too_large(session: AsyncSession) -> None:
    """Look at every gateway's part as the session has it. Raises PartTooLargeError."""
    for gateway in (await session.exec(select(Gateway.id).order_by(col(Gateway.id)))).all():
        if said := too_large(gateway, await part_of(session, gateway)):
            raise PartTooLargeError(said)


def _message(part: GatewayPart) -> Part:
    told: dict[str, Any] = part.model_dump(mode="json", by_alias=True)
    return Part(hash=content_hash(told), registry=told)


def content_hash(told: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _home(row: Home) -> HomePart:
    return HomePart(address="", zone=row.zone, gateway=row.gateway, tz=row.tz)


def _resident(row: Resident) -> ResidentPart:
    return ResidentPart(home=row.home, name=row.name, parameters=row.parameters)


def _device(row: Device) -> DevicePart:
    told = row.model_dump(exclude={"id"})
    told["class"] = told.pop("device_class")
    return DevicePart.model_validate(told)
