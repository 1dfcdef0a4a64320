"""Whose steps wait because people are told of the area instead (failure mode AL-4).

While an area's alert speaks for a technical alert of a home, nobody is told of that home by itself: forty silent
gateways are one message and a list, not forty. An alert on which a life hangs is never bundled, nor one that is more
urgent than the area's own, nor any while the area's alert is put off. A step that waits stays in its place, and is
told after all when the area's alert has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre.alerts.case import Case, Wait
from hub.centre.alerts.docket import Docket
from hub.centre.alerts.standing import URGENCIES, Handling
from hub.centre.areas.grouping import has_ended
from hub.store.centre_tables import Alert

Steps: TypeAlias = Sequence[tuple[Case, Wait]]


async def by_themselves(docket: Docket, steps: Steps) -> Steps:
    """The steps of which people are to be told now; those of bundled alerts are put off."""
    bundled = await spoken_for(docket.session, [case for case, _ in steps], docket.now)
    for case, wait in steps:
        if case.id in bundled:
            again = docket.policy.timers.again(case.standing.urgency)
            wait.due, wait.changed = docket.now + again * 1000, True
    return [(case, wait) for case, wait in steps if case.id not in bundled]


async def spoken_for(session: AsyncSession, cases: Sequence[Case], now: Millis) -> set[int]:
    """The alerts for which an area's speaks."""
    mine = {case.id: case for case in cases if case.id is not None and case.queue == "technical"}
    if not mine:
        return set()
    area = aliased(Alert)
    wanted = (
        select(Alert.id, area)
        .join(area, col(Alert.area) == col(area.id))
        .where(col(Alert.id).in_(list(mine)))
    )
    found = (await session.exec(wanted)).all()
    return {number for number, whole in found if number is not None and speaks_for(whole, mine[number], now)}


def speaks_for(area: Alert, case: Case, now: Millis) -> bool:
    """Whether telling people of the area tells them of this alert too."""
    standing = case.standing
    beneath = URGENCIES.index(standing.urgency) <= URGENCIES.index(area.urgency)
    bundled = case.queue == area.queue == "technical" and beneath and not standing.life_safety
    return bundled and area.handling != Handling.SNOOZED and not has_ended(area, now)
