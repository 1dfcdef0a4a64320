"""Which alerts belong to an area's alert, and what that means for them. Nothing is hidden.

Each home's own alert stays in every list, is taken and closed by people as before, and points to the area's. What
changes is the noise: while somebody is being told of the area, its technical alerts are not told home by home. An
alert on which a life hangs is never bundled, nor one that is more urgent than the area's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre.alerts import rows
from hub.centre.alerts.evidence import joined as grown_by
from hub.centre.alerts.lifecycle import Line
from hub.centre.alerts.rows import Policy
from hub.centre.alerts.standing import URGENCIES, Condition, Handling, Standing, standing_of
from hub.store.centre_tables import Alert, AlertLine

GROUPED, RELEASED, JOINED = "grouped", "released", "joined"
"""Lines of a timeline: on a home's alert, and on the area's."""

WAITING = frozenset({Handling.NEW, Handling.SEEN})


def speaks_for(area: Alert, alert: Alert, now: Millis) -> bool:
    """Whether telling people of the area tells them of this alert too. An end that may still be undone is none yet."""
    ended = area.handling == Handling.RESOLVED and now > int(area.undo.get("until", 0))
    quiet = area.handling == Handling.SNOOZED
    beneath = URGENCIES.index(alert.urgency) <= URGENCIES.index(area.urgency)
    return alert.queue == "technical" and not alert.life_safety and beneath and not ended and not quiet


async def area_of(session: AsyncSession, alert: Alert, now: Millis) -> Alert | None:
    """The area's alert that speaks for this one just now."""
    area = await session.get(Alert, alert.area) if alert.area is not None else None
    return area if area is not None and speaks_for(area, alert, now) else None


async def join(
    session: AsyncSession, area: Alert, numbers: Iterable[int], policy: Policy, now: Millis
) -> Alert:
    """Let alerts belong to an area's. Those that belong to one, or are over, stay as they are."""
    joined = [
        alert for number in sorted(set(numbers)) if (alert := await _joins(session, number)) is not None
    ]
    for alert in joined:
        standing = standing_of(alert)
        line = Line(GROUPED, data={"alert": area.id})
        moved = rows.Turned(
            replace(standing, version=standing.version + 1), [line], why=GROUPED, extra={"area": area.id}
        )
        await rows.write(session, alert, moved, policy, now)
    return await _grow(session, area, joined, policy, now) if joined else area


async def _joins(session: AsyncSession, number: int) -> Alert | None:
    alert = await rows.locked(session, number)
    if alert is None or alert.area is not None or alert.handling == Handling.RESOLVED:
        return None
    return None if alert.condition == Condition.CLEARED else alert


async def _grow(
    session: AsyncSession, area: Alert, joined: Sequence[Alert], policy: Policy, now: Millis
) -> Alert:
    """More homes in an area's alert: evidence, a count, and sound for those who had silenced it; no escalation."""
    count = len(await members(session, area.id or 0)) + len(joined)
    events = tuple(event for alert in joined for event in alert.evidence)
    grown = grown_by(standing_of(area), max(alert.at for alert in joined), count, events)
    data = {"alerts": [alert.id for alert in joined], "count": grown.count}
    return await rows.write(
        session, area, rows.Turned(grown, [Line(JOINED, data=data)], why=JOINED), policy, now
    )


async def members(session: AsyncSession, area: int) -> list[int]:
    """The numbers of all alerts that have ever belonged to an area's, in the order in which they joined."""
    lines = select(AlertLine.data).where(AlertLine.alert == area, AlertLine.what == JOINED)
    found = (await session.exec(lines.order_by(col(AlertLine.id)))).all()
    return [int(number) for data in found for number in data.get("alerts", ())]


async def loose(session: AsyncSession) -> Sequence[int]:
    """Open alerts whose area's alert is over: closed by a person, or so no more while they still are."""
    area = aliased(Alert)
    over = or_(
        col(area.handling) == "resolved",
        (col(area.condition) == "cleared") & (col(Alert.condition) != "cleared"),
    )
    wanted = (
        select(Alert.id).join(area, col(Alert.area) == col(area.id)).where(Alert.handling != "resolved", over)
    )
    return [number for number in (await session.exec(wanted)).all() if number is not None]


async def tidy(session: AsyncSession, numbers: Iterable[int], policy: Policy, now: Millis) -> int:
    """Look after loose alerts: what still stands is told by itself again, what is over ends with its area's."""
    changed = 0
    for number in numbers:
        alert = await rows.locked(session, number)
        area = await session.get(Alert, alert.area) if alert is not None and alert.area is not None else None
        turned = after(alert, area, now) if alert is not None and area is not None else None
        if alert is not None and turned is not None:
            await rows.write(session, alert, turned, policy, now)
            changed += 1
    return changed


def after(alert: Alert, area: Alert, now: Millis) -> rows.Turned | None:
    """What becomes of an alert when its area's is over; None while nothing does.

    Still so: it stands by itself, and its chain begins anew unless somebody has it. Over and untaken when a person
    closes the area's: closed with it, in that person's name, for its home stood in the list.
    """
    ended = area.handling == Handling.RESOLVED and now > int(area.undo.get("until", 0))
    over = alert.condition == Condition.CLEARED
    if alert.handling == Handling.RESOLVED or not (
        ended or (area.condition == Condition.CLEARED and not over)
    ):
        return None
    standing = standing_of(alert)
    waits = standing.handling in WAITING
    if over and waits:
        return _closed_with(standing, area)
    moved = replace(standing, version=standing.version + 1)
    line = Line(RELEASED, data={"alert": area.id})
    return rows.Turned(moved, [line], why=RELEASED, rewait=waits, extra={"area": None})


def _closed_with(standing: Standing, area: Alert) -> rows.Turned:
    version = standing.version + 1
    closed = replace(
        standing,
        handling=Handling.RESOLVED,
        cause=area.cause,
        measure=area.measure,
        resolved_at=area.resolved_at,
        resolved_by=area.resolved_by,
        version=version,
        handled=version,
        undo={},
    )
    line = Line("resolved", vkp="3", data={"with": area.id, "cause": area.cause})
    by = area.resolved_by or ""
    return rows.Turned(closed, [line], why="resolved", by=by, rewait=True, deed="alert.resolve")
