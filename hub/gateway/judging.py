"""Judging: committed events through the rules, decisions into the journal, and nothing forgotten by a restart.

The engine's state is a function of the journal: a snapshot is stored now and then together with the line it
covers, and a restart reads the lines after it again. Decisions come out the same, and the journal has each of
them once by its identity (rule, key, instant, action), so being killed at any point changes nothing.
Time moves in the journal's order: before an event is observed, deadlines up to its hearing are let pass.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import orjson
import structlog

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis, iso
from hub.clock import Clock
from hub.gateway import catch_all, journal, lanes, orders
from hub.gateway.journal import Line
from hub.gateway.late_reports import told_all_the_same
from hub.gateway.local_action import LocalAction
from hub.gateway.steady_clock import Cut
from hub.store.errors import StoreError
from hub.store.writer import FINAL, Writer
from hub.uplink.messages import LaneName, Order
from rules import Book, Decision, Engine, HomeSpec
from rules.clock_set import clock_set
from rules.reload import horizon

SNAPSHOT_EVERY: Millis = 60_000
"""World time between two snapshots; what comes after the last one is read again from the journal."""

AT_ONCE = 256
"""Events judged before their decisions are committed."""

LONGEST_SLEEP = 30.0
"""Seconds of world time after which the clock is looked at again, in case it was set."""

STARTED = "gateway.started"

DEAF_AFTER: Millis = 600_000
"""A start this long after the newest event before it ends a deafness; the gateway's own heartbeat comes oftener."""

AGAIN: Millis = 250
"""World time until a deadline that could not pass yet is tried again, if nothing else wakes us before."""

LOOK_BACK: Millis = 2 * 86_400_000
"""How far back the journal is read at least for new rules: what is so may have been said long before their spans."""

PAUSE = (0.5, 2.0)
"""Seconds between attempts to write decisions while the disk is full or the database is held."""

say = structlog.get_logger(__name__)


def engine_at_work(book: Book, started: Millis) -> Engine:
    """The engine as a gateway runs it: an answer heard late counts for what still waits for it."""
    return Engine(book, started, believe_late=True)


class Judge(Protocol):
    """What is asked of a rule engine."""

    def set_home(self, spec: HomeSpec) -> object:
        """Add or change a home."""
        ...

    def observe(self, event: Event) -> Sequence[Decision]:
        """Take one event."""
        ...

    def advance(self, now: Millis) -> Sequence[Decision]:
        """Let time pass up to now."""
        ...

    def next_due(self) -> Millis | None:
        """When time alone will next decide something."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """All state, JSON-able."""
        ...

    def restore(self, state: dict[str, Any]) -> object:
        """Take over a snapshot's state."""
        ...

    def reload(self, book: Book, now: Millis, history: Iterable[Event] = ()) -> Sequence[Decision]:
        """Judge by another book from now on."""
        ...

    def heard_nothing(self, until: Millis) -> object:
        """We were deaf up to this moment: silence before it is nobody's silence."""
        ...


