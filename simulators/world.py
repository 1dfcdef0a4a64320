"""The simulated world's clock: the machine's own, or one that runs faster, handed over as text.

`scaled:WORLD:ANCHOR:SPEED` says: it was WORLD (ms UTC) when the machine's clock stood at ANCHOR (ms UTC), and it
has run SPEED times as fast since. `held:WORLD:SPEED:FILE` stands at WORLD until FILE holds the ANCHOR. The hub's
processes are handed the same text, so everybody agrees on the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from simulators.scenario.model import Millis

LONGEST_NAP = 30.0
"""Real seconds slept at most in one piece, so that a machine that was suspended finds its way back."""


class ClockError(ValueError):
    """A clock text nobody can read."""


@dataclass(slots=True)
class Brake:
    """Lets the world's clock stand still while somebody cannot keep up. lost: world ms that never were."""

    lost: Millis = 0
    stands_at: Millis | None = None

    def shown(self, line: Millis) -> Millis:
        """What the clock shows where it would show `line` without a brake."""
        return line - self.lost if self.stands_at is None else self.stands_at

    def hold(self, line: Millis) -> None:
        """Stand still."""
        self.stands_at = self.shown(line)

    def release(self, line: Millis) -> None:
        """Go on from where it stood."""
        if self.stands_at is not None:
            self.lost, self.stands_at = line - self.stands_at, None


@dataclass(slots=True)
class Gate:
    """A file in which the machine's time will stand at which the world begins to move."""

    path: Path
    _opened: Millis | None = None

    def opened(self) -> Millis | None:
        """That time; None while it is not known."""
        if self._opened is None:
            with contextlib.suppress(OSError, ValueError):
                self._opened = int(self.path.read_text(encoding="ascii"))
        return self._opened


@dataclass(frozen=True, slots=True)
class World:
    """World time as a straight line over the machine's. brake: where nobody else goes by this clock."""

    world: Millis
    anchor: Millis
    speed: float
    brake: Brake | None = field(default=None, compare=False)
    gate: Gate | None = field(default=None, compare=False)

    def now(self) -> Millis:
        """World time in ms."""
        line = self._line()
        return line if self.brake is None else self.brake.shown(line)

    def hold(self) -> None:
        """Stand still, if we may."""
        if self.brake is not None:
            self.brake.hold(self._line())

    def release(self) -> None:
        """Go on, if we stood."""
        if self.brake is not None:
            self.brake.release(self._line())

    def _line(self) -> Millis:
        if self.gate is None:
            return self.world + round((_machine() - self.anchor) * self.speed)
        anchor = self.gate.opened()
        return self.world if anchor is None else self.world + round(max(0, _machine() - anchor) * self.speed)

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of world time."""
        await asyncio.sleep(max(0.0, seconds / self.speed))

    async def sleep_until(self, at: Millis) -> None:
        """Wait until the world's clock shows `at`."""
        while (ahead := at - self.now()) > 0:  # noqa: ASYNC110  no event tells that time has passed
            await asyncio.sleep(min(LONGEST_NAP, ahead / 1000 / self.speed))


def read_clock(text: str) -> World:
    """The text of TRYGGHUB_CLOCK → a world. Empty or `system` is the machine's own clock. Raises ClockError."""
    if text in {"", "system"}:
        now = _machine()
        return World(now, now, 1.0)
    if text.startswith("held:"):
        return _held(text)
    parts = text.split(":")
    try:
        kind, world, anchor, speed = parts[0], int(parts[1]), int(parts[2]), float(parts[3])
    except (IndexError, ValueError):
        raise ClockError(f"a clock is 'system' or 'scaled:WORLD:ANCHOR:SPEED', not {text!r:.80}") from None
    if kind != "scaled" or len(parts) != 4 or not 0 < speed <= 100_000:
        raise ClockError(f"a clock is 'system' or 'scaled:WORLD:ANCHOR:SPEED', not {text!r:.80}")
    return World(world, anchor, speed)


def _held(text: str) -> World:
    try:
        _, world, speed, path = text.split(":", 3)
        if 0 < float(speed) <= 100_000:
            return World(int(world), 0, float(speed), gate=Gate(Path(path)))
    except ValueError:
        pass
    raise ClockError(f"a clock that is held is 'held:WORLD:SPEED:FILE', not {text!r:.80}")


def starting_at(world: Millis, speed: float) -> World:
    """A world of our own that stands at `world` now; it may be braked, since nobody else goes by it."""
    return World(world, _machine(), speed, Brake())


def _machine() -> Millis:
    return time.time_ns() // 1_000_000
