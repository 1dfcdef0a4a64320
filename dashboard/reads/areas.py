"""The homes in an area's alarm: their own alarms, those first whom nobody can hear."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.auth.scope import Scope
from dashboard.reads.alerts import Told, alerts_by_id, told
from hub.centre.areas import grouping
from hub.store.centre_tables import Alert, Entry, Home

SILENT = "gateway.heartbeat"
"""The kind behind an alarm on silence: no call for help gets through from there."""


async def homes_of(session: AsyncSession, scope: Scope, area: int) -> list[Told]:
    """The alarms that have belonged to this area's, as far as the scope admits them."""
    found = await alerts_by_id(session, await grouping.members(session, area))
    seen = [one for one in found if scope.admits(zone=one.zone, home=one.home, queue=one.queue)]
    return await told(session, sorted(seen, key=_urgent_first))


async def said(session: AsyncSession, events: Collection[str]) -> tuple[list[Entry], dict[str, str]]:
    """What gateways said of themselves that an area's alarm rests on, and where each of them stands."""
    wanted = select(Entry).where(
        col(Entry.event_id).in_(events), col(Entry.kind).startswith("gateway."), Entry.device == Entry.gateway
    )
    entries = list((await session.exec(wanted)).all())
    served = select(Home.gateway, Home.address).where(
        col(Home.gateway).in_({entry.device for entry in entries})
    )
    places: dict[str, str] = {}
    for gateway, address in (await session.exec(served.order_by(col(Home.id)))).all():
        places[gateway or ""] = ", ".join(filter(None, (places.get(gateway or ""), address)))
    return entries, places


def _urgent_first(alert: Alert) -> tuple[bool, bool, bool, int]:
    """Still so before over, silent before off mains, untaken before taken, then as they came."""
    untaken = alert.handling in {"new", "seen"}
    return alert.condition == "cleared", alert.kind != SILENT, not untaken, alert.id or 0
