"""The wire of one device on a broker, with the faults that a scenario puts on it."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable

from simulators.mqtt_devices.said import Faults, Said
from simulators.scenario.faults import amount
from simulators.scenario.plan import Trouble

CHANCES = {
    "wrong_bytes": ("wrong", 1.0),
    "dropped": ("dropped", 1.0),
    "doubled": ("doubled", 1.0),
    "disorder": ("late", 0.5),
}
"""Fault of a scenario → what happens to a message, and its share of the chance: nothing overtakes if all is late."""

Carry = Callable[[Said], Awaitable[bool]]


class Troubled:
    """What a device says goes through here. speed: how many times faster than real the world runs."""

    def __init__(self, seed: str, speed: float) -> None:
        self._speed = speed
        self._wait = 0.0
        self._late: set[asyncio.Task[bool]] = set()
        self.faults = Faults(seed=zlib.crc32(seed.encode()))

    def fail(self, trouble: Trouble, *, over: bool) -> bool:
        """Take a fault on or off; whether it is one of messages."""
        if trouble.do in CHANCES:
            name, share = CHANCES[trouble.do]
            setattr(self.faults, name, 0.0 if over else share * amount(trouble.data, "chance"))
        elif trouble.do == "slow":
            self._wait = 0.0 if over else amount(trouble.data, "seconds") / self._speed
        else:
            return False
        return True

    async def carry(self, message: Said, carry: Carry) -> bool:
        """Send what is left of a message; whether it was taken. What is lost on the way seems taken to the device."""
        taken = True
        for said in self.faults.through([message]):
            if self._wait:
                task = asyncio.get_running_loop().create_task(self._later(said, carry))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            else:
                taken = await carry(said) and taken
        return taken

    def put(self, messages: Iterable[Said], put: Callable[[Said], None]) -> None:
        """Hand on what is left of these messages, now or later."""
        for said in self.faults.through(messages):
            if self._wait:
                asyncio.get_running_loop().call_later(self._wait, put, said)
            else:
                put(said)

    async def _later(self, said: Said, carry: Carry) -> bool:
        await asyncio.sleep(self._wait)
        return await carry(said)
