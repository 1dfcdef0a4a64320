"""Writing a transition down: alert, deadlines, timeline, audit and change, in the one transaction of a session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.centre.alerts.chains import Chain, chain_from, chain_of
from hub.centre.alerts.lifecycle import Line
from hub.centre.alerts.refusals import HUB
from hub.centre.alerts.standing import Standing, columns_of
from hub.centre.alerts.waiting import STEP, Wanted, waits_for
from hub.registry.timers import Timers, timers_as_far_as_known
from hub.store.centre_tables import Alert, AlertLine, Change, Deadline, Municipality, StoreFact
from hub.store.centre_tables import Chain as ChainRow


class Clash(Exception):  # noqa: N818 - it names what happened, and is caught at once
    """Somebody else changed the alert between our reading and our writing."""


BOOK_CHAINS = "book_chains"
"""The rule book's chains, which a centre stores at its start so that every process goes by them (StoreFact)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers and chains that hold just now. speed: of the homes' clock, by which people's steps last longer."""

    timers: Timers
    chains: dict[str, Chain] = field(default_factory=dict)
    speed: float = 1.0

    def chain(self, alert: Alert, urgency: str = "") -> Chain:
        """Whom to tell about this alert, and when."""
        steps = chain_of(alert.chain, alert.queue, urgency or alert.urgency, self.chains)
        return tuple(replace(step, after=round(step.after * self.speed)) for step in steps)


async def policy_of(session: AsyncSession, fixed: Timers | None = None, speed: float = 1.0) -> Policy:
    """Read the municipality's timers and all chains; `fixed` timers come before the registry's.

    Chains of the registry come before those of the rule book. speed: how fast the homes' clock runs.
    """
    settings = await session.get(Municipality, 1)
    timers = fixed or timers_as_far_as_known((settings.body if settings else {}).get("timers", {}))
    book = await session.get(StoreFact, BOOK_CHAINS)
    chains = {name: chain_from(steps) for name, steps in orjson.loads(book.value if book else "{}").items()}
    stored = (await session.exec(select(ChainRow))).all()
    chains |= {row.id: chain_from(row.steps) for row in stored if row.steps}
    return Policy(timers.paced(speed), chains, speed)


async def store_fact(session: AsyncSession, name: str, value: str) -> None:
    """Write down a fact about this centre."""
    await session.merge(StoreFact(name=name, value=value))


@dataclass(frozen=True, slots=True)
class Turned:
    """One transition, ready to be written. why: closes the deadlines that fall away, and names the deed.

    by: staff id or `hub`. hasten: the next step is due now. deed: an audit row, unless it is empty.
    """

    standing: Standing
    lines: Sequence[Line]
    why: str
    by: str = HUB
    rewait: bool = False
    hasten: bool = False
    origin: str = ""
    deed: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


async def locked(session: AsyncSession, alert: int) -> Alert | None:
    """Read an alert for changing it: nobody else can, until this transaction ends."""
    await audit.in_order(session)
    wanted = (
        select(Alert).where(Alert.id == alert).with_for_update().execution_options(populate_existing=True)
    )
    return (await session.exec(wanted)).first()


async def write(session: AsyncSession, alert: Alert, turned: Turned, policy: Policy, now: Millis) -> Alert:
    """Write a transition and give the alert back as it then stands. Raises Clash when its version moved."""
    await audit.in_order(session)
    before = alert.version
    closed, opened = await _rewait(session, alert, turned, policy, now)
    if turned.hasten:
        await hasten(session, alert.id or 0, now)
    columns = columns_of(turned.standing) | turned.extra
    if columns["undo"] and turned.rewait:
        columns["undo"] |= {"closed": closed, "opened": opened}
    columns |= await next_step(session, alert.id or 0)
    table = col(Alert.id), col(Alert.version)
    changed = update(Alert).where(table[0] == alert.id, table[1] == before).values(**columns)
    outcome = await session.exec(changed.execution_options(synchronize_session=False))
    if outcome.rowcount != 1:
        raise Clash
    await session.refresh(alert)
    add_lines(session, alert, turned.lines, turned.by, now)
    add_change(session, alert, now)
    if turned.deed:
        await audit.write(session, _deed(alert, turned, now))
    await session.flush()
    return alert


