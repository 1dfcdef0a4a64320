"""Connection slots: an adapter keeps 5 to 7 links, and at the limit it fails without explanation.

We therefore count ourselves, let the longest waiting in first, and tell those inside that somebody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager


class Slots:
    """A number of connections that may be up at a time. kept: how many of them only urgent ones may take."""

    def __init__(self, number: int, kept: int = 0) -> None:
        self.number = number
        self._free = asyncio.Semaphore(number)
        self._ordinary = asyncio.Semaphore(max(1, number - kept))
        self._waiting = 0
        self._wanted = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return self._waiting

    def free(self, *, urgent: bool = False) -> bool:
        """Whether nobody would have to wait."""
        return not any(slots.locked() for slots in self._asked(urgent))

    @asynccontextmanager
    async def one(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Hold one slot."""
        async with AsyncExitStack() as held:
            for slots in self._asked(urgent):
                if slots.locked():
                    await self._queue(slots)
                else:
                    await slots.acquire()
                held.callback(slots.release)
            yield

    async def wanted(self) -> None:
        """Wait until somebody waits for a slot."""
        await self._wanted.wait()

    def _asked(self, urgent: bool) -> tuple[asyncio.Semaphore, ...]:
        return (self._free,) if urgent else (self._ordinary, self._free)

    async def _queue(self, slots: asyncio.Semaphore) -> None:
        self._waiting += 1
        self._wanted.set()
        try:
            await slots.acquire()
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()
