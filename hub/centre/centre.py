"""One centre process, put together: intake, judging, escalation, supervision, and what is sent back.

    MQTT ──▶ Intake ──▶ database ──▶ Escalator ──▶ channels
               │           │  ▲
               ▼           │  └── Judging, AreaJudging, Supervision
             Acks          ▼
                         Hints, Commands, Parts ──▶ MQTT

Every part reads what is to be done from the database; a nudge only makes it look sooner. Several centres may share
one database: claims are by compare-and-set, and a decision counts once whoever stores it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import structlog
from prometheus_client import generate_latest
from sqlmodel import select

from drivers.links.link import LinkState
from drivers.links.mqtt_client import Message, MqttClient
from hub.book_watch import BookFileError, BookWatch
from hub.centre import audit, metrics, technical
from hub.centre.alerts import rows
from hub.centre.always import always
from hub.centre.areas.judging import AreaJudging
from hub.centre.escalator import Escalator, overdue
from hub.centre.intake.intake import Intake
from hub.centre.judging import Judging, book_or_standard
from hub.centre.sending import Acks, Commands, Hints, Parts
from hub.centre.supervision import Supervision
from hub.channels.channel import Channel
from hub.channels.console import Console
from hub.channels.dashboard import Dashboard
from hub.clock import Clock, SystemClock
from hub.log import StateLine
from hub.pages import Answer, Pages, serve_always
from hub.store.centre_tables import StoreFact
from hub.store.engine import Store
from hub.uplink.messages import HINT_TOPIC
from rules import Book

UPLINK = "gateways/+/up/+"

LOOK_EVERY = 1.0
"""Seconds of real time between looks at this process's own health."""

LATE = 30.0
"""Seconds of real time that a due deadline may wait before the process counts as not ready."""

log = structlog.get_logger()


