"""A home's MQTT connection, as a device's firmware would have it: connect, subscribe, and again after every break."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

import aiomqtt

log = logging.getLogger(__name__)
_quiet = logging.getLogger("simulators.mqtt.paho")
_quiet.setLevel(logging.CRITICAL)

WAITS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Real seconds between attempts; the last is repeated."""

OnMessage = Callable[[str, bytes], None]


class Line:
    """One connection. on_message: called with topic and payload. on_up: called after each connect."""

    def __init__(
        self,
        url: str,
        client_id: str,
        topics: Sequence[str],
        on_message: OnMessage,
        on_up: Callable[[], None],
    ) -> None:
        self._parts = urlsplit(url)
        self._client_id = client_id
        self._topics = topics
        self._on_message = on_message
        self._on_up = on_up
        self._client: aiomqtt.Client | None = None
        self.connects = 0

    async def run(self) -> None:
        """For ever; ends only by being cancelled."""
        failures = 0
        while not asked_to_stop():
            before = self.connects
            try:
                await self._one_connection()
            except (aiomqtt.MqttError, OSError) as wrong:
                log.debug("%s lost its broker: %s", self._client_id, wrong)
            failures = 0 if self.connects > before else failures + 1
            wait = WAITS[min(failures, len(WAITS) - 1)]
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send at QoS 1; whether the broker took it. The hub's own acknowledgement is another matter."""
        if self._client is None:
            return False
        try:
            await self._client.publish(topic, payload, qos=1, retain=retain, timeout=5)
        except (aiomqtt.MqttError, ValueError):
            return False
        return True

    def drop(self) -> None:
        """Lose the connection at once, without a farewell; it is made again."""
        client = self._client
        wire = client._client.socket() if client is not None else None  # noqa: SLF001  as a cut cable does
        if isinstance(wire, socket.socket):
            wire.shutdown(socket.SHUT_RDWR)

    async def _one_connection(self) -> None:
        client = aiomqtt.Client(
            self._parts.hostname or "127.0.0.1",
            self._parts.port or 1883,
            username=unquote(self._parts.username) if self._parts.username else None,
            password=unquote(self._parts.password) if self._parts.password else None,
            identifier=self._client_id,
            keepalive=15,
            socket_options=[
                (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ],  # an alarm does not wait for company
            timeout=5,
            logger=_quiet,
        )
        async with client:
            await client.subscribe([(topic, 1) for topic in self._topics])
            self._client = client
            self.connects += 1
            self._on_up()
            try:
                async for message in client.messages:
                    self._on_message(message.topic.value, bytes(message.payload))
            finally:
                self._client = None


def asked_to_stop() -> bool:
    """Whether this task was cancelled, though what it awaited may have swallowed that.

    `asyncio.wait_for` of Python 3.11, on which aiomqtt stands, loses a cancellation that comes at the moment the
    awaited thing is done; a loop that only awaits would then run for ever.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
