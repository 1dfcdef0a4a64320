"""What the gateway says of itself: started, alive, a link up or down, its clock, its disk.

They are events like any other: in the journal first, then up. They are judged by the centre, since a silent
gateway cannot report itself. `device` is the gateway's id: they are facts of the box, not of anybody's home. The
wire wants a home, so `home` is the first of its homes, or its own id where it has none yet; whoever asks what was
heard from a home leaves `gateway.*` out (hub/gateway/README.md).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import structlog

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Value
from drivers.links.link import LinkHealth
from hub.clock import Clock
from hub.gateway import journal
from hub.gateway.ids import Ids
from hub.gateway.journal import Line, Noted
from hub.store.errors import StoreError
from hub.store.writer import Writer
from hub.uplink.messages import LaneName

HEARTBEAT = 60.0
"""Seconds of the homes' time between two heartbeats. The rule `gateway-silent` waits for several of them."""

say = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class OwnFacts:
    """Writes facts about this gateway. after: told of the lanes with new entries; noted: of each fact, in order.

    every: seconds of the homes' time between two heartbeats.
    """

    gateway: str
    writer: Writer
    clock: Clock
    home: Callable[[], str]
    after: Callable[[Iterable[LaneName]], None]
    noted: Callable[[Noted], None] = lambda _noted: None
    every: float = HEARTBEAT
    ids: Ids = field(default_factory=Ids)

    async def tell(self, kind: str, **data: Value) -> None:
        """Write one fact. When it cannot be written now, that is logged and no more: the next one will be."""
        CATALOGUE.check(kind, data)
        now = self.clock.now()
        event = Event(self.ids.new(self.gateway, now), now, now, self.home(), self.gateway, kind, data)
        lane = CATALOGUE.spec(kind).lane

        def then(noted: Noted) -> None:
            self.noted(noted)
            self.after({lane})

        await _try(self.writer.write(lambda db: journal.append_event(db, event, given=False), then), kind)

    async def note(self, *lines: Line) -> None:
        """Write lines about the gateway's condition."""

        def operation(db: sqlite3.Connection) -> set[LaneName]:
            return {journal.append(db, line).lane for line in lines}

        await _try(self.writer.write(operation, self.after), "a note")

    async def started(self) -> None:
        """The program has started."""
        await self.tell("gateway.started", version=program_version())

    async def link_changed(self, name: str, health: LinkHealth) -> None:
        """A link came up, works badly or went down."""
        reason = {"reason": health.reason[:500]} if health.reason else {}
        await self.tell("gateway.adapter", name=name, state=health.state, **reason)

    async def beat(self) -> None:
        """Say "I am here", for ever."""
        while True:
            await self.tell("gateway.heartbeat")
            await self.clock.sleep(self.every)


def program_version() -> str:
    """The version of the installed program."""
    try:
        return version("trygghub")
    except PackageNotFoundError:
        return "unknown"


async def _try(writing: Awaitable[T], what: str) -> None:
    try:
        await writing
    except StoreError as error:
        say.error("a fact about the gateway could not be written", fact=what, why=str(error))
