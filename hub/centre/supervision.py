"""Supervision: what the centre looks after by itself, once a minute of the homes' time.

Holes in lanes that stay; gateways unheard, whose homes' conditions nobody can know; strangers since registered;
old changes that no screen will ask for. Each look is its own small transaction, and one that fails stops no other
(failure mode RT-9).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlalchemy import delete
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit, metrics, technical
from hub.centre.alerts import rows
from hub.centre.alerts.desk import speed_of
from hub.centre.alerts.evidence import lose_sight, regain_sight
from hub.centre.alerts.rows import Policy
from hub.centre.alerts.standing import Condition, standing_of
from hub.clock import Clock
from hub.registry.timers import Timers
from hub.store.centre_tables import Alert, Change, Entry, Gateway, Home, Lane, StoreFact
from hub.store.engine import Store

EVERY = 60.0
"""Seconds of the homes' time between two looks."""

FIRST_LOOK = "first_look"
"""StoreFact: when this centre first looked, ms UTC of the homes' time."""

HEARTBEATS_KEPT: Millis = 3 * 86_400_000
"""How long heartbeats of gateways stay in the journal: a line a minute and box, and nobody looks at them again."""

WALKED, WALK = "heartbeats_walked", 5_000
"""StoreFact: up to which line of the journal old heartbeats are gone; lines walked in one look."""

CHANGES_KEPT = 100_000
"""Rows of the screens' outbox; a screen that was away longer reads everything anew."""

log = structlog.get_logger()


