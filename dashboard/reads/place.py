"""The municipality, and names of things that turn up in many rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.store.centre_tables import Device, Home, Municipality, Resident, Staff, StoreFact, Zone

DEFAULT_ZONE = "Europe/Oslo"
SILENT = 300
"""Seconds of the homes' time after which a gateway counts as silent, unless configured."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """The municipality as its registry describes it. tz: for what belongs to no home."""

    name: str = ""
    duty_phone: str = ""
    tz: str = DEFAULT_ZONE
    timers: Mapping[str, Any] = field(default_factory=dict)


async def place(session: AsyncSession) -> Place:
    """Read the one row of settings; a centre without a registry has an empty one."""
    row = await session.get(Municipality, 1)
    body = row.body if row else {}
    return Place(
        name=str(body.get("name", "")),
        duty_phone=str(body.get("duty_phone", "")),
        tz=str(body.get("tz", DEFAULT_ZONE)),
        timers=body.get("timers", {}),
    )


def silence_allowed(around: Place) -> Millis:
    """How long a gateway may be silent before nothing behind it counts as known."""
    return int(around.timers.get("silent", SILENT)) * 1000


async def epoch(session: AsyncSession) -> str:
    """The random id of this database, `0` before the centre has written one."""
    row = await session.get(StoreFact, "epoch")
    return row.value if row else "0"


@dataclass(frozen=True, slots=True)
class Names:
    """Rows by id, loaded for one batch of alerts or one page."""

    homes: Mapping[str, Home]
    zones: Mapping[str, str]
    residents: Mapping[str, tuple[Resident, ...]]
    devices: Mapping[str, Device]
    staff: Mapping[str, str]

    def tz(self, home: str) -> str:
        """The clock of a home."""
        row = self.homes.get(home)
        return row.tz if row else DEFAULT_ZONE


async def names(
    session: AsyncSession, *, homes: Iterable[str], devices: Iterable[str] = (), staff: Iterable[str] = ()
) -> Names:
    """Load what is needed to speak of these homes, devices and people; a small query for each that is asked for."""
    wanted = set(homes)
    residents: dict[str, tuple[Resident, ...]] = {}
    for person in await _rows(session, Resident, col(Resident.home), wanted):
        residents[person.home] = (*residents.get(person.home, ()), person)
    return Names(
        homes={row.id: row for row in await _rows(session, Home, col(Home.id), wanted)},
        zones={row.id: row.name for row in (await session.exec(select(Zone))).all()},
        residents=residents,
        devices={row.id: row for row in await _rows(session, Device, col(Device.id), set(devices))},
        staff={row.id: row.name for row in await _rows(session, Staff, col(Staff.id), set(staff))},
    )


async def _rows(session: AsyncSession, table: type[T], column: Any, wanted: set[str]) -> Sequence[T]:
    """The rows whose column is one of the wanted, in order of id; no query for none."""
    if not wanted:
        return ()
    query = select(table).where(column.in_(wanted)).order_by(table.id)  # type: ignore[attr-defined]
    return (await session.exec(query)).all()
