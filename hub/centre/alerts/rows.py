"""One alert's rows, for whoever works on one alone: a person's action, a look of the supervision.

The same steps for many alerts at once are in `hub.centre.alerts.docket`, by which this writes too.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.centre.alerts.case import Case, Turned
from hub.centre.alerts.docket import Clash, Docket
from hub.centre.alerts.policy import BOOK_CHAINS, Policy, policy_of, store_fact
from hub.store.centre_tables import Alert, Deadline

__all__ = [
    "BOOK_CHAINS",
    "Clash",
    "Policy",
    "Turned",
    "close_deadlines",
    "locked",
    "policy_of",
    "reopen_deadlines",
    "store_fact",
    "write",
]


async def locked(session: AsyncSession, alert: int) -> Alert | None:
    """Read an alert for changing it: nobody else can, until this transaction ends."""
    await audit.in_order(session)
    wanted = (
        select(Alert).where(Alert.id == alert).with_for_update().execution_options(populate_existing=True)
    )
    return (await session.exec(wanted)).first()


async def write(session: AsyncSession, alert: Alert, turned: Turned, policy: Policy, now: Millis) -> Alert:
    """Write a transition and give the alert back as it then stands. Raises Clash when its version moved."""
    docket, case = Docket(session, policy, now), Case.of(alert)
    await docket.add([case])
    case.turn(turned, policy, now)
    await docket.write()
    await session.refresh(alert)
    return alert


async def close_deadlines(session: AsyncSession, alert: int, now: Millis, why: str) -> None:
    """Let everything that the alert waited for fall away."""
    fall = update(Deadline).where(col(Deadline.alert) == alert, col(Deadline.done).is_(None))
    fall = fall.values(done=now, outcome=why)
    await session.exec(fall.execution_options(synchronize_session=False))


async def reopen_deadlines(session: AsyncSession, ids: Iterable[int]) -> None:
    """Let these deadlines wait again: the action that closed them is undone."""
    again = update(Deadline).where(col(Deadline.id).in_(list(ids)))
    again = again.values(done=None, outcome="", claimed_by=None, claimed_until=None)
    await session.exec(again.execution_options(synchronize_session=False))