@dataclass(slots=True, eq=False)
class Judging:
    """Judges what was heard.

    make: a new engine, given the book and the time. after: told of lanes with new entries. horizon: when the
    oldest frame was heard whose commit is under way; deadlines from then on wait for it, since at one instant
    events come before timers. action: what decisions ask of devices here.
    """

    writer: Writer
    clock: Clock
    book: Book
    make: Callable[[Book, Millis], Judge]
    homes: Callable[[], Sequence[HomeSpec]]
    after: Callable[[Iterable[LaneName]], None]
    horizon: Callable[[], Millis | None] = lambda: None
    action: LocalAction | None = None
    counters: Counter[str] = field(default_factory=Counter)
    faults: catch_all.Faults = field(default_factory=catch_all.Faults)
    judged: int = 0
    _engine: Judge | None = None
    _queue: deque[tuple[int, Event]] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _covers: int = 0
    _snapshot_at: Millis = 0
    _passed: Millis = 0
    _last_heard: Millis = 0
    _to_tell: list[Decision] = field(default_factory=list)
    _next_book: Book | None = None
    _clock_to_set: tuple[Callable[[], Cut], asyncio.Future[Cut]] | None = None

    # ------------------------------------------------------------ start

    async def start(self) -> None:
        """Restore the snapshot and read the journal after it again.

        Overdue deadlines fire, in order, at the first `turn`: before it the gateway says that it has started, so
        that its own deafness is not taken for the silence of devices.
        """
        row = await self.writer.write(_stored_state)
        now = self.clock.now()
        engine = self._engine = self._fresh(now)
        self.judged = self._covers = row[1]
        self._last_heard = await self.writer.write(lambda db: journal.heard_upto(db, self._covers))
        self._snapshot_at = self._passed = now
        if row[2] is not None:
            self._restore(engine, row[2], now)
        else:  # when listening began is part of the state, so it must survive the first minute too
            await self._write(self.judged, [], snapshot=True)
        await self._catch_up()
        say.info("rules are at work", rules=len(self.book.rules), covers=row[1], judged=self.judged)

    def _fresh(self, now: Millis) -> Judge:
        engine = self.make(self.book, now)
        for home in self.homes():
            engine.set_home(home)
        return engine

    def _restore(self, engine: Judge, snapshot: dict[str, Any], now: Millis) -> None:
        """A snapshot that cannot be read costs time, not alerts: the whole journal is read again instead."""
        try:
            engine.restore(snapshot)
        except Exception as fault:
            say.exception("the stored state of the rules cannot be read; the journal is read again")
            self.counters["lost_snapshots"] += 1
            self._engine = self._fresh(now)
            self.judged = self._covers = self._last_heard = 0
            self._to_tell.append(catch_all.broken_rules(None, self._first_home(), now, repr(fault)))

    async def _catch_up(self) -> None:
        while batch := await self.writer.write(lambda db: journal.events_after(db, self.judged, AT_ONCE)):
            self.counters["read_again"] += len(batch)
            await self._step(batch, until_now=False)

    def set_homes(self) -> None:
        """Take over what the registry says now; what the rules remember stays."""
        assert self._engine is not None
        for home in self.homes():
            self._engine.set_home(home)
        self._wake.set()

    # ------------------------------------------------------------ at work

    def take(self, noted: Iterable[journal.Noted]) -> None:
        """Events just committed, in the order of the journal; also called when a commit brought none."""
        self._queue.extend((one.seq, one.event) for one in noted if one.new)
        self._wake.set()

    def use(self, book: Book) -> None:
        """Judge by another book from the next turn on, between two events."""
        self._next_book = book
        self._wake.set()

    async def set_clock(self, take_over: Callable[[], Cut]) -> Cut:
        """Have the clock taken over between two events: deadlines are derived anew, elapsed time stays elapsed."""
        self._clock_to_set = (take_over, asyncio.get_running_loop().create_future())
        self._wake.set()
        return await self._clock_to_set[1]

    async def run(self) -> None:
        """Judge events as they come and deadlines as they fall due, for ever."""
        while True:
            await self._wait()
            await self.turn()

    async def turn(self) -> None:
        """Judge what is queued and what is due now, once."""
        self._wake.clear()
        if self._next_book is not None:
            await self._change_book()
        if self._clock_to_set is not None:
            await self._set_clock()
        batch = [self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))]
        await self._step(batch)

    async def _change_book(self) -> None:
        """Swap the book: what it decides is committed with a snapshot, so that a restart finds it as it was left.

        What was heard and what is due before is the old book's. When the engine breaks on the new one, the old goes
        on from what is stored, and that is told.
        """
        book, self._next_book = self._next_book, None
        assert book is not None
        assert self._engine is not None
        await self._judge_what_was_heard()
        now, judged = self.clock.now(), self.judged
        oldest = self.horizon()
        now = now if oldest is None else min(now, oldest)
        before = self._let_pass(now)
        since = now - max(LOOK_BACK, horizon(self.book, book))
        history = await self.writer.write(lambda db: journal.events_since(db, since, judged))
        try:
            heard = (event for event in history if event.device_class != "gateway")
            decisions = self._engine.reload(book, now, heard)
        except Exception as fault:
            say.exception("the rule engine broke on a changed book; the old one holds")
            self.counters["broken"] += 1
            self._to_tell.append(catch_all.broken_rules(None, self._first_home(), now, repr(fault)))
            await self.start()
            self._queue = deque(one for one in self._queue if one[0] > self.judged)
            return
        self.book = book
        await self._write(judged, [*before, *decisions], snapshot=True)
        say.info("another rule book is at work", rules=len(book.rules), decided=len(decisions))

    async def _judge_what_was_heard(self) -> None:
        while self._queue:
            await self._step([self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))])

    async def _set_clock(self) -> None:
        """All that was heard is judged by the old clock; then what the engine remembers moves, and is stored so."""
        assert self._clock_to_set is not None
        (take_over, done), self._clock_to_set = self._clock_to_set, None
        await self._judge_what_was_heard()
        await self._step([])
        cut = take_over()
        try:
            clock_set(cast("Engine", self._engine), cut.by)
        except Exception as fault:
            say.exception("the rule engine broke on a clock that was set; it goes on from what is stored")
            self.counters["broken"] += 1
            self._to_tell.append(catch_all.broken_rules(None, self._first_home(), cut.new, repr(fault)))
            await self.start()
        self._last_heard += cut.by
        self._snapshot_at, self._passed = cut.new, cut.new
        await self._write(self.judged, [], snapshot=True)
        if not done.done():
            done.set_result(cut)

    async def close(self) -> None:
        """Store a last snapshot, which only saves time at the next start."""
        if self._engine is not None:
            await self._write(self.judged, [], snapshot=True)

    async def _wait(self) -> None:
        if self._queue:
            return
        ahead = max(0, self._next_due() - self._passed) or AGAIN
        seconds = min(LONGEST_SLEEP, max(0, self._passed + ahead - self.clock.now()) / 1000)
        waits = (
            asyncio.create_task(self._wake.wait(), name="woken by an event"),
            asyncio.create_task(self.clock.sleep(seconds), name="woken by a deadline"),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _next_due(self) -> Millis:
        assert self._engine is not None
        due = self._engine.next_due()
        snapshot = self._snapshot_at + SNAPSHOT_EVERY
        if due is None:
            return snapshot
        return min(snapshot, due) if self.judged > self._covers else due

    async def _step(self, batch: Sequence[tuple[int, Event]], *, until_now: bool = True) -> None:
        """Judge some events and the deadlines up to now, and commit what was decided."""
        decisions, self._to_tell = self._to_tell, []
        for _seq, event in batch:
            decisions += self._one(event)
        now = self._passed = self.clock.now()
        if until_now and not self._queue:
            oldest = self.horizon()
            decisions += self._let_pass(now if oldest is None else min(now, oldest))
        upto = batch[-1][0] if batch else self.judged
        due = now - self._snapshot_at >= SNAPSHOT_EVERY and upto > self._covers
        if batch or decisions:
            await self._write(upto, decisions, snapshot=due)

    def _one(self, event: Event) -> list[Decision]:
        """One event; whatever breaks, a call for help comes through. The gateway's own facts are the centre's."""
        self.counters["judged"] += 1
        before, self._last_heard = self._last_heard, event.heard
        if event.kind == STARTED:
            return self._hear_again(before, event.heard)
        if event.device_class == "gateway":
            return []
        decisions = self._let_pass(event.heard)
        assert self._engine is not None
        try:
            judged = self._engine.observe(event)
            return [*decisions, *judged, *told_all_the_same(event, judged)]
        except Exception as fault:
            return [*decisions, *self._broken(event, fault)]

    def _hear_again(self, before: Millis, now: Millis) -> list[Decision]:
        """After a long deafness: what was due before it fires; nobody's silence during it counts (rules 5.12)."""
        if not before or now - before < DEAF_AFTER:
            return []
        decisions = self._let_pass(before)
        assert self._engine is not None
        self._engine.heard_nothing(now)
        say.warning("nothing was heard for a while; silence is counted anew", seconds=(now - before) // 1000)
        return decisions

    def _let_pass(self, now: Millis) -> list[Decision]:
        assert self._engine is not None
        try:
            return list(self._engine.advance(now))
        except Exception as fault:
            say.exception("the rule engine broke on a deadline")
            self.counters["broken"] += 1
            told = catch_all.broken_rules(None, self._first_home(), now, repr(fault))
            return [told] if self.faults.is_news(told) else []

    def _broken(self, event: Event, fault: Exception) -> list[Decision]:
        say.exception("the rule engine broke on an event", event_id=event.id, kind=event.kind)
        self.counters["broken"] += 1
        told = catch_all.broken_rules(event, event.home, event.heard, repr(fault))
        decisions = [told] if self.faults.is_news(told) else []
        if CATALOGUE.spec(event.kind).call_for_help:
            decisions.append(catch_all.unjudged_call(event))
        return decisions

    def _first_home(self) -> str:
        return next((home.id for home in self.homes()), "")

    # ------------------------------------------------------------ writing

    async def _write(self, upto: int, decisions: Sequence[Decision], *, snapshot: bool) -> None:
        """Commit decisions and the mark "judged up to here"; while that fails, try again: nothing may be lost."""
        now = self.clock.now()
        lines = [decision_line(one, now) for one in decisions]
        state = self._snapshot() if snapshot else None

        def operation(db: sqlite3.Connection) -> tuple[list[journal.Appended], list[Order]]:
            _mark(db, upto, state, now)
            appended = [journal.append(db, line) for line in lines]
            news = [one for one, line in zip(decisions, appended, strict=True) if line.new]
            return appended, self._begun(db, news, now)

        while True:
            try:
                appended, begun = await self.writer.write(operation)
                break
            except StoreError as error:
                if self.writer.state.condition in FINAL:
                    raise
                say.error(
                    "decisions could not be written; trying again", decisions=len(lines), why=str(error)
                )
                await asyncio.sleep(random.uniform(*PAUSE))
        self.judged = upto
        if state is not None:
            self._covers, self._snapshot_at = upto, now
        self._tell(appended, decisions)
        if self.action is not None:
            for order in begun:
                self.action.carry_out(order)

    def _begun(self, db: sqlite3.Connection, decisions: Iterable[Decision], now: Millis) -> list[Order]:
        """Write down what new decisions ask of devices, before a byte leaves."""
        if self.action is None:
            return []
        asked = [order for one in decisions for order in self.action.orders(one, now)]
        return [order for order in asked if orders.begin(db, order, now)]

    def _snapshot(self) -> bytes | None:
        assert self._engine is not None
        try:
            return orjson.dumps(self._engine.snapshot(), option=orjson.OPT_NON_STR_KEYS)
        except Exception:
            say.exception("the state of the rules could not be stored; the journal stands in for it")
            self.counters["lost_snapshots"] += 1
            return None

    def _tell(self, appended: Sequence[journal.Appended], decisions: Sequence[Decision]) -> None:
        for line, decision in zip(appended, decisions, strict=True):
            if line.new:
                self.counters[decision.action] += 1
                say.info(
                    "decision",
                    action=decision.action,
                    rule=decision.rule,
                    key=decision.key,
                    home=decision.home,
                )
        self.after({line.lane for line in appended if line.new})


def decision_line(decision: Decision, now: Millis) -> Line:
    """The journal line of a decision; `judged` beside its own instant shows how late we were."""
    heard = decision.at + max(0, decision.lag)
    body = {**decision.as_json(), "heard": iso(heard), "judged": iso(now)}
    return Line(
        type="decision",
        lane=lanes.of_decision(decision.queue, decision.urgency),
        body=orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS),
        at=decision.at,
        heard=now,
        once="decision:" + "|".join(map(str, decision.identity)),
        home=decision.home,
        device=decision.device,
        kind=decision.kind,
    )


def _stored_state(db: sqlite3.Connection) -> tuple[int, int, dict[str, Any] | None]:
    judged, covers, snapshot = db.execute("SELECT judged, covers, snapshot FROM engine_state").fetchone()
    return judged, covers, orjson.loads(snapshot)


def _mark(db: sqlite3.Connection, upto: int, state: bytes | None, now: Millis) -> None:
    db.execute("UPDATE engine_state SET judged = max(judged, ?)", (upto,))
    if state is not None:
        db.execute("UPDATE engine_state SET covers = ?, snapshot = ?, taken = ?", (upto, state.decode(), now))
