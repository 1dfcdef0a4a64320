"""What a device is like now: the newest fact wins by when it happened, never by when it arrived (TR-11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis, Value
from hub.store.centre_tables import DeviceState

FLAGS = {True: "yes", False: "no"}


def written(value: Value) -> str:
    """A value as a state holds it."""
    if isinstance(value, bool):
        return FLAGS[value]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def sets(event: Event) -> dict[str, str]:
    """State name → value that this fact gives it; an absent field leaves the state as it was."""
    given = {}
    for state, value in CATALOGUE.spec(event.kind).sets.items():
        if not value.startswith("="):
            given[state] = value
        elif value[1:] in event.data:
            given[state] = written(event.data[value[1:]])
    return given


def newest(events: Iterable[Event], now: Millis) -> list[dict[str, Any]]:
    """One row a device and state. A time in the future is a wrong clock and counts as now."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        at = min(event.at, now)
        for state, value in sets(event).items():
            known = rows.get((event.device, state))
            if known is None or at >= known["at"]:
                rows[event.device, state] = {
                    "device": event.device,
                    "state": state,
                    "home": event.home,
                    "value": value,
                    "at": at,
                    "heard": event.heard,
                }
    return list(rows.values())


async def store(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Write states that are not older than the known ones."""
    if not rows:
        return
    table = DeviceState.__table__  # type: ignore[attr-defined]
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(table)
    changed = statement.on_conflict_do_update(
        index_elements=["device", "state"],
        set_={name: statement.excluded[name] for name in ("home", "value", "at", "heard")},
        where=statement.excluded["at"] >= table.c.at,
    )
    connection = await session.connection()
    await connection.execute(changed, rows)
