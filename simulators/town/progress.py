"""How a town's play goes: the line a tester reads, and whether the pace asked for can be kept."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from simulators.scenario.model import Millis
from simulators.town.crowd import ForeignCrowd, NativeCrowd
from simulators.world import World

log = logging.getLogger(__name__)

TELL_EVERY = 10.0
"""Real seconds between two looks at how it goes."""
COUNT_EVERY = 0.1
"""Real seconds between two counts of what waits, while there is room: a town has thousands of devices."""
QUIET = 6
"""Looks between two lines while all goes well."""
LATE = 2.0
"""Real seconds behind from which on it does not go well."""
UNANSWERED = 15.0
"""Real seconds for which an event waits at most where the hub keeps up; a device without power may wait longer."""
KEPT = 0.95
"""Share of the pace asked for below which the clock counts as slowed."""


@dataclass(slots=True)
class Progress:
    """What is known of a run. said: beats given to devices. behind: real seconds that the last one came late."""

    homes: int
    world: World
    crowds: Sequence[NativeCrowd | ForeignCrowd]
    said: int = 0
    behind: float = 0.0
    _acknowledged: int = 0
    _answered: float = 0.0
    _asked: float = 0.0
    _looks: int = 0

    @property
    def waiting(self) -> int:
        """Events of native devices that the hub has not acknowledged."""
        return sum(one.waiting for one in self.crowds if isinstance(one, NativeCrowd))

    @property
    def unanswered(self) -> float:
        """Real seconds for which the event that waits longest has waited."""
        oldest = [one.oldest for one in self.crowds if isinstance(one, NativeCrowd) and one.oldest]
        return asyncio.get_running_loop().time() - min(oldest) if oldest else 0.0

    @property
    def acknowledged(self) -> int:
        """Events of native devices that it has."""
        return sum(one.acknowledged for one in self.crowds if isinstance(one, NativeCrowd))

    def is_full(self, many: int, away: float) -> bool:
        """Whether to wait: the network takes no more, or a hub that is at work has more than `many` to do."""
        if any(one.trunk.is_full for one in self.crowds):
            return True
        now = asyncio.get_running_loop().time()
        if now - self._asked < COUNT_EVERY:
            return False
        acknowledged = self.acknowledged
        if acknowledged != self._acknowledged:
            self._acknowledged, self._answered = acknowledged, now
        is_full = self.waiting > many and now - self._answered < away
        self._asked = 0.0 if is_full else now
        return is_full

    async def tell(self) -> None:
        """Every now and then a line, for ever; more often when it does not go well."""
        loop = asyncio.get_running_loop()
        before = (loop.time(), self.world.now(), self.said)
        while True:
            await asyncio.sleep(TELL_EVERY)
            now = (loop.time(), self.world.now(), self.said)
            self._say(now[0] - before[0], now[1] - before[1], now[2] - before[2])
            before = now

    def _say(self, seconds: float, world: Millis, said: int) -> None:
        kept = world / 1000 / seconds
        verdict = self.verdict(kept)
        if verdict or sys.stderr.isatty() or self._looks % QUIET == 0:
            shown = datetime.fromtimestamp(self.world.now() / 1000, UTC)
            line = f"{self.homes} homes, {shown:%Y-%m-%d %H:%M} UTC, {said / seconds:.1f} events/s"
            line += f", {max(0.0, self.behind):.1f} s behind"
            if self.waiting:
                line += f", {self.waiting} not acknowledged for up to {self.unanswered:.1f} s"
            log.log(logging.WARNING if verdict else logging.INFO, "%s%s", line, verdict)
        self._looks += 1

    def verdict(self, kept: float) -> str:
        """What is to be said if the pace asked for is not kept; kept: how fast the world's clock really ran."""
        speed = self.world.speed
        if self.world.brake is not None and kept < KEPT * speed:
            return f"; {speed:g}x was asked for, {kept:.0f}x is what hub and machine can do: the clock was slowed"
        if self.unanswered > UNANSWERED and self.acknowledged:
            return f"; the hub does not keep up with {speed:g}x here: nothing is lost, all of it comes late"
        if self.behind > LATE:
            return f"; {speed:g}x is too fast for this machine: devices speak late, with their own times"
        return ""
