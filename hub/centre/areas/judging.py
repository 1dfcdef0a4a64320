"""Judging areas: the rules on `area.*` facts, with the same engine, over what the rules on gateways have decided.

An area is a zone. The decisions table is the journal that is read here: it holds each raise and clear once, in one
order, whoever made it, so several centres and any restart come to the same decisions of areas, and each decision of
theirs is carried out once like all others. Snapshot, ledger and place in the table are stored with what they led to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Event, Millis
from hub.centre import audit, technical
from hub.centre.alerts import opening, rows
from hub.centre.alerts.decisions import OPENING, Judged, read
from hub.centre.alerts.desk import speed_of
from hub.centre.alerts.rows import Policy
from hub.centre.alerts.standing import Condition
from hub.centre.areas import grouping
from hub.centre.areas.counting import Change, Ledger, Out, Town, signs_of
from hub.centre.pulse import Pulse
from hub.clock import Clock
from hub.registry.timers import timers_as_far_as_known
from hub.store.centre_tables import Alert, DecisionRow, EngineState, Home, Municipality, Zone
from hub.store.engine import Store
from rules import Book, Decision, Engine, HomeSpec

ENGINE = "areas"
"""The row of EngineState; `judged` is the number of a decision there."""

LOOK_EVERY = 1.0
"""Seconds of real time between looks when nobody nudges."""

AT_ONCE = 500
"""Decisions read at a time."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one change of a zone leads to. news: the alert that was the change. group: who went out together."""

    zone: str
    decisions: tuple[Decision, ...]
    news: tuple[int, ...] = ()
    group: tuple[Out, ...] = ()

    @property
    def alerts(self) -> set[int]:
        """The alerts that belong to an alert raised now."""
        return {out.alert for out in self.group if out.alert is not None}

    @property
    def events(self) -> tuple[str, ...]:
        """What the gateways of the group said, or last said."""
        return tuple(dict.fromkeys(event for out in self.group for event in out.because))


@dataclass(frozen=True, slots=True)
class Read:
    """What a look found. upto: the newest decision of any rule."""

    changes: Sequence[Change]
    town: Town
    specs: Sequence[HomeSpec]
    span: Millis
    upto: int
    more: bool


