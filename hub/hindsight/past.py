"""The centre's journal as the rules read it: homes as they are registered, events in the order of hearing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Event, Millis
from drivers.registry import UnknownDeviceType, device_type
from hub.store.centre_tables import Device, Entry, Home, Resident
from rules import DeviceSpec, HomeSpec
from rules.homes import DEFAULT_LATE


async def homes_of(session: AsyncSession, chosen: Iterable[str] = ()) -> list[HomeSpec]:
    """The named homes, or all, with their residents' parameters and the devices assigned at any time."""
    names = set(chosen)
    residents = (await session.exec(select(Resident).order_by(col(Resident.id).desc()))).all()
    devices = (await session.exec(select(Device).order_by(col(Device.id)))).all()
    homes = (await session.exec(select(Home).order_by(col(Home.id)))).all()
    return [
        _spec(
            home,
            [each for each in residents if each.home == home.id],
            [each for each in devices if each.home == home.id],
        )
        for home in homes
        if not names or home.id in names
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
        known.silent_after if known is not None else None,
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
    wanted = select(Entry.body).where(Entry.type == "event", col(Entry.heard) >= since)
    names = list(homes)
    if names:
        wanted = wanted.where(col(Entry.home).in_(names))
    if until is not None:
        wanted = wanted.where(col(Entry.heard) <= until)
    found = await session.exec(wanted.order_by(col(Entry.heard), col(Entry.seq)))
    return [event for event in map(read_event, found.all()) if event is not None]


async def begin_of(session: AsyncSession) -> Millis:
    """When the journal began: silence before it is nobody's."""
    first = select(Entry.heard).where(Entry.type == "event").order_by(col(Entry.seq)).limit(1)
    return (await session.exec(first)).one_or_none() or 0


def read_event(body: Any) -> Event | None:
    """An event out of the journal; None for one that cannot be read, which intake has marked already."""
    from drivers.events import TimeError, parse_time  # noqa: PLC0415  beside its only use

    try:
        at = parse_time(body["at"])
        heard = parse_time(body["heard"]) if body.get("heard") else at
        return Event(
            body["id"], at, heard, body["home"], body["device"], body["kind"], body.get("data") or {}
        )
    except (KeyError, TypeError, AttributeError, TimeError):
        return None
