"""The native contract from the device's side: events with an id of their own, repeated until acknowledged.

homes/{home}/devices/{device}/event     {"id", "at", "kind", "data"}
homes/{home}/devices/{device}/ack       {"id"}                          from the hub, after its commit
homes/{home}/devices/{device}/command   {"id", "command", "args", "expires"}
homes/{home}/devices/{device}/result    {"id", "outcome", "reason"}
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulators.mqtt.line import asked_to_stop
from simulators.scenario.model import Beat, Millis

REPEAT_AFTER, SELDOM = 3.0, 60.0
"""Real seconds without an acknowledgement after which an event is sent again: twice as long each time, to a limit."""
MEMORY = 2000
"""Events a device remembers; beyond that it forgets the oldest, as a full flash memory does."""

Publish = Callable[[str, bytes], Awaitable[bool]]


class Answering(Protocol):
    """What answers a device's commands."""

    async def obey(self, command: Mapping[str, Any]) -> tuple[str, str]:
        """Carry out a command: outcome (done, refused, failed) and reason."""
        ...


@dataclass(slots=True)
class Waiting:
    """An event that the hub has not acknowledged. first, sent: loop time of the first and the last attempt."""

    payload: bytes
    first: float = 0.0
    sent: float = 0.0
    tries: int = 0

    def is_due(self, now: float) -> bool:
        """Whether it is to be sent: never was, or a while ago. A hub that is behind is not put further behind."""
        return self.tries == 0 or now - self.sent >= min(SELDOM, REPEAT_AFTER * 2 ** (self.tries - 1))

    def note(self, now: float) -> None:
        """It went out."""
        self.first = self.first or now
        self.sent, self.tries = now, self.tries + 1


@dataclass(slots=True)
class Native:
    """One native device. boot: makes the ids of this run differ from every other's. muted: without power or network.

    clock: ms that its own clock is ahead of the world's.
    """

    home: str
    device: str
    publish: Publish
    boot: str
    answering: Answering | None = None
    waiting: dict[str, Waiting] = field(default_factory=dict)
    muted: bool = False
    clock: Millis = 0
    acknowledged: int = 0
    forgotten: int = 0
    results: dict[str, dict[str, str]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _obeying: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def root(self) -> str:
        """The device's own branch of topics."""
        return f"homes/{self.home}/devices/{self.device}"

    def say(self, beat: Beat) -> None:
        """Report something; it is remembered until the hub says that it is safe."""
        self.report(beat.at, beat.kind, beat.data)

    def report(self, at: Millis, kind: str, data: Mapping[str, Any]) -> str:
        """Report a fact; the answer is the event's id."""
        own_id = f"{self.boot}-{next(self._numbers)}"
        event = {"id": own_id, "at": at + self.clock, "kind": kind, "data": dict(data)}
        self.waiting[own_id] = Waiting(json.dumps(event).encode())
        if len(self.waiting) > MEMORY:
            del self.waiting[next(iter(self.waiting))]
            self.forgotten += 1
        self._news.set()
        return own_id

    def wake(self) -> None:
        """The connection is back: everything unacknowledged is sent again now."""
        for one in self.waiting.values():
            one.tries = 0
        self._news.set()

    def heard(self, part: str, payload: bytes) -> None:
        """Something came for this device; what cannot be read is ignored, as firmware does."""
        if self.muted:
            return
        try:
            message = json.loads(payload)
        except ValueError:
            return
        if not isinstance(message, dict) or not isinstance(message.get("id"), str):
            return
        if part == "ack":
            self.acknowledged += self.waiting.pop(message["id"], None) is not None
        elif part == "command":
            task = asyncio.get_running_loop().create_task(self._obey(message))
            self._obeying.add(task)
            task.add_done_callback(self._obeying.discard)

    async def run(self) -> None:
        """Send what is new at once, and what is not acknowledged again and again."""
        loop = asyncio.get_running_loop()
        while not asked_to_stop():
            self._news.clear()
            for one in () if self.muted else tuple(self.waiting.values()):
                if one.is_due(loop.time()):
                    one.note(loop.time())
                    await self.publish(f"{self.root}/event", one.payload)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPEAT_AFTER if self.waiting else None):
                    await self._news.wait()

    async def _obey(self, command: Mapping[str, Any]) -> None:
        """Carry out a command once; a second delivery of the same id only repeats the answer."""
        own_id = command["id"]
        if own_id not in self.results:
            self.results[own_id] = {}
            outcome, reason = ("refused", "this device takes no commands")
            if self.answering is not None:
                outcome, reason = await self.answering.obey(command)
            self.results[own_id] = {"id": own_id, "outcome": outcome, "reason": reason}
        if answer := self.results[own_id]:
            await self._answer(json.dumps(answer).encode())

    async def _answer(self, result: bytes) -> None:
        """Send a result until the broker has taken it; nobody acknowledges results."""
        while not self.muted and not await self.publish(f"{self.root}/result", result):  # noqa: ASYNC110
            await asyncio.sleep(REPEAT_AFTER)
