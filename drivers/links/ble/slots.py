"""Connection slots: an adapter keeps 5 to 7 links, and at the limit it fails without explanation.

We therefore count ourselves, let the longest waiting in first, and tell those inside that somebody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """A number of connections that may be up at a time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._free = asyncio.Semaphore(number)
        self._waiting = 0
        self._wanted = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return self._waiting

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold one slot."""
        if self._free.locked():
            await self._queue()
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def wanted(self) -> None:
        """Wait until somebody waits for a slot."""
        await self._wanted.wait()

    async def _queue(self) -> None:
        self._waiting += 1
        self._wanted.set()
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()
