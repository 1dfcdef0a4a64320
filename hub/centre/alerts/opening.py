"""From decisions to alerts, inside the transaction that stores the decision (DESIGN.md section 5, step 6).

An episode is one open alert of a rule and key; the database itself allows no second (failure mode AL-2). A raise
or repeat opens it or adds evidence to it. A repeat after a person resolved the alert opens a new one, for
somebody called again. Decisions may come in any order: a clear that is older than the newest match is ignored,
and a raise that comes after its clear is cleared at once (AL-3).
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.centre.access import zone_of
from hub.centre.alerts import rows
from hub.centre.alerts.decisions import OPENING, Judged
from hub.centre.alerts.evidence import Grown, clear, kept, repeat
from hub.centre.alerts.lifecycle import Line
from hub.centre.alerts.refusals import HUB
from hub.centre.alerts.rows import Policy
from hub.centre.alerts.standing import Standing, columns_of, higher, standing_of
from hub.centre.alerts.waiting import waits_for
from hub.store.centre_tables import Alert, DecisionRow, Entry


async def carry_out(session: AsyncSession, judged: Judged, policy: Policy, now: Millis) -> Alert | None:
    """Store a decision and do what it says; gives the alert it touched. A known decision does nothing."""
    await audit.in_order(session)
    row = await _store(session, judged)
    if row is None:
        return None
    alert = await _touch(session, judged, policy, now)
    if alert is not None:
        row.alert = alert.id
        session.add(row)
        await session.flush()
    return alert


async def _touch(session: AsyncSession, judged: Judged, policy: Policy, now: Millis) -> Alert | None:
    alert = await open_alert(session, judged.rule, judged.key)
    if judged.action in OPENING:
        if alert is not None:
            return await _add(session, alert, judged, policy, now)
        return await _open(session, judged, policy, now)
    if judged.action == "clear" and alert is not None:
        return await _clear(session, alert, judged.at, judged.reason, policy, now)
    return None


async def open_alert(session: AsyncSession, rule: str, key: str) -> Alert | None:
    """The open alert of a rule and key, locked for changing."""
    wanted = select(Alert).where(Alert.rule == rule, Alert.key == key, Alert.handling != "resolved")
    wanted = wanted.with_for_update().execution_options(populate_existing=True)
    return (await session.exec(wanted)).first()


async def _store(session: AsyncSession, judged: Judged) -> DecisionRow | None:
    """Write the decision; None where it is already there."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(DecisionRow).values(
        rule=judged.rule,
        key=judged.key,
        at=judged.at,
        action=judged.action,
        home=judged.home,
        body=dict(judged.body),
    )
    kept_once = statement.on_conflict_do_nothing(index_elements=["rule", "key", "at", "action"])
    found = (await session.exec(kept_once.returning(col(DecisionRow.id)))).scalar()
    return await session.get(DecisionRow, found) if found is not None else None


async def _add(session: AsyncSession, alert: Alert, judged: Judged, policy: Policy, now: Millis) -> Alert:
    standing = standing_of(alert)
    grown = repeat(standing, judged.at, judged.because, policy.timers)
    urgent = higher(grown.standing.urgency, judged.urgency)
    standing = replace(grown.standing, urgency=urgent, life_safety=standing.life_safety or judged.life_safety)
    return await _write(session, alert, replace(grown, standing=standing), "repeat", policy, now)


async def _clear(
    session: AsyncSession, alert: Alert, at: Millis, reason: str, policy: Policy, now: Millis
) -> Alert | None:
    if at < alert.last_at or alert.condition == "cleared":
        return None
    grown = clear(standing_of(alert), at, now, reason)
    return await _write(session, alert, grown, "clear", policy, now, deed="alert.clear")


async def _write(
    session: AsyncSession, alert: Alert, grown: Grown, why: str, policy: Policy, now: Millis, deed: str = ""
) -> Alert:
    turned = rows.Turned(
        grown.standing, grown.lines, why=why, rewait=grown.rewait, hasten=grown.hasten, deed=deed
    )
    return await rows.write(session, alert, turned, policy, now)


