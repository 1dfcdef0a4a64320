"""Links that stay down: a radio or port that hears nothing is an alert of its own (DESIGN.md, promise 4).

Silence rules notice single devices after hours, and those that only ever call never. So five minutes after a link
with devices behind it went down, a line goes up that opens a technical alert naming the link and the devices, and
another one when it has been up again for a minute. Since when it is down, and whether that was told, is a row in the
database, written together with the line: a restart neither forgets an outage nor tells it twice.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson
import structlog

from drivers.events import Millis
from drivers.links.link import LinkHealth
from hub.clock import Clock
from hub.gateway import journal
from hub.gateway.calling import may_call
from hub.gateway.journal import Line, health_line
from hub.gateway.problems import in_english, in_norwegian
from hub.gateway.roll import Assigned, named
from hub.store.errors import StoreError
from hub.store.writer import Writer
from hub.uplink.messages import LaneName

DOWN_FOR: Millis = 300_000
"""World time a link must be down before that is told."""

UP_FOR: Millis = 60_000
"""World time it must be up again before the outage is over: one that comes and goes all the time is down."""

TIME_TO_START = 20.0
"""Seconds (real) that a link gets in this process before it can be told, however fast the world's clock runs."""

TELL_AGAIN: Millis = 86_400_000
"""An outage that goes on is told once a day, in case somebody closed its alert."""

LOOK_EVERY = 15.0
"""Seconds of world time between two looks."""

NOTE = "link:"
"""How the rows of store_note begin that hold outages."""

HEARS = frozenset({"up", "degraded"})

LINKS: Mapping[str, tuple[str, str]] = {
    "mqtt": ("Forbindelsen til MQTT-enhetene", "The connection to the MQTT devices"),
    "ble": ("Bluetooth-radioen", "The Bluetooth radio"),
    "serial": ("Porten {place}", "The port {place}"),
    "sip": ("Alarmmottaket på {place} (SCAIP)", "The alarm receiver on {place} (SCAIP)"),
    "tcp": ("Alarmmottaket på {place} (DC-09)", "The alarm receiver on {place} (DC-09)"),
}
"""What people call a link, by the kind its name begins with."""

DO_CALLING = {
    "nb": "Alarmer herfra når ikke fram. Avtal tilsyn, og få noen til å se på boksen {gateway}.",
    "en": "Alarms from there do not get through. Agree on visits, and have the box {gateway} looked at.",
}
DO = {
    "nb": "Få noen til å se på boksen {gateway}, ledningene og strømmen.",
    "en": "Have the box {gateway} looked at: its cables and its power.",
}

say = structlog.get_logger(__name__)

Links = Mapping[str, tuple[LinkHealth, Sequence[Assigned]]]
"""Every link by its name: how it is, and the devices behind it."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Since when a link is down, and when that was told last; ms of world time."""

    since: Millis
    told: Millis | None = None


