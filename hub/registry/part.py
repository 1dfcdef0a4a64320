"""The part of the registry that one gateway gets, and its content hash (failure mode ST-1).

It holds what judging and hearing need: homes with their clocks, residents' names and parameters, devices. Phone
numbers, relatives, key boxes and notes stay at the centre.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.registry.models import DevicePart, GatewayPart, HomePart, ResidentPart
from hub.store.centre_tables import Device, Home, Resident
from hub.uplink.messages import Part


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
