"""What the centre says on the broker: acknowledgements, parts of the registry, commands, and hints to the screens.

Nothing here is remembered: an acknowledgement that is lost is earned again by the gateway's next message, a part is
published again at every connection, a command stands in its row, and a hint is only a nudge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

import structlog
from sqlalchemy import update
from sqlmodel import col, func, select

from drivers.links.mqtt_client import NotConnected
from hub.centre import audit, commands, technical
from hub.centre.alerts import rows
from hub.centre.alerts.desk import speed_of
from hub.centre.intake.answering import Answer, joined
from hub.centre.intake.storing import LaneKey
from hub.centre.intake.watermark import Mark
from hub.centre.pulse import Pulse
from hub.clock import Clock
from hub.registry.importing import VERSION
from hub.registry.part import part_of, too_large
from hub.store.centre_tables import Change, Gateway, StoreFact
from hub.store.engine import Store
from hub.uplink.messages import HINT_TOPIC, Ack, Hint, LaneName, down_topic

AT_ONCE = 32
"""Acknowledgements on their way side by side."""

LOOK_EVERY = 1.0
"""Seconds of real time between looks for commands and changed parts when nobody nudges."""

HINTS_APART = 0.02
"""Seconds of real time between two hints: the screens read everything new at each."""

log = structlog.get_logger()

Publish: TypeAlias = Callable[[str, bytes, bool], Awaitable[None]]
"""Topic, payload, retain. Raises NotConnected."""


class Acks:
    """Sends each lane's newest mark; an older one that still waits is overtaken by it, or joins it."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._waiting: dict[LaneKey, Mark] = {}
        self._wake = asyncio.Event()

    def put(self, key: LaneKey, mark: Mark) -> None:
        """A lane is committed up to its mark."""
        self._waiting[key] = joined(self._waiting.get(key), mark)
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                some = [self._waiting.popitem() for _ in range(min(AT_ONCE, len(self._waiting)))]
                await asyncio.gather(*(self._send(key, mark) for key, mark in some))

    async def _send(self, key: LaneKey, mark: Mark) -> None:
        gateway, epoch, lane = key
        ack = ack_of(epoch, cast("LaneName", lane), mark)
        said = ack.model_dump_json(exclude_defaults=True).encode()
        try:
            await self._publish(down_topic(gateway, "ack"), said, False)
        except NotConnected:
            log.info("an acknowledgement was not sent; the gateway will ask again", gateway=gateway)


def ack_of(epoch: str, lane: LaneName, mark: Mark) -> Ack:
    """An answer as it goes out; a gateway that names no run gets the words it knows."""
    if isinstance(mark, Answer):
        return Ack(epoch=epoch, lane=lane, upto=mark.upto, run=mark.run, got=mark.got)
    return Ack(epoch=epoch, lane=lane, upto=mark.upto)


class Hints:
    """Nudges the web processes after a commit, many commits at once."""

    def __init__(self, store: Store, publish: Publish) -> None:
        self._store, self._publish = store, publish
        self._wake = asyncio.Event()
        self._last = 0

    def changed(self) -> None:
        """Something was committed that a screen may show."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            async with self._store.reading() as session:
                seq = (await session.exec(select(func.max(Change.seq)))).first() or 0
            if seq > self._last:
                self._last = seq
                await self._send(seq)
                await asyncio.sleep(HINTS_APART)

    async def _send(self, seq: int) -> None:
        try:
            await self._publish(HINT_TOPIC, Hint(seq=seq).model_dump_json().encode(), False)
        except NotConnected:
            log.debug("a hint was not sent; the screens look once a second")


class Commands:
    """Publishes commands as soon as they stand in the database."""

    def __init__(self, store: Store, clock: Clock, publish: Publish) -> None:
        self._store, self._clock, self._publish = store, clock, publish
        self._pulse = Pulse(clock)

    def nudge(self) -> None:
        """A command may be waiting."""
        self._pulse.nudge()

    async def run(self) -> None:
        """Send until cancelled."""

        async def publish(topic: str, payload: bytes) -> None:
            await self._publish(topic, payload, False)

        while True:
            try:
                await commands.send_waiting(self._store, self._clock, publish)
            except NotConnected:
                log.info("commands wait for the broker")
            await self._pulse.wait(LOOK_EVERY * speed_of(self._clock))


class Parts:
    """Publishes each gateway's part of the registry, retained: when it changed, and anew at every connection."""

    def __init__(self, store: Store, clock: Clock, publish: Publish) -> None:
        self._store, self._clock, self._publish = store, clock, publish
        self._pulse = Pulse(clock)
        self._told: dict[str, str] = {}
        self._version: str | None = None

    def nudge(self) -> None:
        """The registry may have changed."""
        self._pulse.nudge()

    def forget(self) -> None:
        """A new connection: the broker may have forgotten what it kept."""
        self._told.clear()
        self._version = None
        self._pulse.nudge()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                await self.publish_changed()
            except NotConnected:
                log.info("parts of the registry wait for the broker")
            await self._pulse.wait(LOOK_EVERY * speed_of(self._clock))

    async def publish_changed(self) -> list[str]:
        """Publish the parts that this connection has not seen so; gives their gateways."""
        async with self._store.reading() as session:
            fact = await session.get(StoreFact, VERSION)
            version = fact.value if fact else ""
            if version == self._version:
                return []
            gateways = (await session.exec(select(Gateway.id).order_by(col(Gateway.id)))).all()
            parts = {gateway: await part_of(session, gateway) for gateway in gateways}
        sent = []
        for gateway, part in parts.items():
            if self._told.get(gateway) == part.hash:
                continue
            if problem := too_large(gateway, part):
                await self._tell_too_large(gateway, problem)
                continue
            await self._publish(down_topic(gateway, "registry"), part.model_dump_json().encode(), True)
            self._told[gateway] = part.hash
            sent.append(gateway)
            await self._note(gateway, part.hash)
        self._version = version
        return sent

    async def _tell_too_large(self, gateway: str, problem: str) -> None:
        """What no message can carry is an alert, not a broker that cuts the line again and again."""
        log.error("a part of the registry is not sent", gateway=gateway, why=problem)
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy, names = await rows.policy_of(session), {"problem": problem}
            fault, now = technical.PART_TOO_LARGE, self._clock.now()
            await technical.found(session, fault, gateway, policy, now, gateway=gateway, names=names)

    async def _note(self, gateway: str, hash_: str) -> None:
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy, now = await rows.policy_of(session), self._clock.now()
            await technical.over(session, technical.PART_TOO_LARGE, gateway, policy, now, "it was sent")
            changed = update(Gateway).where(col(Gateway.id) == gateway, col(Gateway.part_hash) != hash_)
            outcome = await session.exec(changed.values(part_hash=hash_))
            if outcome.rowcount:
                session.add(Change(at=now, subject="gateway", ref=gateway))