async def _open(session: AsyncSession, judged: Judged, policy: Policy, now: Millis) -> Alert:
    kind, heard = await _source(session, judged, now)
    standing = Standing(
        urgency=judged.urgency,
        life_safety=judged.life_safety,
        evidence=kept(judged.because),
        last_at=judged.at,
    )
    alert = Alert(
        **columns_of(standing),
        rule=judged.rule,
        key=judged.key,
        home=judged.home,
        zone=await zone_of(session, judged.home),
        device=judged.device,
        kind=kind,
        queue=judged.queue,
        chain=judged.chain,
        says=dict(judged.says),
        staff_action=dict(judged.staff_action),
        because=dict(judged.body),
        at=judged.at,
        heard=heard,
        opened=now,
        before=await _episode_before(session, judged),
    )
    session.add(alert)
    await session.flush()
    await _begin(session, alert, standing, policy, now)
    later = await _later_clear(session, judged)
    if later is not None:
        await _clear(session, alert, later.at, str(later.body.get("reason") or ""), policy, now)
    return alert


async def _begin(
    session: AsyncSession, alert: Alert, standing: Standing, policy: Policy, now: Millis
) -> None:
    wanted = waits_for(standing, policy.chain(alert), policy.timers, now)
    await rows.add_deadlines(session, alert.id or 0, wanted)
    following = await rows.next_step(session, alert.id or 0)
    alert.next_due, alert.next_tell = following["next_due"], following["next_tell"]
    session.add(alert)
    opened = Line("opened", vkp="0", data={"rule": alert.rule, "events": list(standing.evidence)})
    rows.add_lines(session, alert, [opened], HUB, now)
    rows.add_change(session, alert, now)
    deed = audit.Deed(
        at=now,
        actor=HUB,
        action="alert.open",
        home=alert.home,
        subject=f"alert {alert.id}",
        why=alert.rule,
        data={"key": alert.key, "urgency": alert.urgency},
    )
    await audit.write(session, deed)


async def _source(session: AsyncSession, judged: Judged, now: Millis) -> tuple[str, Millis]:
    """Kind of the fact behind it, and when the reason was heard: from the journal, else as the decision tells it.

    An alert that is younger than its newest fact was raised by a deadline: nothing was heard then, and what counts
    is when the decision was made.
    """
    if judged.because:
        wanted = select(Entry).where(Entry.event_id == judged.because[-1], Entry.type == "event").limit(1)
        entry = (await session.exec(wanted)).first()
        if entry is not None:
            by_deadline = entry.at < judged.at and not judged.lag
            return judged.kind or entry.kind, _decided(judged, now) if by_deadline else entry.heard
    return judged.kind, judged.at + judged.lag if judged.lag else _decided(judged, now)


def _decided(judged: Judged, now: Millis) -> Millis:
    """When it was decided: never before the instant it speaks of, never in the future."""
    made = judged.at if judged.made is None else min(judged.made, now)
    return max(judged.at, made)


async def _episode_before(session: AsyncSession, judged: Judged) -> int | None:
    former = select(Alert.id).where(Alert.rule == judged.rule, Alert.key == judged.key)
    return (await session.exec(former.order_by(col(Alert.id).desc()).limit(1))).first()


async def _later_clear(session: AsyncSession, judged: Judged) -> DecisionRow | None:
    """A clear of this episode that overtook its raise on the way."""
    wanted = select(DecisionRow).where(
        DecisionRow.rule == judged.rule,
        DecisionRow.key == judged.key,
        DecisionRow.action == "clear",
        DecisionRow.at >= judged.at,
        col(DecisionRow.alert).is_(None),
    )
    return (await session.exec(wanted.order_by(col(DecisionRow.at)).limit(1))).first()
