"""A cable with faults, one set for each direction, from one seed: the same seed gives the same damage."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

BANNER = b"\r\nBoot v2.11 (c) 2019\r\nRAM ok\r\nready.\r\n"
"""What a unit writes when it starts anew, in the middle of anything."""


@dataclass(slots=True)
class Faults:
    """What happens to bytes in one direction.

    flip, drop, insert: chance for each byte. delay, jitter: seconds. cut: nothing arrives.
    wrong_speed: every byte arrives as another. after: so many bytes still arrive, then nothing does.
    """

    flip: float = 0.0
    drop: float = 0.0
    insert: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    cut: bool = False
    wrong_speed: bool = False
    after: int | None = None

    def damage(self, data: bytes, draw: random.Random) -> bytes:
        """What of these bytes arrives."""
        if self.cut:
            return b""
        if self.after is not None:
            data, self.after = data[: self.after], max(0, self.after - len(data))
        if self.wrong_speed:
            return draw.randbytes(len(data))
        if not (self.flip or self.drop or self.insert):
            return data
        out = bytearray()
        for byte in data:
            if draw.random() < self.insert:
                out.append(draw.randrange(256))
            if draw.random() >= self.drop:
                out.append(byte ^ (1 << draw.randrange(8)) if draw.random() < self.flip else byte)
        return bytes(out)


class _Way:
    """One direction: damage, then delay, in order."""

    def __init__(self, draw: random.Random) -> None:
        self.faults = Faults()
        self.arrive: Callable[[bytes], None] | None = None
        self._draw = draw
        self._last = 0.0

    def carry(self, data: bytes) -> None:
        data = self.faults.damage(data, self._draw)
        if not data or self.arrive is None:
            return
        if not (self.faults.delay or self.faults.jitter):
            self.arrive(data)
            return
        loop = asyncio.get_running_loop()
        wait = self.faults.delay + self._draw.random() * self.faults.jitter
        self._last = max(self._last, loop.time() + wait)
        loop.call_at(self._last, self._late, self.arrive, data)

    def _late(self, arrive: Callable[[bytes], None], data: bytes) -> None:
        if arrive is self.arrive:
            arrive(data)


class Cable:
    """Two ways with faults. to_program: what the program reads. to_unit: what the hardware hears."""

    def __init__(self, seed: int = 0) -> None:
        self._draw = random.Random(seed)
        self._out = _Way(self._draw)
        self._in = _Way(self._draw)

    @property
    def to_program(self) -> Faults:
        """Faults on what the program reads."""
        return self._out.faults

    @property
    def to_unit(self) -> Faults:
        """Faults on what the hardware hears."""
        return self._in.faults

    def fail(self, *, to_program: Faults | None = None, to_unit: Faults | None = None) -> None:
        """Put faults on one way or both."""
        self._out.faults = to_program or self._out.faults
        self._in.faults = to_unit or self._in.faults

    def heal(self) -> None:
        """A good cable again."""
        self._out.faults, self._in.faults = Faults(), Faults()

    def garbage(self, size: int = 65_536) -> None:
        """Random bytes towards the program."""
        self._arrive(self._draw.randbytes(size))

    def reboot(self) -> None:
        """The text of a unit that starts anew."""
        self._arrive(BANNER)

    def connect(self, *, to_program: Callable[[bytes], None], to_unit: Callable[[bytes], None]) -> None:
        """Lay the cable."""
        self._out.arrive, self._in.arrive = to_program, to_unit

    def disconnect(self) -> None:
        """Take it away; what is still on its way is lost."""
        self._out.arrive = self._in.arrive = None

    def from_unit(self, data: bytes) -> None:
        """The hardware sends."""
        self._out.carry(data)

    def from_program(self, data: bytes) -> None:
        """The program sends."""
        self._in.carry(data)

    def _arrive(self, data: bytes) -> None:
        if self._out.arrive is not None:
            self._out.arrive(data)
