"""The only module that reads the wall clock (DESIGN.md, promise 9).

Everything else is handed a `Clock`. There are three: the system's, a scaled one in which a simulated day
passes in minutes, and a manual one for tests. All speak integer milliseconds UTC.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from drivers.events import Millis


class Clock(Protocol):
    """What time it is in the homes, and a way to wait for it."""

    def now(self) -> Millis:
        """Milliseconds since 1970 UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that much of this clock's time."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> Millis:
        """Milliseconds since 1970 UTC, as the machine believes."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(max(0.0, seconds))


@dataclass(slots=True)
class Gate:
    """The moment at which a world begins to move: stands in a file once somebody has decided it.

    Until then every process that goes by the same clock finds the world standing still.
    """

    path: Path
    _opened: Millis | None = None

    def opened(self) -> Millis | None:
        """When the machine's clock stood at the beginning; None while the gate is shut."""
        if self._opened is None:
            with contextlib.suppress(OSError, ValueError):
                self._opened = int(self.path.read_text(encoding="ascii"))
        return self._opened

    def open(self) -> None:
        """Let the world move from now on; a gate that is open stays as it is."""
        if self.opened() is None:
            draft = self.path.with_name(f"{self.path.name}.new")
            draft.write_text(f"{time.time_ns() // 1_000_000}\n", encoding="ascii")
            draft.replace(self.path)


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """A clock that stood at `world` when the machine's stood at `anchor`, and runs `speed` times as fast.

    gate: says the anchor instead, once it is open.
    """

    world: Millis
    anchor: Millis
    speed: float
    gate: Gate | None = field(default=None, compare=False)

    def now(self) -> Millis:
        """World time in ms; never before `world`."""
        anchor = self.anchor if self.gate is None else self.gate.opened()
        if anchor is None:
            return self.world
        passed = max(0, time.time_ns() // 1_000_000 - anchor)
        return self.world + int(passed * self.speed)

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of world time."""
        await asyncio.sleep(max(0.0, seconds / self.speed))

    def as_text(self) -> str:
        """The form that `clock_from` reads, for handing the clock to child processes."""
        if self.gate is not None:
            return f"held:{self.world}:{self.speed:g}:{self.gate.path}"
        return f"scaled:{self.world}:{self.anchor}:{self.speed:g}"


@dataclass(slots=True)
class ManualClock:
    """A clock that moves only when a test says so; sleepers wake in order of their due times."""

    at: Millis = 1_768_460_400_000  # 2026-01-15T07:00:00Z
    _due: list[tuple[Millis, int, asyncio.Future[None]]] = field(default_factory=list)
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def now(self) -> Millis:
        """The time the test set."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has moved the clock far enough; zero or less yields once."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._due, (self.at + round(seconds * 1000), next(self._number), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Move on, waking each sleeper at its own instant and letting it run until it waits again."""
        end = self.at + round(seconds * 1000)
        await settle()
        while self._due and self._due[0][0] <= end:
            due, _, waiter = heapq.heappop(self._due)
            self.at = max(self.at, due)
            if not waiter.done():
                waiter.set_result(None)
            await settle()
        self.at = end
        await settle()


async def settle(rounds: int = 20) -> None:
    """Let everything that can run, run."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def clock_from(text: str | None) -> Clock:
    """Read a clock from a setting: empty or `system`, or `scaled:<world ms>:<anchor ms>:<speed>`.

    `held:<world ms>:<speed>:<file>` stands still until the file holds its anchor.
    Raises ValueError with a sentence for anything else.
    """
    if not text or text == "system":
        return SystemClock()
    parts = text.split(":", 3)
    if len(parts) != 4 or parts[0] not in {"scaled", "held"}:
        raise ValueError(f"a clock is 'system' or 'scaled:WORLD:ANCHOR:SPEED', not {text!r}")
    held = parts[0] == "held"
    try:
        world, anchor, speed = int(parts[1]), 0 if held else int(parts[2]), float(parts[2 if held else 3])
    except ValueError:
        raise ValueError(f"a scaled clock is three numbers, not {text!r}") from None
    if not 0 < speed <= 100_000:
        raise ValueError(f"a clock's speed lies above 0 and at most 100000, not {speed:g}")
    return ScaledClock(world, anchor, speed, Gate(Path(parts[3])) if held else None)


def clock_from_environment() -> Clock:
    """The clock named by TRYGGHUB_CLOCK; every process of one `trygghub run` is handed the same."""
    return clock_from(os.environ.get("TRYGGHUB_CLOCK"))
