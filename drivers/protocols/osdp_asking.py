"""Which status an OSDP device is asked for next: one question at a time, all of them every few seconds.

A question that fails three times running is left for a quarter of a minute, then for ever longer: libosdp puts a
device aside that answers NAK, so a device that cannot tell would otherwise be offline again and again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

PATIENCE: Final = 2
REST: Final = 15.0
ANSWERED_WITHIN: Final = 10.0
"""Seconds after which nobody will say any more what became of a question."""
REST_AT_MOST: Final = 6 * 3600.0


@dataclass(slots=True)
class Asking:
    """The questions to one device. statuses: what may be asked, in turn.

    every: seconds from the end of a round to the next one, in which the device is polled and tells by itself.
    """

    statuses: tuple[int, ...]
    every: float
    _round: deque[int] = field(default_factory=deque)
    _next_at: float = 0.0
    _asked: int | None = None
    _until: float = 0.0
    _failed: dict[int, int] = field(default_factory=dict)
    _rest_until: dict[int, float] = field(default_factory=dict)

    def begin_anew(self) -> None:
        """The device is not there: ask everything at once when it is back."""
        self._round.clear()
        self._asked, self._next_at = None, 0.0

    def next(self, now: float) -> int | None:
        """What to ask now; nothing while an answer is awaited or the round is over."""
        if self._asked is not None and now < self._until:
            return None
        if self._asked is not None:
            self.ended(now, done=False)
        if not self._round and now >= self._next_at:
            self._round.extend(one for one in self.statuses if now >= self._rest_until.get(one, 0.0))
        self._asked = self._round.popleft() if self._round else None
        self._until = now + ANSWERED_WITHIN
        return self._asked

    def leave_out(self, status: int) -> None:
        """The device has nothing to tell about this."""
        self._rest_until[status] = float("inf")
        self._asked = None

    def ended(self, now: float, *, done: bool) -> None:
        """The question was answered, or was not."""
        status, self._asked = self._asked, None
        self._next_at = now + self.every
        if status is None:
            return
        failed = 0 if done else self._failed.get(status, 0) + 1
        self._failed[status] = failed
        if failed > PATIENCE:
            self._rest_until[status] = now + min(REST_AT_MOST, REST * 4 ** (failed - PATIENCE - 1))
