"""Puts a stand-in on a broker: what it says goes out through its faults, what it hears is obeyed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Protocol

from simulators.mqtt.line import Line
from simulators.mqtt_devices.said import Faults, Said


class Speaking(Protocol):
    """What a stand-in offers."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What it listens on."""
        ...

    def start(self) -> Iterator[Said]:
        """What it says after connecting."""
        ...

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:
        """What it says to what it heard."""
        ...


class Wire:
    """One stand-in on one broker connection; says everything anew after every break."""

    def __init__(self, broker: str, client_id: str, device: Speaking, faults: Faults | None = None) -> None:
        self.device = device
        self.faults = faults or Faults()
        self._queue: asyncio.Queue[Said] = asyncio.Queue(maxsize=1000)
        self.line = Line(broker, client_id, device.topics, self._heard, self._up)

    def say(self, messages: Iterable[Said]) -> None:
        """Publish, in order, whatever the faults let through; what a full queue cannot take is lost."""
        for message in self.faults.through(messages):
            if not self._queue.full():
                self._queue.put_nowait(message)

    async def run(self) -> None:
        """For ever; ends only by being cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.line.run())
            tasks.create_task(self._send())

    async def _send(self) -> None:
        while True:
            message = await self._queue.get()
            await self.line.publish(message.topic, message.payload, retain=message.retain)

    def _heard(self, topic: str, payload: bytes) -> None:
        self.say(self.device.hear(topic, payload))

    def _up(self) -> None:
        self.say(self.device.start())