def _deed(alert: Alert, turned: Turned, now: Millis) -> audit.Deed:
    said = {name: value for line in turned.lines for name, value in line.data.items() if name != "note"}
    return audit.Deed(
        at=now,
        actor=turned.by,
        action=turned.deed,
        home=alert.home,
        subject=f"alert {alert.id}",
        why=str(said.get("reason", "")),
        origin=turned.origin,
        data={"version": alert.version, **said},
    )


async def _rewait(
    session: AsyncSession, alert: Alert, turned: Turned, policy: Policy, now: Millis
) -> tuple[list[int], list[int]]:
    if not turned.rewait:
        return [], []
    closed = await close_deadlines(session, alert.id or 0, now, turned.why)
    chain = policy.chain(alert, turned.standing.urgency)
    wanted = waits_for(turned.standing, chain, policy.timers, now)
    return closed, await add_deadlines(session, alert.id or 0, wanted)


async def close_deadlines(session: AsyncSession, alert: int, now: Millis, why: str) -> list[int]:
    """Let everything that the alert waited for fall away; gives the rows' ids."""
    waiting = select(Deadline.id).where(Deadline.alert == alert, col(Deadline.done).is_(None))
    ids = [row for row in (await session.exec(waiting)).all() if row is not None]
    fall = update(Deadline).where(col(Deadline.id).in_(ids)).values(done=now, outcome=why)
    await session.exec(fall.execution_options(synchronize_session=False))
    return ids


async def reopen_deadlines(session: AsyncSession, ids: Iterable[int]) -> None:
    """Let these deadlines wait again: the action that closed them is undone."""
    again = update(Deadline).where(col(Deadline.id).in_(list(ids)))
    again = again.values(done=None, outcome="", claimed_by=None, claimed_until=None)
    await session.exec(again.execution_options(synchronize_session=False))


async def add_deadlines(session: AsyncSession, alert: int, wanted: Iterable[Wanted]) -> list[int]:
    """Write down what the alert waits for; gives the rows' ids."""
    rows = [Deadline(alert=alert, purpose=one.purpose, due=one.due, data=dict(one.data)) for one in wanted]
    session.add_all(rows)
    await session.flush()
    return [row.id for row in rows if row.id is not None]


async def hasten(session: AsyncSession, alert: int, now: Millis) -> None:
    """Bring the next step of the chain forward to now."""
    step = await _next(session, alert)
    if step is not None and step.due > now:
        step.due = now
        session.add(step)
        await session.flush()


async def next_step(session: AsyncSession, alert: int) -> dict[str, Any]:
    """The next escalation, for the alert's row."""
    step = await _next(session, alert)
    if step is None:
        return {"next_due": None, "next_tell": ""}
    return {"next_due": step.due, "next_tell": str(step.data.get("tell", ""))}


async def _next(session: AsyncSession, alert: int) -> Deadline | None:
    waiting = (
        select(Deadline)
        .where(Deadline.alert == alert, Deadline.purpose == STEP, col(Deadline.done).is_(None))
        .order_by(col(Deadline.due), col(Deadline.id))
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return (await session.exec(waiting)).first()


def add_lines(session: AsyncSession, alert: Alert, lines: Iterable[Line], by: str, now: Millis) -> None:
    """Append to the alert's timeline."""
    for line in lines:
        session.add(
            AlertLine(alert=alert.id or 0, at=now, what=line.what, by=by, vkp=line.vkp, data=dict(line.data))
        )


def add_change(session: AsyncSession, alert: Alert, now: Millis) -> None:
    """Tell the dashboards that this alert is to be drawn anew."""
    session.add(Change(at=now, subject="alert", ref=str(alert.id), home=alert.home, zone=alert.zone))
