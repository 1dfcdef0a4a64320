"""How much frames that nobody can read may write: enough to find the fault, never enough to fill the disk.

A faulty or hostile sender may produce thousands of unreadable frames a second, and a Bluetooth radio hears the
whole street. Each frame is written once; what comes again is counted; what exceeds the budget is only
counted, and the next line that is written says how many were left out. All of them are answered as received:
a sender that repeats a frame nobody will ever understand would keep the line from the others (TR-12).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from drivers.events import Frame, Millis

Verdict: TypeAlias = Literal["write", "known", "leave out"]
Source: TypeAlias = tuple[str, str]

SOURCE_BURST, SOURCE_EVERY = 30, 20_000
"""Of one sender: thirty lines at once, then one every 20 s."""

TOTAL_BURST, TOTAL_EVERY = 600, 2_000
"""Of all senders together: six hundred lines at once, then one every 2 s."""

KNOWN_FRAMES, KNOWN_SOURCES = 2048, 1024
"""How many frames and senders are remembered; the longest unheard are forgotten first."""

FORGET_AFTER: Millis = 3_600_000
"""The same bytes an hour later are written again, so that a lasting fault stays visible."""


@dataclass(slots=True)
class Budget:
    """A bucket of `burst` lines that refills by one every `every` ms."""

    burst: int
    every: Millis
    left: float = field(init=False)
    filled: Millis = 0

    def __post_init__(self) -> None:
        self.left = float(self.burst)

    def allows(self, now: Millis) -> bool:
        """Whether there is one left now, after the refill that time has brought."""
        self.left = min(float(self.burst), self.left + max(0, now - self.filled) / self.every)
        self.filled = max(self.filled, now)
        return self.left >= 1


@dataclass(slots=True)
class Strangers:
    """Remembers what was written of late. repeated, left_out: frames not written, since the process began."""

    repeated: int = 0
    left_out: int = 0
    _untold: int = 0
    _frames: OrderedDict[bytes, Millis] = field(default_factory=OrderedDict)
    _sources: OrderedDict[Source, Budget] = field(default_factory=OrderedDict)
    _total: Budget = field(default_factory=lambda: Budget(TOTAL_BURST, TOTAL_EVERY))

    def judge(self, frame: Frame) -> Verdict:
        """Decide whether this frame gets a line, is one we have already, or exceeds the budget."""
        digest = _digest(frame)
        if frame.heard - self._frames.get(digest, -FORGET_AFTER) < FORGET_AFTER:
            self.repeated += 1
            return "known"
        budget = self._budget((frame.link, frame.address))
        if not (budget.allows(frame.heard) and self._total.allows(frame.heard)):
            self.left_out += 1
            self._untold += 1
            return "leave out"
        budget.left -= 1
        self._total.left -= 1
        return "write"

    def written(self, frame: Frame) -> None:
        """Remember, after the commit, that this frame has its line."""
        self._frames[_digest(frame)] = frame.heard
        if len(self._frames) > KNOWN_FRAMES:
            self._frames.popitem(last=False)

    def untold(self) -> int:
        """How many were left out since this was last asked."""
        count, self._untold = self._untold, 0
        return count

    def _budget(self, source: Source) -> Budget:
        budget = self._sources.pop(source, None) or Budget(SOURCE_BURST, SOURCE_EVERY)
        self._sources[source] = budget
        if len(self._sources) > KNOWN_SOURCES:
            self._sources.popitem(last=False)
        return budget


def _digest(frame: Frame) -> bytes:
    where = f"{frame.link}\0{frame.address}\0{frame.channel}\0".encode()
    return hashlib.blake2b(where + frame.payload, digest_size=12).digest()
