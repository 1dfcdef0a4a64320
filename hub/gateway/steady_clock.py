"""The gateway's time: never before the newest line of its journal, and never in a jump of its own accord.

A box without a battery clock wakes in the past. Until its clock has been set time stands still at the last known
moment, and the timers of rules with it: better late than wrong (failure mode CK-2). When somebody sets the clock of
a box at work, time goes on as it did, by what nobody can set, until the gateway takes the new time over between two
events (`hub.gateway.clock_watch`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.events import Millis
from hub.clock import Clock

JUMPED: Millis = 5_000
"""A clock that moved this much otherwise than time did was set, not steered."""

RECENTLY = 60.0
"""Seconds after a take-over in which a stamp of the time before may still come in."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The clock was taken over: it showed `old` and then `new`; passed: the steady seconds of that moment."""

    old: Millis
    new: Millis
    passed: float

    @property
    def by(self) -> Millis:
        """How far it was set; below 0: back."""
        return self.new - self.old


@dataclass(slots=True)
class SteadyClock:
    """A clock and a moment it cannot be before.

    passed: seconds that passed whatever anybody sets; None where the underlying clock cannot be set (a simulation).
    """

    base: Clock
    floor: Millis
    passed: Callable[[], float] | None = None
    last_cut: Cut | None = None
    _anchor: tuple[Millis, float] | None = None

    def now(self) -> Millis:
        """Milliseconds since 1970 UTC, never before the floor, without jumps."""
        return max(self.floor, self._held())

    def _held(self) -> Millis:
        """The underlying clock while it is steered; where it would be had nobody set it, otherwise."""
        wall = self.base.now()
        if self.passed is None:
            return wall
        passed = self.passed()
        if self._anchor is not None:
            expected = self._anchor[0] + round((passed - self._anchor[1]) * 1000)
            if abs(wall - expected) >= JUMPED:
                return expected
        self._anchor = (wall, passed)
        return wall

    async def sleep(self, seconds: float) -> None:
        """Wait for that much of the underlying clock's time."""
        await self.base.sleep(seconds)

    @property
    def is_set(self) -> bool:
        """Whether the underlying clock can be right."""
        return self.base.now() >= self.floor

    @property
    def pending(self) -> Millis:
        """How far the clock was set and not taken over yet; 0 where it was not, or stands before the journal."""
        if self.passed is None or not self.is_set:
            return 0
        step = self.base.now() - self.now()
        return step if abs(step) >= JUMPED else 0

    def take_over(self, *, trusted: bool = False) -> Cut:
        """Go by the underlying clock from now on. trusted: also where it stands before the journal."""
        assert self.passed is not None
        old, wall, passed = self.now(), self.base.now(), self.passed()
        if trusted or wall >= self.floor:
            self._anchor = (wall, passed)
            self.floor = min(self.floor, wall)
        self.last_cut = Cut(old, self.now(), passed)
        return self.last_cut

    def brought_over(self, stamp: Millis) -> Millis:
        """A stamp taken just before the last take-over, as the clock shows that moment now; others as they are."""
        cut = self.last_cut
        if cut is None or self.passed is None or self.passed() - cut.passed > RECENTLY:
            return stamp
        return stamp + cut.by if abs(stamp - cut.old) < abs(stamp - self.now()) else stamp
