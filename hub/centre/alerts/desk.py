"""Where people act on alerts. Each action is one transaction: alert, timeline, deadlines, audit and change.

    desk = AlertDesk(store, clock)
    alert = await desk.take(17, version=4, actor=nils, origin="web 10.0.0.7")

Of two people who take at the same moment exactly one succeeds; the other reads who was first. Everything that
is not carried out raises an AlertError whose `says` holds the sentence in `nb` and `en`.
"""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre.access import ANSWER_QUEUE, SEE_QUEUE, Actor
from hub.centre.alerts import refusals, rows
from hub.centre.alerts.lifecycle import UNDOABLE, Action, Moved, act, undo
from hub.centre.alerts.refusals import AlertError, NotAllowed, NotFound, Refused, Scene, Stale
from hub.centre.alerts.standing import standing_of
from hub.clock import Clock
from hub.registry.timers import Timers
from hub.store.centre_tables import Alert, Home, Municipality, Staff
from hub.store.engine import Store

__all__ = ["AlertDesk", "AlertError", "NotAllowed", "NotFound", "Refused", "Stale"]


def speed_of(clock: Clock) -> float:
    """How fast this clock runs beside a person's own: 1 unless it is scaled."""
    return float(getattr(clock, "speed", 1.0))


class AlertDesk:
    """What a person can do with an alert. timers: fixed ones for tests; else the municipality's hold."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        timers: Timers | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._clock, self._timers, self._changed = store, clock, timers, changed

    async def seen(self, alert_id: int, version: int, actor: Actor, origin: str) -> Alert:
        """Silence the sound for this person; the chain runs on."""
        return await self.act(alert_id, Action("seen", version), actor, origin)

    async def take(self, alert_id: int, version: int, actor: Actor, origin: str) -> Alert:
        """Make this person responsible; the chain stops, and the answer must move on in time."""
        return await self.act(alert_id, Action("take", version), actor, origin)

    async def step(self, alert_id: int, version: int, actor: Actor, origin: str, *, step: str) -> Alert:
        """Say what the person who took it is doing: calling, on_the_way or at_the_door."""
        return await self.act(alert_id, Action("step", version, step=step), actor, origin)

    async def take_over(self, alert_id: int, version: int, actor: Actor, origin: str) -> Alert:
        """Take it from the person who has it."""
        return await self.act(alert_id, Action("take_over", version), actor, origin)

    async def hand_back(self, alert_id: int, version: int, actor: Actor, origin: str) -> Alert:
        """Give it up: it is new again and its chain starts anew."""
        return await self.act(alert_id, Action("hand_back", version), actor, origin)

    async def snooze(
        self, alert_id: int, version: int, actor: Actor, origin: str, *, until: Millis, reason: str
    ) -> Alert:
        """Put it off until a time (ms UTC of the homes' clock); never where a life may depend on it."""
        return await self.act(alert_id, Action("snooze", version, until=until, reason=reason), actor, origin)

    async def resolve(
        self,
        alert_id: int,
        version: int,
        actor: Actor,
        origin: str,
        *,
        cause: str,
        measure: str,
        note: str = "",
    ) -> Alert:
        """End it, with a code of CAUSES, one of MEASURES and a note of at most 500 characters."""
        action = Action("resolve", version, cause=cause, measure=measure, note=note)
        return await self.act(alert_id, action, actor, origin)

    async def act(self, alert_id: int, action: Action, actor: Actor, origin: str) -> Alert:
        """Carry out any action of the table. Raises Stale, Refused or NotFound."""

        def move(alert: Alert, scene: Scene, timers: Timers) -> Moved:
            return act(standing_of(alert), action, scene, timers)

        return await self._carry_out(alert_id, actor, origin, action.name, move)

    async def undo(self, alert_id: int, version: int, actor: Actor, origin: str) -> Alert:
        """Take this person's own last action back, while that is possible."""

        def move(alert: Alert, scene: Scene, _timers: Timers) -> Moved:
            return undo(standing_of(alert), version, scene)

        return await self._carry_out(alert_id, actor, origin, "undo", move)

    async def _carry_out(
        self,
        alert_id: int,
        actor: Actor,
        origin: str,
        name: str,
        move: Callable[[Alert, Scene, Timers], Moved],
    ) -> Alert:
        now = self._clock.now()
        async with self._store.writing() as session:
            alert = await reach(session, alert_id, actor)
            policy = await rows.policy_of(session, self._timers, speed_of(self._clock))
            scene = await scene_of(session, alert, actor.staff, now)
            before = dict(alert.undo)
            moved = move(alert, scene, policy.timers)
            if not moved.lines:
                return alert
            if name == "undo":
                await _undo_waiting(session, alert, before, now)
            turned = rows.Turned(
                moved.standing,
                moved.lines,
                why=name,
                by=actor.staff,
                rewait=moved.rewait,
                origin=origin,
                deed=f"alert.{name}",
            )
            try:
                await rows.write(session, alert, turned, policy, now)
            except rows.Clash:
                raise Stale(refusals.as_it_stands(standing_of(alert), scene)) from None
        self._changed()
        return alert


async def reach(session: AsyncSession, alert_id: int, actor: Actor) -> Alert:
    """The alert, locked for changing, if this person may answer it."""
    alert = await rows.locked(session, alert_id)
    if alert is None or not actor.may(SEE_QUEUE[alert.queue], zone=alert.zone, home=alert.home):
        raise NotFound(refusals.NOT_FOUND)
    if not actor.may(ANSWER_QUEUE[alert.queue], zone=alert.zone, home=alert.home):
        raise NotAllowed(refusals.NO_RIGHT)
    return alert


async def scene_of(session: AsyncSession, alert: Alert, actor: str, now: Millis) -> Scene:
    """What a sentence about this alert needs: names, and whose clock it speaks."""
    wanted = [person for person in (alert.owner, alert.resolved_by) if person]
    named = (await session.exec(select(Staff).where(col(Staff.id).in_(wanted)))).all()
    names = {person.id: person.name for person in named}
    home = await session.get(Home, alert.home) if alert.home else None
    settings = await session.get(Municipality, 1)
    tz = home.tz if home else (settings.body if settings else {}).get("tz", "Europe/Oslo")
    return Scene(actor, now, lambda staff: names.get(staff, staff), ZoneInfo(tz))


async def _undo_waiting(session: AsyncSession, alert: Alert, last: dict[str, object], now: Millis) -> None:
    """Wait again for what the undone action had stopped, and no more for what it had begun."""
    if last.get("action") == "resolve":
        same = select(Alert.id).where(
            Alert.rule == alert.rule, Alert.key == alert.key, Alert.handling != "resolved"
        )
        if (await session.exec(same)).first() is not None:
            raise Refused(refusals.RAISED_AGAIN)
    if last.get("action") in UNDOABLE and "closed" in last:
        await rows.close_deadlines(session, alert.id or 0, now, "undone")
        closed = last["closed"]
        await rows.reopen_deadlines(session, closed if isinstance(closed, list) else [])
