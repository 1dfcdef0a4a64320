"""Waiting for the next thing to do: until the clock says so, or until somebody says that something changed."""

from __future__ import annotations

import asyncio

from hub.clock import Clock


class Pulse:
    """A loop's waiting place. A nudge is only a hint; what is to be done stands in the database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Something changed: look now."""
        self._nudged.set()

    async def wait(self, seconds: float) -> None:
        """Wait that much of the homes' time, or until nudged."""
        waits = (
            asyncio.create_task(self._nudged.wait(), name="nudge"),
            asyncio.create_task(self._clock.sleep(seconds), name="pulse"),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            self._nudged.clear()
