"""Intake: what gateways send goes through here into the journal, several messages in one commit.

    intake = Intake(store, clock, client.publish, changed=escalator.nudge)
    client = MqttClient(url, "centre", subscriptions=["gateways/+/up/+"], on_message=intake.take)
    … intake.run() in a task of its own

`take` returns after the commit, so the broker hears of a message only when it is safe; then the gateway gets the
acknowledgement that lets it forget. A message the database does not take is not acknowledged and comes again. A
message that cannot be read is put aside with a sentence, raises a technical alert, and holds up nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import structlog
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from drivers.links.mqtt_client import Message
from hub.centre import audit, metrics, technical
from hub.centre.alerts.desk import speed_of
from hub.centre.alerts.rows import Policy, policy_of
from hub.centre.intake import meaning, quarantine, storing
from hub.centre.intake.answering import answers
from hub.centre.intake.greeting import Greeted
from hub.centre.intake.meaning import MAY_PASS
from hub.centre.intake.reading import TOPIC, PoisonError, Sent, read
from hub.centre.intake.storing import LaneKey
from hub.centre.intake.watermark import Mark
from hub.clock import Clock
from hub.registry.timers import Timers
from hub.store.engine import Store

GROUP = 64
"""Messages in one transaction at most."""

GROUP_ENTRIES = 512
"""Entries in one transaction at which no further message joins: what an alarm may have to wait behind."""

LINGER = 0.02
"""Seconds to gather after a commit without alarms: each commit costs the same few milliseconds, full or not."""

ROOM = 256
"""Messages that may wait; who comes after them is kept waiting, which holds the broker back."""

log = structlog.get_logger()

Acked: TypeAlias = Callable[[LaneKey, Mark], None]


@dataclass(slots=True)
class _Waiting:
    """A message read and not yet committed."""

    message: Message
    sent: Sent | None
    problem: str
    done: asyncio.Future[None]

    @property
    def alarm(self) -> bool:
        """Whether this is of the lane that is never kept waiting by the others (DESIGN.md section 5)."""
        return self.sent is not None and self.sent.lane == "alarm"

    @property
    def size(self) -> int:
        """Entries to be written."""
        return len(self.sent.entries) if self.sent else 1


def next_group(queue: deque[_Waiting]) -> list[_Waiting]:
    """Take what goes into the next transaction: at least one message, then more while there is room."""
    group = [queue.popleft()]
    room = GROUP_ENTRIES - group[0].size
    while queue and len(group) < GROUP and queue[0].size <= room:
        group.append(queue.popleft())
        room -= group[-1].size
    return group


class Intake:
    """Stores uplink messages. acked: told each lane's new mark after the commit. changed: told that rows changed."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        acked: Acked,
        changed: Callable[[], None] = lambda: None,
        timers: Timers | None = None,
    ) -> None:
        self._store, self._clock, self._acked, self._changed = store, clock, acked, changed
        self._timers = timers
        self._greeted = Greeted()
        self._alarms: deque[_Waiting] = deque()
        self._others: deque[_Waiting] = deque()
        self._wake, self._alarm = asyncio.Event(), asyncio.Event()
        self._places = asyncio.Semaphore(ROOM)

    async def take(self, message: Message) -> None:
        """Store one uplink message; returns after the commit. Raises when the database did not take it."""
        async with self._places:
            waiting = self._read(message)
            (self._alarms if waiting.alarm else self._others).append(waiting)
            self._wake.set()
            if waiting.alarm:
                self._alarm.set()
            metrics.WAITING.set(self._waiting)
            await waiting.done

    async def run(self) -> None:
        """Commit what waits, group by group, until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._commit_next()
        finally:
            for waiting in (*self._alarms, *self._others):
                waiting.done.cancel()

    def connected(self) -> None:
        """The broker is there again: what was answered last may not have arrived."""
        self._greeted.forget()

    async def _commit_next(self) -> None:
        """Alarms at once; after anything else, gather a moment, unless an alarm comes."""
        self._alarm.clear()
        if self._alarms:
            await self._commit(next_group(self._alarms))
            return
        await self._commit(next_group(self._others))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._alarm.wait()

    @property
    def _waiting(self) -> int:
        return len(self._alarms) + len(self._others)

    def _read(self, message: Message) -> _Waiting:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            sent = read(message.topic, message.payload, message.size)
        except PoisonError as problem:
            return _Waiting(message, None, str(problem), done)
        return _Waiting(message, sent, "", done)

    async def _commit(self, group: list[_Waiting]) -> None:
        metrics.WAITING.set(self._waiting)
        try:
            with metrics.COMMIT.time():
                marks = await self._store_group(group)
        except MAY_PASS as trouble:
            self._come_again(group, trouble)
        except Exception as trouble:
            await self._one_by_one(group, trouble)
        else:
            self._settle(group, marks)

    def _come_again(self, group: Iterable[_Waiting], trouble: Exception) -> None:
        cause = trouble.orig if isinstance(trouble, DBAPIError) else trouble
        log.error("uplink messages were not stored and will come again", trouble=str(cause))
        for waiting in group:
            metrics.REFUSED.inc()
            if not waiting.done.done():
                waiting.done.set_exception(trouble)

    async def _one_by_one(self, group: list[_Waiting], trouble: Exception) -> None:
        """One message spoils the group: find it, so that the others are not held up by it."""
        if len(group) > 1:
            for waiting in group:
                await self._commit([waiting])
            return
        log.exception("an uplink message could not be stored", topic=group[0].message.topic)
        if group[0].sent is None:
            self._come_again(group, trouble)
            return
        aside = _Waiting(group[0].message, None, f"could not be stored: {trouble!s:.300}", group[0].done)
        await self._commit([aside])

    def _settle(self, group: Iterable[_Waiting], marks: dict[LaneKey, Mark]) -> None:
        for waiting in group:
            if not waiting.done.done():
                waiting.done.set_result(None)
        self._greeted.done(marks)
        for key, mark in marks.items():
            self._acked(key, mark)
        self._changed()

    async def _store_group(self, group: Sequence[_Waiting]) -> dict[LaneKey, Mark]:
        """One transaction for the whole group."""
        now = self._clock.now()
        sent = [waiting.sent for waiting in group if waiting.sent is not None]
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy = await policy_of(session, self._timers, speed_of(self._clock))
            stored = await storing.store(session, sent, now)
            await meaning.carry_out(session, stored, policy, now)
            others = await self._greeted.marks(session, stored.marks)
            for waiting in group:
                if waiting.sent is None:
                    await self._put_aside(session, waiting, policy, now)
        _count(sent, stored)
        return answers(sent, stored, others)  # the newest goes out first: see hub.centre.sending.Acks

    async def _put_aside(self, session: AsyncSession, waiting: _Waiting, policy: Policy, now: Millis) -> None:
        message = waiting.message
        found = TOPIC.fullmatch(message.topic)
        gateway = found[1] if found else ""
        new = await quarantine.put_aside(
            session, message.topic, gateway, message.payload, message.size, waiting.problem, now
        )
        metrics.QUARANTINED.inc()
        if new:
            log.warning("an uplink message was put aside", topic=message.topic, problem=waiting.problem)
            names = {"problem": waiting.problem}
            await technical.found(
                session, technical.UNREADABLE, gateway, policy, now, gateway=gateway, names=names
            )


def _count(sent: Iterable[Sent], stored: storing.Stored) -> None:
    for _, entry in stored.new:
        metrics.ENTRIES.labels(entry.type).inc()
    metrics.CONFLICTS.inc(len(stored.conflicts))
    came = sum(len(one.entries) for one in sent)
    metrics.REDELIVERED.inc(max(0, came - len(stored.new) - len(stored.conflicts)))
