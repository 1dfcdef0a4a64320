"""Alerts as rows of the database, with everything a list needs to speak of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, func, or_, true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.auth.scope import Scope
from dashboard.reads.place import Names, names
from hub.store.centre_tables import Alert, Change

OPEN = col(Alert.handling) != "resolved"


def within(scope: Scope) -> ColumnElement[bool]:
    """The scope as a condition on alerts. Nothing of it is left to the page."""
    if not scope.queues:
        return false()
    reached: ColumnElement[bool] = (
        true()
        if scope.everywhere
        else or_(col(Alert.zone).in_(scope.zones), col(Alert.zone) == "", col(Alert.home).in_(scope.homes))
    )
    return col(Alert.queue).in_(scope.queues) & reached


async def cursor(session: AsyncSession) -> int:
    """The newest change. Read it before the rows it stands for: a repeat is harmless, a gap is not."""
    return (await session.exec(select(func.max(Change.seq)))).one() or 0


async def alerts_by_id(session: AsyncSession, ids: Collection[int]) -> list[Alert]:
    """These alerts, whatever their state; the caller checks the scope."""
    return list((await session.exec(select(Alert).where(col(Alert.id).in_(ids)))).all())


async def alert_in(session: AsyncSession, scope: Scope, number: int) -> Alert | None:
    """One alert, open or resolved, if it exists and the scope admits it."""
    return (await session.exec(select(Alert).where(Alert.id == number, within(scope)))).first()


@dataclass(frozen=True, slots=True)
class Told:
    """An alert together with the names needed to tell about it."""

    alert: Alert
    names: Names

    @property
    def id(self) -> int:
        """The alert's number."""
        return self.alert.id or 0

    def staff(self, who: str | None) -> str:
        """A person's name; `hub` and unknown ids stay as they are."""
        return self.names.staff.get(who or "", who or "")


async def told(session: AsyncSession, alerts: Iterable[Alert]) -> list[Told]:
    """Give each alert its names, with one set of queries for all."""
    rows = list(alerts)
    people = {who for row in rows for who in _people(row)}
    found = await names(
        session,
        homes={row.home for row in rows},
        devices={row.device for row in rows if row.device},
        staff=people,
    )
    return [Told(row, found) for row in rows]


def _people(alert: Alert) -> set[str]:
    seen = {str(mark["staff"]) for mark in alert.seen_by}
    return seen | {who for who in (alert.owner, alert.resolved_by) if who}