class Supervision:
    """Looks after what nobody reports."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        changed: Callable[[], None] = lambda: None,
        timers: Timers | None = None,
    ) -> None:
        self._store, self._clock, self._changed, self._timers = store, clock, changed, timers

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(EVERY)

    async def look(self) -> None:
        """One round."""
        for one in (gaps, sights, strangers, never_heard, old_changes, old_heartbeats, count_open):
            await self._isolated(one)
        self._changed()

    async def _isolated(self, one: Callable[[AsyncSession, Policy, Millis], Awaitable[None]]) -> None:
        now = self._clock.now()
        try:
            async with self._store.writing() as session:
                await audit.in_order(session)
                policy = await rows.policy_of(session, self._timers, speed_of(self._clock))
                await one(session, policy, now)
        except Exception:
            log.exception("a look of the supervision failed; the others go on", look=one.__name__)


async def gaps(session: AsyncSession, policy: Policy, now: Millis) -> None:
    """Raise what is missing from a lane for too long, and clear it when it came after all."""
    holes = (await session.exec(select(Lane).where(col(Lane.gap_since).is_not(None)))).all()
    missing = set()
    for lane in holes:
        key = f"{lane.gateway}/{lane.lane}/{lane.epoch}"
        missing.add(key)
        if lane.gap_since is None or await _answered(session, key, lane.gap_since):
            continue
        if now - lane.gap_since >= policy.timers.gap * 1000:
            names = {"lane": technical.LANE_WORDS.get(lane.lane, lane.lane), "number": lane.upto}
            await technical.found(session, technical.GAP, key, policy, now, gateway=lane.gateway, names=names)
    for alert in await _open(session, technical.GAP.rule):
        if alert.key not in missing:
            await technical.over(session, technical.GAP, alert.key, policy, now, "the missing entries came")


async def _answered(session: AsyncSession, key: str, since: Millis) -> bool:
    """Whether a person has closed the alert about this very hole: one that nothing can fill is told once."""
    closed = select(Alert.id).where(
        Alert.rule == technical.GAP.rule, Alert.key == key, col(Alert.resolved_at) >= since
    )
    return (await session.exec(closed.limit(1))).first() is not None


async def sights(session: AsyncSession, policy: Policy, now: Millis) -> None:
    """Conditions behind an unheard gateway become unknown, and known again when it is heard (promise 4)."""
    limit = now - policy.timers.silent * 1000
    quiet = select(Gateway.id).where(func.coalesce(Gateway.last_heard, Gateway.since) < limit)
    blind = set((await session.exec(quiet)).all())
    homes = dict((await session.exec(select(Home.id, Home.gateway))).all())
    care = select(Alert).where(
        Alert.handling != "resolved", Alert.queue == "care", Alert.condition != "cleared"
    )
    for alert in (await session.exec(care)).all():
        unseen = homes.get(alert.home) in blind
        if unseen == (alert.condition == Condition.UNKNOWN):
            continue
        grown = (lose_sight if unseen else regain_sight)(standing_of(alert))
        turned = rows.Turned(grown.standing, grown.lines, why="sight")
        await rows.write(session, alert, turned, policy, now)


async def strangers(session: AsyncSession, policy: Policy, now: Millis) -> None:
    """A gateway that was registered meanwhile is no stranger any more."""
    for alert in await _open(session, technical.UNKNOWN_GATEWAY.rule):
        if await session.get(Gateway, alert.key) is not None:
            await technical.over(
                session, technical.UNKNOWN_GATEWAY, alert.key, policy, now, "the gateway is registered now"
            )


async def never_heard(session: AsyncSession, policy: Policy, now: Millis) -> None:
    """Registered a while ago and never heard: no rule can miss what never spoke."""
    began = await _watching_since(session, now)
    patience = policy.timers.never_heard * 1000
    silent = select(Gateway.id, Gateway.since).where(col(Gateway.last_heard).is_(None))
    never = dict((await session.exec(silent)).all())
    for alert in await _open(session, technical.NEVER_HEARD.rule):
        if alert.key not in never:
            reason = "the gateway was heard"
            await technical.over(session, technical.NEVER_HEARD, alert.key, policy, now, reason)
    for gateway, since in never.items():
        if now - max(since, began) >= patience:
            await technical.found(session, technical.NEVER_HEARD, gateway, policy, now, gateway=gateway)


async def _watching_since(session: AsyncSession, now: Millis) -> Millis:
    """When this centre first looked, which is when waiting for anybody began."""
    fact = await session.get(StoreFact, FIRST_LOOK)
    if fact is None:
        await rows.store_fact(session, FIRST_LOOK, str(now))
        return now
    return int(fact.value)


async def _open(session: AsyncSession, rule: str) -> Sequence[Alert]:
    return (await session.exec(select(Alert).where(Alert.rule == rule, Alert.handling != "resolved"))).all()


async def old_changes(session: AsyncSession, _policy: Policy, _now: Millis) -> None:
    """Forget changes that no screen's cursor will ask for."""
    newest = (await session.exec(select(func.max(Change.seq)))).first() or 0
    await session.exec(delete(Change).where(col(Change.seq) <= newest - CHANGES_KEPT))


async def old_heartbeats(session: AsyncSession, _policy: Policy, now: Millis) -> None:
    """Forget old heartbeats of gateways, walking through the journal once, a piece a look."""
    fact = await session.get(StoreFact, WALKED)
    upto = int(fact.value) if fact else 0
    piece = select(Entry.seq).where(col(Entry.seq) > upto, Entry.received < now - HEARTBEATS_KEPT)
    last = (
        await session.exec(select(func.max(piece.order_by(col(Entry.seq)).limit(WALK).subquery().c.seq)))
    ).first()
    if last is None:
        return
    old = delete(Entry).where(
        col(Entry.seq) > upto, col(Entry.seq) <= last, col(Entry.kind) == "gateway.heartbeat"
    )
    await session.exec(old)
    await rows.store_fact(session, WALKED, str(last))


async def count_open(session: AsyncSession, _policy: Policy, _now: Millis) -> None:
    """Open alerts by urgency, for the metrics."""
    counted = (
        select(Alert.urgency, func.count()).where(Alert.handling != "resolved").group_by(col(Alert.urgency))
    )
    found = dict((await session.exec(counted)).all())
    for urgency in ("critical", "high", "moderate", "low"):
        metrics.ALERTS_OPEN.labels(urgency).set(found.get(urgency, 0))
