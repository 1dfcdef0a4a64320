"""Devices with what is last known of them. Old news is never shown as current (reference section 7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.catalogue import CATALOGUE
from drivers.events import Millis
from hub.store.centre_tables import Device, DeviceState, Entry

DAY = 86_400
"""Seconds of silence after which a device counts as unknown where its type does not say otherwise."""


@dataclass(frozen=True, slots=True)
class Known:
    """A device, when it was last heard, and its states. silent: longer unheard than it may be, or never heard."""

    device: Device
    heard: Millis | None
    states: tuple[DeviceState, ...]
    silent: bool


async def known_devices(
    session: AsyncSession, homes: Collection[str], now: Millis, limits: Mapping[str, int | None]
) -> list[Known]:
    """The devices that are in these homes now. limits: device type → seconds it may be silent, None: for ever."""
    query = select(Device).where(
        col(Device.home).in_(homes), (col(Device.until).is_(None)) | (col(Device.until) > now)
    )
    devices = (await session.exec(query.order_by(col(Device.home), col(Device.id)))).all()
    ids = {device.id for device in devices}
    heard = await last_heard(session, ids)
    states: dict[str, list[DeviceState]] = {}
    wanted = select(DeviceState).where(col(DeviceState.device).in_(ids)).order_by(col(DeviceState.state))
    for state in (await session.exec(wanted)).all():
        states.setdefault(state.device, []).append(state)
    return [
        _known(device, heard.get(device.id), states.get(device.id, []), now, limits) for device in devices
    ]


async def last_heard(session: AsyncSession, devices: Collection[str]) -> dict[str, Millis]:
    """Device → when the gateway last heard it say anything."""
    query = (
        select(Entry.device, func.max(Entry.heard))
        .where(col(Entry.device).in_(devices), col(Entry.type) == "event")
        .group_by(Entry.device)
    )
    return dict((await session.exec(query)).all())


def _known(
    device: Device,
    heard: Millis | None,
    states: list[DeviceState],
    now: Millis,
    limits: Mapping[str, int | None],
) -> Known:
    allowed = _allowed(device, limits)
    silent = heard is None or (allowed is not None and now - heard > allowed * 1000)
    shown = tuple(state for state in states if state.state in CATALOGUE.states)
    return Known(device, heard, shown, silent)


def _allowed(device: Device, limits: Mapping[str, int | None]) -> int | None:
    own = device.settings.get("silent_after")
    return own if isinstance(own, int) and own > 0 else limits.get(device.type, DAY)
