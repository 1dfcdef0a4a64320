"""A home's MQTT connection, as a device's firmware would have it: connect, subscribe, and again after every break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from simulators.mqtt.trunk import Trunk

TAKEN_WITHIN = 5.0
"""Real seconds for the broker to take a message; later it counts as not taken."""

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
        self._trunk = Trunk(url, client_id, [(topic, 1) for topic in topics], on_message, on_up)

    async def run(self) -> None:
        """For ever; ends only by being cancelled."""
        await self._trunk.run()

    @property
    def connects(self) -> int:
        """How often it was connected."""
        return self._trunk.counters["connects"]

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send at QoS 1; whether the broker took it. The hub's own acknowledgement is another matter."""
        if (taken := self._trunk.deliver(topic, payload, retain=retain)) is None:
            return False
        done, _ = await asyncio.wait((taken,), timeout=TAKEN_WITHIN)
        return bool(done) and taken.result()

    def break_off(self, topic: str, payload: bytes) -> None:
        """Lose the connection in the middle of this message, without a farewell; it is made again."""
        self._trunk.break_off(topic, payload)


def asked_to_stop() -> bool:
    """Whether this task was cancelled, though what it awaited may have swallowed that.

    `asyncio.wait_for` of Python 3.11 loses a cancellation that comes at the moment the awaited thing is done; a loop
    that only awaits would then run for ever.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