@dataclass(slots=True, eq=False)
class LinkWatch:
    """Looks at the links for ever. links: how they are now, or None while nobody can say which there should be.

    after: told of the lanes with new entries. steady: a monotonic clock in seconds.
    """

    gateway: str
    writer: Writer
    clock: Clock
    links: Callable[[], Links | None]
    after: Callable[[Iterable[LaneName]], None]
    steady: Callable[[], float] = time.monotonic
    _outages: dict[str, Outage] | None = None
    _seen_down: dict[str, float] = field(default_factory=dict)
    _up_since: dict[str, Millis] = field(default_factory=dict)

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                say.error("an outage of a link could not be written down", why=str(error))
            await self.clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """One look at every link. Raises StoreError; what could not be written is tried at the next look."""
        links = self.links()
        if links is None:
            return
        if self._outages is None:
            self._outages = await self.writer.write(_stored)
        for name, (health, devices) in links.items():
            if health.state in HEARS or not devices:
                await self._hears(name, devices)
            else:
                await self._is_down(name, health, devices)
        for name in set(self._outages) - set(links):  # nobody needs this link any more
            await self._ended(name)

    async def _is_down(self, name: str, health: LinkHealth, devices: Sequence[Assigned]) -> None:
        assert self._outages is not None
        now = self.clock.now()
        self._up_since.pop(name, None)
        seen = self._seen_down.setdefault(name, self.steady())
        outage = self._outages.get(name)
        if outage is None:
            await self._store(name, Outage(now))
        elif (
            now - outage.since >= DOWN_FOR and self.steady() - seen >= TIME_TO_START and _is_due(outage, now)
        ):
            say.error("a link stays down", link=name, why=health.reason, devices=[one.id for one in devices])
            line = _down_line(self.gateway, name, health, devices, outage.since, now)
            await self._store(name, replace(outage, told=now), line)

    async def _hears(self, name: str, devices: Sequence[Assigned]) -> None:
        assert self._outages is not None
        self._seen_down.pop(name, None)
        if name not in self._outages:
            return
        since = self._up_since.setdefault(name, self.clock.now())
        if not devices or self.clock.now() - since >= UP_FOR:
            await self._ended(name)

    async def _ended(self, name: str) -> None:
        assert self._outages is not None
        told = self._outages[name].told is not None
        await self._store(name, None, *([_up_line(name, self.clock.now())] if told else []))
        self._up_since.pop(name, None)
        self._seen_down.pop(name, None)

    async def _store(self, name: str, outage: Outage | None, *lines: Line) -> None:
        """Write an outage and the lines about it together; without an outage its row goes."""
        assert self._outages is not None

        def operation(db: sqlite3.Connection) -> set[LaneName]:
            if outage is None:
                db.execute("DELETE FROM store_note WHERE name = ?", (NOTE + name,))
            else:
                value = orjson.dumps([outage.since, outage.told]).decode()
                db.execute(
                    "INSERT OR REPLACE INTO store_note (name, value) VALUES (?, ?)", (NOTE + name, value)
                )
            return {journal.append(db, line).lane for line in lines}

        await self.writer.write(operation, self.after)
        if outage is None:
            del self._outages[name]
        else:
            self._outages[name] = outage


def words_for(link: str) -> tuple[str, str]:
    """What people call this link, in Norwegian and in English."""
    kind, _, place = link.partition(":")
    nb, en = LINKS.get(kind, ("Linjen {place}", "The line {place}"))
    return nb.format(place=place or link), en.format(place=place or link)


def _is_due(outage: Outage, now: Millis) -> bool:
    return outage.told is None or now - outage.told >= TELL_AGAIN


def _stored(db: sqlite3.Connection) -> dict[str, Outage]:
    rows = db.execute("SELECT name, value FROM store_note WHERE name GLOB ?", (f"{NOTE}*",))
    return {name.removeprefix(NOTE): Outage(*orjson.loads(value)) for name, value in rows}


def _down_line(
    gateway: str, name: str, health: LinkHealth, devices: Sequence[Assigned], since: Millis, now: Millis
) -> Line:
    calling = any(may_call(one) for one in devices)
    first = sorted(devices, key=lambda one: not may_call(one))
    names = [named(one.id, one.part) for one in first]
    nb, en = words_for(name)
    minutes = (now - since) // 60_000
    return health_line(
        _what(name),
        f"{nb} har vært nede i {minutes} min. Disse blir ikke hørt: {in_norwegian(names)}",
        f"{en} has been down for {minutes} min. These are not heard: {in_english(names)}",
        now,
        link=name,
        devices=[one.id for one in devices],
        since=since,
        reason=health.reason[:500],
        urgency="high" if calling else "moderate",
        staff_action={
            language: text.format(gateway=gateway)
            for language, text in (DO_CALLING if calling else DO).items()
        },
    )


def _up_line(name: str, now: Millis) -> Line:
    nb, en = words_for(name)
    return health_line(_what(name), f"{nb} virker igjen", f"{en} works again", now, link=name, over=True)


def _what(name: str) -> str:
    return f"link {name}"
