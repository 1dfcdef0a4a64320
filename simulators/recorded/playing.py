"""Plays a recorded journal: each event is said at its time, moved so that the first is said now."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Iterator

from simulators.mqtt.native import Native
from simulators.mqtt.trunk import Trunk
from simulators.recorded.journal import Line, Recorded
from simulators.world import World

log = logging.getLogger(__name__)

OUT_OF_ORDER = 10_000
"""Lines looked ahead, since a journal is written in the order of hearing only nearly."""
LAST_WORDS = 30.0
"""Real seconds that we wait at the end for what the hub has not acknowledged."""
SWEEP_EVERY = 1.0


class Player:
    """Native devices that say what was recorded. pace: how many times faster than recorded."""

    def __init__(self, recorded: Recorded, broker: str, world: World, pace: float) -> None:
        self._recorded, self._world, self._pace = recorded, world, pace
        self._boot = f"replay-{world.now():x}"
        self.natives: dict[tuple[str, str], Native] = {}
        topics = (("homes/+/devices/+/ack", 0), ("homes/+/devices/+/command", 1))
        self.trunk = Trunk(broker, self._boot, topics, self._heard, self._again)

    @property
    def waiting(self) -> int:
        """Events that the hub has not acknowledged yet."""
        return sum(len(one.waiting) for one in self.natives.values())

    @property
    def acknowledged(self) -> int:
        """Events that it has."""
        return sum(one.acknowledged for one in self.natives.values())

    async def run(self) -> None:
        """To the journal's end, and until everything is acknowledged or nobody answers. Raises RecordedError."""
        tasks = [asyncio.create_task(self.trunk.run()), asyncio.create_task(self._sweep())]
        try:
            await self._play()
            await self._last_words()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        log.info("%d events acknowledged, %d not", self.acknowledged, self.waiting)

    async def _play(self) -> None:
        first: int | None = None
        loop = asyncio.get_running_loop()
        started = loop.time()
        for line in in_order(self._recorded.lines()):
            first = line.heard if first is None else first
            due = started + (line.heard - first) / 1000 / self._pace
            if (ahead := due - loop.time()) > 0:
                await asyncio.sleep(ahead)
            self._say(line)

    def _say(self, line: Line) -> None:
        """Now, but as late as it was: lateness is measured in the world's time, which may run at another pace."""
        late = round((line.heard - line.at) * self._world.speed / self._pace)
        at = max(0, self._world.now() - late)
        native = self.natives.setdefault((line.home, line.device), self._native(line))
        native.report(at, line.kind, line.data)
        self._send(native)

    def _native(self, line: Line) -> Native:
        return Native(line.home, line.device, self._publish, self._boot)

    async def _publish(self, topic: str, payload: bytes) -> bool:
        return self.trunk.say(topic, payload)

    def _send(self, native: Native) -> None:
        now = asyncio.get_running_loop().time()
        for one in tuple(native.waiting.values()):
            if one.is_due(now) and self.trunk.say(f"{native.root}/event", one.payload):
                one.note(now)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            self._again()

    def _again(self) -> None:
        for native in self.natives.values():
            self._send(native)

    async def _last_words(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + LAST_WORDS
        while self.waiting and loop.time() < until:  # noqa: ASYNC110  acknowledgements come one by one
            await asyncio.sleep(0.05)

    def _heard(self, topic: str, payload: bytes) -> None:
        parts = topic.split("/")
        native = self.natives.get((parts[1], parts[3])) if len(parts) == 5 else None
        if native is not None:
            native.heard(parts[4], payload)


def in_order(lines: Iterator[Line]) -> Iterator[Line]:
    """By the time of hearing, as far as a bounded look ahead can tell."""
    heap: list[tuple[int, int, Line]] = []
    for line in lines:
        heapq.heappush(heap, (line.heard, line.number, line))
        if len(heap) > OUT_OF_ORDER:
            yield heapq.heappop(heap)[2]
    while heap:
        yield heapq.heappop(heap)[2]


async def play_recorded(recorded: Recorded, broker: str, world: World, pace: float) -> None:
    """Play to the end. Raises RecordedError."""
    await Player(recorded, broker, world, pace).run()
