"""One connection that carries the devices of many homes, as lean as their firmware: a few µs a message.

Publishes go out at QoS 1 and are forgotten unless somebody asks: what a native device says is repeated until the hub
itself acknowledges, and what a foreign one says is best effort by its protocol. A connection that breaks comes back by
itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

from simulators.mqtt import packets

log = logging.getLogger(__name__)

KEEPALIVE = 30
WAITS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Real seconds between attempts; the last is repeated."""
WITHIN = 10.0
"""Real seconds for the broker's answer to a connect and its subscriptions."""
FULL = 1_000_000
"""Bytes waiting for the network above which nothing more is said."""
AT_ONCE = 200
"""Topic filters in one SUBSCRIBE."""

OnMessage = Callable[[str, bytes], None]


class Trunk:
    """A connection. topics: filter and QoS. on_up: called after each connect, when everything is subscribed."""

    def __init__(
        self,
        url: str,
        client_id: str,
        topics: Sequence[tuple[str, int]],
        on_message: OnMessage,
        on_up: Callable[[], None],
    ) -> None:
        self._parts = urlsplit(url)
        self._client_id = client_id
        self._topics = topics
        self._on_message = on_message
        self._on_up = on_up
        self._wire: _Wire | None = None
        self.counters: Counter[str] = Counter()

    async def run(self) -> None:
        """For ever; ends only by being cancelled."""
        failures = 0
        while True:
            before = self.counters["connects"]
            try:
                await self._one_connection()
            except (OSError, TimeoutError, packets.WrongPacket) as wrong:
                log.debug("%s lost its broker: %r", self._client_id, wrong)
            finally:
                self._wire = None
            failures = 0 if self.counters["connects"] > before else failures + 1
            await asyncio.sleep(WAITS[min(failures, len(WAITS) - 1)] * random.uniform(0.5, 1.0))

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send at once; false when there is no connection or it is full."""
        if self._wire is None or not self._wire.has_room:
            self.counters["not_sent"] += 1
            return False
        self._wire.publish(topic, payload, retain=retain)
        self.counters["sent"] += 1
        return True

    def deliver(self, topic: str, payload: bytes, *, retain: bool = False) -> asyncio.Future[bool] | None:
        """Send at once; later whether the broker took it. None where nothing can be sent."""
        if self._wire is None or not self._wire.has_room:
            self.counters["not_sent"] += 1
            return None
        self.counters["sent"] += 1
        return self._wire.deliver(topic, payload, retain=retain)

    def break_off(self, topic: str, payload: bytes) -> None:
        """Say half of this and lose the connection."""
        if self._wire is not None:
            self._wire.send(packets.half(topic, payload))
            self._wire.close()

    @property
    def up(self) -> bool:
        """Whether something can be said now."""
        return self._wire is not None

    @property
    def is_full(self) -> bool:
        """Whether there is a connection that takes no more just now."""
        return self._wire is not None and not self._wire.has_room

    async def _one_connection(self) -> None:
        loop = asyncio.get_running_loop()
        wire = _Wire(self._on_message, self.counters)
        host, port = self._parts.hostname or "127.0.0.1", self._parts.port or 1883
        await loop.create_connection(lambda: wire, host, port)
        try:
            async with asyncio.timeout(WITHIN):
                user, password = (
                    unquote(one) if one else None for one in (self._parts.username, self._parts.password)
                )
                wire.send(packets.connect(self._client_id, user, password, KEEPALIVE))
                await wire.answered(packets.CONNACK)
                for at in range(0, len(self._topics), AT_ONCE):
                    wire.send(packets.subscribe(1 + at // AT_ONCE, self._topics[at : at + AT_ONCE]))
                    await wire.answered(packets.SUBACK)
            self._wire = wire
            self.counters["connects"] += 1
            self._on_up()
            await wire.until_lost()
        finally:
            wire.close()


class _Wire(asyncio.Protocol):
    """One TCP connection to a broker."""

    def __init__(self, on_message: OnMessage, counters: Counter[str]) -> None:
        self._on_message = on_message
        self._counters = counters
        self._reader = packets.Reader()
        self._number = 0
        self._answers: asyncio.Queue[packets.Packet] = asyncio.Queue()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._answered_ping = True
        self._waiting: dict[int, asyncio.Future[bool]] = {}

    @property
    def has_room(self) -> bool:
        """Whether the network keeps up with us."""
        transport = self._transport
        return transport is not None and not self._lost.done() and transport.get_write_buffer_size() < FULL

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Small packets leave at once."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone, or we went."""
        if not self._lost.done():
            self._lost.set_exception(exc or ConnectionResetError("closed by the broker"))
            self._lost.exception()  # told to whoever waits; nobody has to
        for one in self._waiting.values():
            if not one.done():
                one.set_result(False)
        self._waiting.clear()

    def close(self) -> None:
        """End it, whatever became of it."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes from the broker."""
        try:
            for packet in self._reader.feed(data):
                self._take(packet)
        except packets.WrongPacket as wrong:
            self.connection_lost(OSError(str(wrong)))

    def send(self, raw: bytes) -> None:
        """Write."""
        if self._transport is not None and not self._lost.done():
            self._transport.write(raw)

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """At QoS 1; numbers go round, since nobody here waits for their acknowledgement."""
        self._number = self._number % 0xFFFF + 1
        self.send(packets.publish(topic, payload, number=self._number, retain=retain))

    def deliver(self, topic: str, payload: bytes, *, retain: bool) -> asyncio.Future[bool]:
        """Publish; the answer comes with the broker's acknowledgement, or is no when the connection ends."""
        self.publish(topic, payload, retain=retain)
        taken = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        return taken

    async def answered(self, kind: int) -> packets.Packet:
        """Wait for this answer. Raises OSError when the broker refuses or is gone."""
        getting = asyncio.ensure_future(self._answers.get())
        await asyncio.wait((getting, self._lost), return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            self._lost.result()
        packet = getting.result()
        refused = packet.body[1:2] != b"\x00" if kind == packets.CONNACK else b"\x80" in packet.body[2:]
        if packet.kind != kind or refused:
            raise OSError(f"the broker refused: packet {packet.kind}, {packet.body[:8].hex()}")
        return packet

    async def until_lost(self) -> None:
        """Ping until the connection ends; raises OSError then."""
        while True:
            done, _ = await asyncio.wait((self._lost,), timeout=KEEPALIVE / 2)
            if done:
                self._lost.result()
            if not self._answered_ping:
                raise OSError("the broker does not answer")
            self._answered_ping = False
            self.send(packets.PINGREQ)

    def _take(self, packet: packets.Packet) -> None:
        if packet.kind == packets.PUBLISH:
            message = packets.heard(packet)
            if message.id:
                self.send(packets.puback(message.id))
            self._on_message(message.topic, message.payload)
        elif packet.kind == packets.PUBACK:
            self._counters["taken"] += 1
            taken = self._waiting.pop(int.from_bytes(packet.body[:2]), None)
            if taken is not None and not taken.done():
                taken.set_result(True)
        elif packet.kind == packets.PINGRESP:
            self._answered_ping = True
        else:
            self._answers.put_nowait(packet)
