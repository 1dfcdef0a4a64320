"""Which alerts belong to an area's alert, and what that means for them. Nothing is hidden.

Each home's own alert stays in every list, is taken and closed by people as before, and points to the area's. What
changes is the noise (`hub.centre.areas.bundling`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.centre.alerts.case import Case, Turned
from hub.centre.alerts.docket import Docket
from hub.centre.alerts.evidence import joined as grown_by
from hub.centre.alerts.lifecycle import Line
from hub.centre.alerts.policy import Policy
from hub.centre.alerts.refusals import HUB
from hub.centre.alerts.standing import Condition, Handling, Standing
from hub.store.centre_tables import Alert, AlertLine

GROUPED, RELEASED, JOINED = "grouped", "released", "joined"
"""Lines of a timeline: on a home's alert, and on the area's."""

WAITING = frozenset({Handling.NEW, Handling.SEEN})


async def join(session: AsyncSession, area: int, numbers: Iterable[int], policy: Policy, now: Millis) -> None:
    """Let alerts belong to an area's. Those that belong to one, or are over, stay as they are."""
    docket = Docket(session, policy, now)
    await docket.call({area, *await _joining(session, numbers)})
    whole = docket.cases.pop(area)
    joined = [docket.cases[number] for number in sorted(docket.cases)]
    if not joined or not whole.standing.open:
        return
    for case in joined:
        moved = replace(case.standing, version=case.standing.version + 1)
        line = Line(GROUPED, data={"alert": area})
        case.turn(Turned(moved, [line], why=GROUPED, extra={"area": area}), policy, now)
    docket.cases[area] = whole
    await _grow(docket, whole, joined)
    await docket.write()


async def _joining(session: AsyncSession, numbers: Iterable[int]) -> Sequence[int]:
    """Those of these alerts that stand by themselves, locked for changing."""
    await audit.in_order(session)
    wanted = select(Alert.id).where(
        col(Alert.id).in_(set(numbers)),
        col(Alert.area).is_(None),
        Alert.handling != Handling.RESOLVED,
        Alert.condition != Condition.CLEARED,
    )
    return [number for number in (await session.exec(wanted.with_for_update())).all() if number is not None]


async def _grow(docket: Docket, whole: Case, joined: Sequence[Case]) -> None:
    """More homes in an area's alert: evidence, a count, and sound for those who had silenced it; no escalation."""
    count = len(await members(docket.session, whole.id or 0)) + len(joined)
    events = tuple(event for case in joined for event in case.standing.evidence)
    grown = grown_by(whole.standing, max(case.standing.last_at for case in joined), count, events)
    data = {"alerts": [case.id for case in joined], "count": grown.count}
    whole.turn(Turned(grown, [Line(JOINED, data=data)], why=JOINED), docket.policy, docket.now)


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
    docket, changed = Docket(session, policy, now), 0
    await docket.call(set(numbers))
    areas = await _areas_of(session, list(docket.cases))
    for number, case in docket.cases.items():
        turned = after(case.standing, areas[number], now) if number in areas else None
        if turned is not None:
            case.turn(turned, policy, now)
            changed += 1
    await docket.write()
    return changed


async def _areas_of(session: AsyncSession, numbers: Sequence[int]) -> dict[int, Alert]:
    """Alert → the area's alert that it belongs to."""
    area = aliased(Alert)
    wanted = (
        select(Alert.id, area).join(area, col(Alert.area) == col(area.id)).where(col(Alert.id).in_(numbers))
    )
    wanted = wanted.execution_options(populate_existing=True)
    return {number: found for number, found in (await session.exec(wanted)).all() if number is not None}


def after(standing: Standing, area: Alert, now: Millis) -> Turned | None:
    """What becomes of an alert when its area's is over; None while nothing does.

    Still so: it stands by itself, and its chain begins anew unless somebody has it. Over and untaken when a person
    closes the area's: closed with it, in that person's name, for its home stood in the list.
    """
    ended, over = has_ended(area, now), standing.condition is Condition.CLEARED
    left = area.condition == Condition.CLEARED and not over
    if not standing.open or not (ended or left):
        return None
    waits = standing.handling in WAITING
    if over and waits:
        return _closed_with(standing, area)
    moved = replace(standing, version=standing.version + 1)
    line = Line(RELEASED, data={"alert": area.id})
    return Turned(moved, [line], why=RELEASED, rewait=waits, extra={"area": None})


def has_ended(area: Alert, now: Millis) -> bool:
    """Whether people have closed it. An end that may still be undone is none yet."""
    return area.handling == Handling.RESOLVED and now > int(area.undo.get("until", 0))


def _closed_with(standing: Standing, area: Alert) -> Turned:
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
    by = area.resolved_by or HUB
    return Turned(closed, [line], why="resolved", by=by, rewait=True, deed="alert.resolve")
