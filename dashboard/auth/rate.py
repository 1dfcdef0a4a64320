"""A brake for failed attempts: so many within a span of real time, counted for each sender."""

from __future__ import annotations

from collections import OrderedDict, deque

from drivers.events import Millis

MOST_SENDERS = 10_000


class Brake:
    """Allows `most` failures within `span` milliseconds."""

    def __init__(self, most: int, span: Millis) -> None:
        self._most, self._span = most, span
        self._failed: OrderedDict[str, deque[Millis]] = OrderedDict()

    def holds(self, sender: str, now: Millis) -> bool:
        """Whether this sender has to wait."""
        failed = self._failed.get(sender, deque())
        while failed and failed[0] <= now - self._span:
            failed.popleft()
        return len(failed) >= self._most

    def failed(self, sender: str, now: Millis) -> None:
        """Count a failure; the sender unheard for longest is forgotten when there are too many."""
        self._failed.setdefault(sender, deque(maxlen=self._most)).append(now)
        self._failed.move_to_end(sender)
        while len(self._failed) > MOST_SENDERS:
            self._failed.popitem(last=False)
