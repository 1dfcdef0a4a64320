"""The centre's journal as the rules read it: homes as they are registered, events in the order of hearing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from sys import intern
from typing import Any

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import NO_DATA, Event, Millis, TimeError, parse_time
from drivers.registry import UnknownDeviceType, device_type
from hub.registry.silence import silent_after
from hub.store.centre_tables import Device, Entry, Home, Resident
from rules import DeviceSpec, HomeSpec
from rules.homes import DEFAULT_LATE
from rules.unswept import unswept

STORED_LAST = 10_000
"""Entries looked at for the newest; all of a large journal would take minutes."""


async def homes_of(session: AsyncSession, chosen: Iterable[str] = ()) -> list[HomeSpec]:
    """The named homes, or all, with their residents' parameters and the devices assigned at any time."""
    names = set(chosen)
    residents, devices = defaultdict(list), defaultdict(list)
    for person in await session.exec(select(Resident).order_by(col(Resident.id).desc())):
        residents[person.home].append(person)
    for device in await session.exec(select(Device).order_by(col(Device.id))):
        devices[device.home].append(device)
    homes = await session.exec(select(Home).order_by(col(Home.id)))
    return [
        _spec(home, residents[home.id], devices[home.id]) for home in homes if not names or home.id in names
    ]


def _spec(home: Home, residents: Sequence[Resident], devices: Sequence[Device]) -> HomeSpec:
    resident: dict[str, Any] = {}
    for each in residents:  # the first by id wins, as on the gateway
        resident |= each.parameters
    resident["name"] = " / ".join(each.name for each in reversed(residents)) or home.id
    types = {each.id: _type(each.type) for each in devices}
    own_clock = any(known is not None and known.own_clock for known in types.values())
    return HomeSpec(
        id=home.id,
        tz=home.tz,
        resident=resident,
        devices={each.id: _device(each, types[each.id]) for each in devices},
        late_ms=DEFAULT_LATE if own_clock else 0,
    )


def _device(device: Device, known: Any) -> DeviceSpec:
    return DeviceSpec(
        device.device_class,
        device.since,
        silent_after(known, device.settings) if known is not None else None,
        device.name or device.id,
        knows_taken=known is None or known.knows_taken,
    )


def _type(name: str) -> Any:
    try:
        return device_type(name)
    except UnknownDeviceType:
        return None


async def events_of(
    session: AsyncSession, homes: Iterable[str] = (), *, since: Millis = 0, until: Millis | None = None
) -> list[Event]:
    """The journal's events of the named homes, or all, heard in [since, until], in the order of hearing."""
    wanted = select(Entry.at, Entry.heard, Entry.body).where(Entry.type == "event", col(Entry.heard) >= since)
    names = list(homes)
    if names:
        wanted = wanted.where(col(Entry.home).in_(names))
    if until is not None:
        wanted = wanted.where(col(Entry.heard) <= until)
    found = await session.exec(wanted.order_by(col(Entry.heard), col(Entry.seq)))
    with unswept():
        return [event for row in found if (event := _event(*row)) is not None]


async def begin_of(session: AsyncSession) -> Millis:
    """When the journal began: silence before it is nobody's."""
    first = select(Entry.heard).where(Entry.type == "event").order_by(col(Entry.seq)).limit(1)
    return (await session.exec(first)).one_or_none() or 0


async def end_of(session: AsyncSession) -> Millis:
    """When the newest event was heard, among the entries stored last: older news may have come in after it."""
    newest = (
        select(Entry.heard).where(Entry.type == "event").order_by(col(Entry.seq).desc()).limit(STORED_LAST)
    )
    return (await session.exec(select(func.max(newest.subquery().c.heard)))).one() or 0


def read_event(body: Any) -> Event | None:
    """An event out of the journal; None for one that cannot be read, which intake has marked already."""
    try:
        at = parse_time(body["at"])
        heard = parse_time(body["heard"]) if body.get("heard") else at
    except (KeyError, TypeError, AttributeError, TimeError):
        return None
    return _event(at, heard, body)


def _event(at: Millis, heard: Millis, body: Any) -> Event | None:
    """A month of a home repeats a few words a hundred thousand times; each is kept once."""
    try:
        return Event(
            body["id"], at, heard, intern(body["home"]), intern(body["device"]), intern(body["kind"]),
            body.get("data") or NO_DATA,
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError):
        return None
