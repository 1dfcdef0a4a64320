"""What the conductor sees of a device: something that can be told to say a beat, and runs meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from simulators.scenario.model import Beat
from simulators.scenario.plan import Trouble

Job = Callable[[], Awaitable[None]]


class Unit(Protocol):
    """A simulated device on its wire, or a home's devices behind one wire."""

    def say(self, beat: Beat) -> None:
        """Take a beat; it goes out as soon as the device can. Never waits."""
        ...

    def silence(self, device: str, *, over: bool) -> None:
        """Vanish from the wire, or come back."""
        ...

    async def run(self) -> None:
        """Be there, until cancelled."""
        ...


@runtime_checkable
class Breakable(Protocol):
    """A unit whose wire can have faults (simulators.scenario.faults)."""

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """A fault of this device begins, or ends; one that happens at once only begins."""
        ...


class InTurn:
    """For hardware that does one thing after the other: jobs wait their turn."""

    def __init__(self) -> None:
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()

    def put(self, job: Job) -> None:
        """Put a job behind those that wait."""
        self._jobs.put_nowait(job)

    async def run(self) -> None:
        """Do job after job."""
        while True:
            await (await self._jobs.get())()
