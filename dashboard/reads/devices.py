"""Devices with what is last known of them. Old news is never shown as current (reference section 7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.reads.place import place, silence_allowed
from drivers.catalogue import CATALOGUE
from drivers.events import Millis
from drivers.registry import DEVICE_TYPES
from hub.registry.silence import silent_after
from hub.store.centre_tables import Device, DeviceState, Entry, Gateway, Home

DAY = 86_400
"""Seconds of silence after which a device counts as unknown where its type does not say otherwise."""

LIMITS: Mapping[str, int | None] = {name: one.silent_after for name, one in DEVICE_TYPES.items()}
"""Device type → seconds it may be silent; None: for ever."""


@dataclass(frozen=True, slots=True)
class Known:
    """A device, when it was last heard, and its states.

    silent: longer unheard than it may be, never heard, or behind a gateway that is itself silent.
    """

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
    cut_off = await silent_homes(session, homes, now)
    devices = (await session.exec(query.order_by(col(Device.home), col(Device.id)))).all()
    ids = {device.id for device in devices}
    heard = await last_heard(session, ids)
    states: dict[str, list[DeviceState]] = {}
    wanted = select(DeviceState).where(col(DeviceState.device).in_(ids)).order_by(col(DeviceState.state))
    for state in (await session.exec(wanted)).all():
        states.setdefault(state.device, []).append(state)
    return [
        _known(device, heard.get(device.id), states.get(device.id, []), now, limits, device.home in cut_off)
        for device in devices
    ]


async def silent_homes(session: AsyncSession, homes: Collection[str], now: Millis) -> set[str]:
    """The homes whose gateway has not been heard within its limit: nothing in them is known to be as it was."""
    allowed = silence_allowed(await place(session))
    query = select(Home.id, Gateway.last_heard).where(
        col(Home.gateway) == col(Gateway.id), col(Home.id).in_(homes)
    )
    rows = (await session.exec(query)).all()
    return {home for home, heard in rows if heard is None or now - heard > allowed}


async def last_heard(session: AsyncSession, devices: Collection[str]) -> dict[str, Millis]:
    """Device → when the gateway heard its newest event. One step down an index each, however long the journal."""
    newest = (
        select(Entry.heard)
        .where(col(Entry.device) == col(Device.id), col(Entry.type) == "event")
        .order_by(col(Entry.at).desc())
        .limit(1)
        .correlate(Device)
        .scalar_subquery()
    )
    rows = (await session.exec(select(Device.id, newest).where(col(Device.id).in_(devices)))).all()
    return {device: heard for device, heard in rows if heard is not None}


def _known(
    device: Device,
    heard: Millis | None,
    states: list[DeviceState],
    now: Millis,
    limits: Mapping[str, int | None],
    cut_off: bool,
) -> Known:
    allowed = _allowed(device, limits)
    silent = cut_off or heard is None or (allowed is not None and now - heard > allowed * 1000)
    shown = tuple(state for state in states if state.state in CATALOGUE.states)
    return Known(device, heard, shown, silent)


def _allowed(device: Device, limits: Mapping[str, int | None]) -> int | None:
    known = DEVICE_TYPES.get(device.type)
    usual = limits.get(device.type, DAY)
    own = None if known is None else silent_after(known, device.settings)
    return usual if known is None or own == known.silent_after else own