@dataclass(slots=True)
class Health:
    """How this process is, as its last look found it. late: seconds the oldest due deadline waited."""

    database: str = "not looked at yet"
    broker: str = "not connected yet"
    late: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether events come in and alerts go out."""
        return not self.database and not self.broker and self.late < LATE


class Centre:
    """Everything that runs in a centre process. worker: its lasting name, by which it knows its own claims."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        broker: str,
        *,
        rules: Path | None = None,
        channels: Sequence[Channel] | None = None,
        worker: str = "centre",
    ) -> None:
        self._store, self._clock = store, clock
        self.health = Health()
        self._looked = asyncio.Event()
        self._line = StateLine("the broker")
        book, self._trouble = book_or_standard(rules)
        ways = (Dashboard(store, SystemClock()), Console()) if channels is None else channels
        self.client = MqttClient(
            broker,
            f"centre-{secrets.token_hex(6)}",
            subscriptions=(UPLINK, HINT_TOPIC),
            on_message=self._hear,
            on_state=self._connection,
        )
        self.hints = Hints(store, self._publish)
        self.escalator = Escalator(store, clock, ways, worker=worker, changed=self.hints.changed)
        self.judging = Judging(store, clock, book, self._gateways_judged)
        self.areas = AreaJudging(store, clock, book, self._alerts_changed)
        self.book_watch = BookWatch(rules, self._use_book, self._book_in_trouble)
        self.supervision = Supervision(store, clock, self._alerts_changed)
        self.acks = Acks(self._publish)
        self.intake = Intake(store, clock, self.acks.put, self._came_in)
        self.commands = Commands(store, clock, self._publish)
        self.parts = Parts(store, clock, self._publish)

    async def run(self, http: int | None = None) -> None:
        """Run until cancelled."""
        await self._tell_trouble()
        async with asyncio.TaskGroup() as tasks:
            for name, part in self._parts_of().items():
                tasks.create_task(always(name, part), name=name)
            if http is not None:
                tasks.create_task(serve_always(http, self.pages()), name="http")

    def _parts_of(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "intake": self.intake.run,
            "acknowledgements": self.acks.run,
            "escalator": self.escalator.run,
            "judging": self.judging.run,
            "areas": self.areas.run,
            "rule book": self.book_watch.run,
            "supervision": self.supervision.run,
            "commands": self.commands.run,
            "parts": self.parts.run,
            "hints": self.hints.run,
            "health": self._look,
            "broker": self.client.run,
        }

    # -- what is heard, and who is told -------------------------------------------------------------------------

    async def _hear(self, message: Message) -> None:
        if message.topic == HINT_TOPIC:
            self._nudge()
            return
        await self.intake.take(message)

    def _nudge(self) -> None:
        """Somebody else changed the database: a person acted, or asked a device for something."""
        self.escalator.nudge()
        self.commands.nudge()
        self.parts.nudge()

    def _came_in(self) -> None:
        self.judging.nudge()
        self._alerts_changed()

    def _gateways_judged(self) -> None:
        self.areas.nudge()
        self._alerts_changed()

    async def _use_book(self, book: Book) -> None:
        await self.judging.use(book)
        await self.areas.use(book)

    def _alerts_changed(self) -> None:
        self.escalator.nudge()
        self.hints.changed()

    def _connection(self, state: LinkState, reason: str) -> None:
        self._line.tell(state, reason)
        self.health.broker = "" if state == "up" else reason or state
        if state == "up":
            self.intake.connected()
            self.parts.forget()
            self.commands.nudge()

    async def _publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        await self.client.publish(topic, payload, retain=retain)

    async def _tell_trouble(self) -> None:
        """A rule book with a slip is a technical alert, and one that is read again clears it."""
        now = self._clock.now()
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy = await rows.policy_of(session)
            if self._trouble is not None:
                log.error("the rule book cannot be read; the shipped one is used", why=str(self._trouble))
                names = {"problem": self._trouble.words}
                await technical.found(session, technical.RULES, "centre", policy, now, names=names)
            else:
                for fault in (technical.RULES, technical.RULES_KEPT):
                    await technical.over(session, fault, "centre", policy, now, "it can be read")

    async def _book_in_trouble(self, why: BookFileError | None) -> None:
        """A changed book with a slip is a technical alert; one that can be used ends every alert about the book."""
        now = self._clock.now()
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy = await rows.policy_of(session)
            if why is not None:
                names = {"problem": why.words}
                await technical.found(session, technical.RULES_KEPT, "centre", policy, now, names=names)
            else:
                for fault in (technical.RULES, technical.RULES_KEPT):
                    await technical.over(session, fault, "centre", policy, now, "it can be read")
        self._alerts_changed()

    # -- health -----------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Look at the database, the deadlines and the event loop, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                async with self._store.reading() as session:
                    await session.exec(select(StoreFact).limit(1))
                    late = await overdue(session, self._clock.now())
                self.health.database = ""
                self.health.late = late / float(getattr(self._clock, "speed", 1.0))
            except Exception as trouble:
                self.health.database = f"{type(trouble).__name__}: {trouble!s:.200}"
            self._looked.set()
            await asyncio.sleep(LOOK_EVERY)
            metrics.LOOP_LAG.set(max(0.0, loop.time() - began - LOOK_EVERY))

    async def looked(self) -> None:
        """Come back after the next look, whatever it found: a database that is away answers, a stuck one does not."""
        self._looked.clear()
        await self._looked.wait()

    def pages(self) -> Pages:
        """The three pages for people and programs that watch this process."""

        def healthz() -> Answer:
            return Answer.json({"alive": True})

        def readyz() -> Answer:
            health = self.health
            told = {
                "ready": health.ready,
                "database": health.database or "ok",
                "broker": health.broker or "ok",
                "oldest_deadline_waited_seconds": round(health.late, 3),
            }
            return Answer.json(told, ok=health.ready)

        def figures() -> Answer:
            content_type = "text/plain; version=0.0.4; charset=utf-8"
            return Answer(HTTPStatus.OK, generate_latest(metrics.REGISTRY), content_type)

        return {"/healthz": healthz, "/readyz": readyz, "/metrics": figures}