class AreaJudging:
    """The centre's rule engine over areas. changed: told when it touched an alert."""

    def __init__(
        self, store: Store, clock: Clock, book: Book, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._store, self._clock, self._changed = store, clock, changed
        self._pulse = Pulse(clock)
        self._take_book(book)
        self._engine = Engine(self._book)
        self._ledger = Ledger(0)
        self._judged = 0
        self._known: dict[str, HomeSpec] = {}
        self._next: Book | None = None

    def _take_book(self, whole: Book) -> None:
        self._book, self._signs = whole.judged_by("area"), signs_of(whole)

    async def use(self, book: Book) -> None:
        """Judge by another book from the next look on."""
        self._next = book
        self._pulse.nudge()

    def nudge(self) -> None:
        """Something was decided: look now."""
        self._pulse.nudge()

    async def run(self) -> None:
        """Judge until cancelled."""
        await self.start()
        while True:
            try:
                await self.take_over()
                await self.step()
            except Exception as broken:
                log.exception("judging areas failed; it starts again from what is stored")
                await self._tell(broken)
                await self.start()
            await self._pulse.wait(LOOK_EVERY * speed_of(self._clock))

    async def _tell(self, broken: Exception) -> None:
        """Homes are still told of one by one, so this is a fault and not a danger."""
        now = self._clock.now()
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy = await rows.policy_of(session, speed=speed_of(self._clock))
            names = {"problem": f"{type(broken).__name__}: {broken!s:.200}"}
            await technical.found(session, technical.AREAS, "centre", policy, now, names=names)

    # -- taking up ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up the stored state; without one, count what stands now and judge that, not the past."""
        now = self._clock.now()
        self._engine, self._ledger = Engine(self._book, started=now), Ledger(0)
        async with self._store.reading() as session:
            stored = await session.get(EngineState, ENGINE)
            known = stored is not None and self._restore(stored.snapshot)
            self._judged = stored.judged if stored and known else 0
            found = await self._read(session, self._judged, limit=0 if known else None)
        self._ledger.span, self._known = found.span, {}
        self._meet(found.specs)
        if known:
            return
        for change in found.changes:
            self._ledger.take(change, self._signs[change.rule], found.town)
        self._judged = found.upto
        await self._write(self._count_anew(found.town, now), now)

    def _restore(self, snapshot: Mapping[str, Any]) -> bool:
        """A snapshot that cannot be read costs knowledge, not alerts: it is all counted anew."""
        try:
            self._ledger.unpack(snapshot["ledger"])
            self._engine.restore(snapshot["engine"])
        except Exception:
            log.exception("the stored state of the areas cannot be read; they are counted anew")
            self._engine, self._ledger = Engine(self._book, started=self._clock.now()), Ledger(0)
            return False
        return True

    async def take_over(self) -> None:
        """Swap the book, if there is another one, and judge by it how every zone stands now."""
        book, self._next = self._next, None
        if book is None:
            return
        now = self._clock.now()
        async with self._store.reading() as session:
            found = await self._read(session, self._judged, limit=0)
        self._take_book(book)
        decisions = self._engine.reload(self._book, now)
        self._ledger.forget(self._signs, found.town.zones)
        ended = [Verdict(decision.home, (decision,)) for decision in decisions]
        await self._write([*ended, *self._count_anew(found.town, now)], now)

    def _count_anew(self, town: Town, now: Millis) -> list[Verdict]:
        counted = {zone for out in self._ledger.outs.values() for zone in out.zones}
        return [
            one
            for zone in sorted(counted)
            for one in self._judge(self._ledger.counted(zone, town, None, now))
        ]

    def _meet(self, specs: Iterable[HomeSpec]) -> None:
        for spec in specs:
            if self._known.get(spec.id) != spec:
                self._known[spec.id] = spec
                self._engine.set_home(spec)

    # -- judging ------------------------------------------------------------------------------------------------

    async def step(self) -> int:
        """Judge what was decided since, and let time pass; gives the number of alerts and decisions touched."""
        touched = 0
        while True:
            async with self._store.reading() as session:
                found = await self._read(session, self._judged, limit=AT_ONCE)
                loose = await grouping.loose(session)
            now = self._clock.now()
            self._ledger.span = found.span
            self._meet(found.specs)
            verdicts = [one for change in found.changes for one in self._verdicts(change, found.town)]
            if not found.more:
                verdicts += self._due(self._engine.advance(now))
            self._judged = found.upto
            if verdicts or loose:
                touched += await self._write(verdicts, now, loose)
            if not found.more:
                return touched

    def _verdicts(self, change: Change, town: Town) -> list[Verdict]:
        zones = self._ledger.take(change, self._signs[change.rule], town)
        news = (change.alert,) if change.raised and change.alert is not None else ()
        events = [self._ledger.counted(zone, town, change, self._ledger.at) for zone in zones]
        return [one for event in events for one in self._judge(event, news)]

    def _judge(self, event: Event, news: tuple[int, ...] = ()) -> list[Verdict]:
        """One count and what it means at once: a rule without `for` raises at this very instant."""
        decisions = [*self._engine.observe(event), *self._engine.advance(event.at + 1)]
        here = tuple(each for each in decisions if each.home == event.home)
        return [Verdict(event.home, here, news, self._members(event.home)), *self._due(decisions, event.home)]

    def _due(self, decisions: Iterable[Decision], but: str = "") -> list[Verdict]:
        """Decisions of deadlines, each with those who are out together in its zone."""
        return [
            Verdict(each.home, (each,), (), self._members(each.home))
            for each in decisions
            if each.home != but
        ]

    def _members(self, zone: str) -> tuple[Out, ...]:
        """Every reason of the gateways that went out together."""
        together = {out.gateway for out in self._ledger.together(zone)}
        return tuple(out for out in self._ledger.of(zone) if out.gateway in together)

    # -- carrying out -------------------------------------------------------------------------------------------

    async def _write(self, verdicts: Sequence[Verdict], now: Millis, loose: Iterable[int] = ()) -> int:
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy = await rows.policy_of(session, speed=speed_of(self._clock))
            for verdict in verdicts:
                await self._carry_out(session, verdict, policy, now)
            touched = await grouping.tidy(session, loose, policy, now)
            snapshot = {"engine": self._engine.snapshot(), "ledger": self._ledger.pack()}
            await session.merge(EngineState(id=ENGINE, judged=self._judged, snapshot=snapshot))
            await technical.over(session, technical.AREAS, "centre", policy, now, "they are judged again")
        touched += sum(len(verdict.decisions) for verdict in verdicts)
        if touched or any(verdict.news for verdict in verdicts):
            self._changed()
        return touched

    async def _carry_out(self, session: AsyncSession, verdict: Verdict, policy: Policy, now: Millis) -> None:
        for decision in verdict.decisions:
            alert = await opening.carry_out(session, _placed(decision, verdict, now), policy, now)
            if alert is not None and decision.action in OPENING:
                await grouping.join(session, alert.id or 0, verdict.alerts, policy, now)
        if verdict.news:
            for area in await self._standing(session, verdict.zone):
                await grouping.join(session, area, verdict.news, policy, now)

    async def _standing(self, session: AsyncSession, zone: str) -> Sequence[int]:
        """The open alerts of a zone that area rules have raised and that still are so."""
        wanted = select(Alert.id).where(
            Alert.key == zone,
            col(Alert.rule).in_(list(self._book.rules)),
            Alert.handling != "resolved",
            Alert.condition != Condition.CLEARED,
        )
        found = (await session.exec(wanted.order_by(col(Alert.id)))).all()
        return [number for number in found if number is not None]

    # -- reading ------------------------------------------------------------------------------------------------

    async def _read(self, session: AsyncSession, after: int, limit: int | None) -> Read:
        upto = (await session.exec(select(func.max(DecisionRow.id)))).first() or 0
        found = await _fresh(session, self._signs, after, upto, limit)
        full = limit is not None and 0 < limit == len(found)
        settings = await session.get(Municipality, 1)
        body = settings.body if settings else {}
        town = await town_of(session)
        tz = str(body.get("tz", "Europe/Oslo"))
        return Read(
            changes=[_change(row) for row in found],
            town=town,
            specs=[HomeSpec(zone, tz, {"name": name}, {}, late_ms=0) for zone, name in town.names.items()],
            span=timers_as_far_as_known(body.get("timers", {})).area * 1000,
            upto=(found[-1].id or 0) if full else upto,
            more=full,
        )


async def town_of(session: AsyncSession) -> Town:
    """Zones, and which gateways serve homes in them."""
    zones: dict[str, dict[str, None]] = {}
    served = select(Home.gateway, Home.zone).where(col(Home.gateway).is_not(None)).order_by(col(Home.id))
    for gateway, zone in (await session.exec(served)).all():
        zones.setdefault(gateway or "", {})[zone] = None
    names = dict((await session.exec(select(Zone.id, Zone.name).order_by(col(Zone.id)))).all())
    return Town({gateway: tuple(each) for gateway, each in zones.items()}, names)


async def _fresh(
    session: AsyncSession, rules: Iterable[str], after: int, upto: int, limit: int | None
) -> Sequence[DecisionRow]:
    """Raises and clears of the rules that put gateways out, in the order in which they were decided."""
    wanted = select(DecisionRow).where(
        col(DecisionRow.id) > after,
        col(DecisionRow.id) <= upto,
        col(DecisionRow.rule).in_(list(rules)),
        col(DecisionRow.action).in_(["raise", "clear"]),
    )
    wanted = wanted.order_by(col(DecisionRow.id))
    return (await session.exec(wanted if limit is None else wanted.limit(limit))).all()


def _change(row: DecisionRow) -> Change:
    """A gateway is a home of its own to the rules on gateways (hub.centre.judging)."""
    return Change(
        rule=row.rule,
        gateway=str(row.body.get("home") or row.key),
        at=row.at,
        raised=row.action == "raise",
        because=tuple(str(each) for each in row.body.get("because") or ()),
        alert=row.alert,
    )


def _placed(decision: Decision, verdict: Verdict, now: Millis) -> Judged:
    """The decision as one of its zone, with what the gateways said as evidence."""
    because = verdict.events or tuple(decision.because)
    body = {**decision.as_json(), "because": list(because)}
    return replace(read(body), home="", zone=decision.home, device="", made=now)
