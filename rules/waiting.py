"""Events waiting for their place: in order of (at, id) within a home, until no earlier one can come in time.

Nearly every event is younger than all before it, so it is appended; one that comes late walks back from the end.
Homes with the same allowance share a queue, in which waiting times are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from drivers.events import Event, Millis
from rules.homes import Home
from rules.ids import id_order
from rules.timers import NEVER, Soonest

Entry: TypeAlias = tuple[Millis, Home, Event]
"""When it is released (at + allowance), its home, the event."""


class Waiting:
    """first: the earliest release time, NEVER when nothing waits."""

    __slots__ = ("_queue", "_queues", "_soonest", "first")

    def __init__(self, soonest: Soonest) -> None:
        self._soonest = soonest
        self._queues: dict[Millis, deque[Entry]] = {}
        self._queue: deque[Entry] = deque()
        self.first: Millis = NEVER

    def put(self, home: Home, event: Event) -> None:
        """Let an event wait for as long as its home allows."""
        grace = home.grace
        release = event.at + grace
        queue = self._queues.get(grace)
        if queue is None:
            queue = self._queues[grace] = deque()
        if not queue or queue[-1][0] < release:
            queue.append((release, home, event))
        else:
            queue.insert(_place(queue, release, event), (release, home, event))
        if release < self.first:
            self.first, self._queue = release, queue
            self._soonest.at = min(self._soonest.at, release)

    def take(self) -> Entry:
        """The event whose time has come."""
        queue = self._queue
        entry = queue.popleft()
        if len(self._queues) > 1:
            filled = [each for each in self._queues.values() if each]
            queue = self._queue = min(filled, key=_first, default=queue)
        self.first = queue[0][0] if queue else NEVER
        return entry

    def __iter__(self) -> Iterator[Event]:
        """All that wait, in no particular order between queues."""
        return (event for queue in self._queues.values() for _, _, event in queue)


def _first(queue: deque[Entry]) -> Millis:
    return queue[0][0]


def _place(queue: deque[Entry], release: Millis, event: Event) -> int:
    """Where an event belongs that is not younger than the last."""
    place, order = len(queue), id_order(event.id)
    for other, _, waiting in reversed(queue):
        if other < release or (other == release and id_order(waiting.id) <= order):
            break
        place -= 1
    return place
