"""The gateway's clock never stands before the newest line of its own journal.

A box without a battery clock wakes in the past. Until its clock has been set time stands still at the last known
moment, and the timers of rules with it: better late than wrong (failure mode CK-2).
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.events import Millis
from hub.clock import Clock


@dataclass(frozen=True, slots=True)
class SteadyClock:
    """A clock and a moment it cannot be before."""

    base: Clock
    floor: Millis

    def now(self) -> Millis:
        """Milliseconds since 1970 UTC, never before the floor."""
        return max(self.floor, self.base.now())

    async def sleep(self, seconds: float) -> None:
        """Wait for that much of the underlying clock's time."""
        await self.base.sleep(seconds)

    @property
    def is_set(self) -> bool:
        """Whether the underlying clock can be right."""
        return self.base.now() >= self.floor
