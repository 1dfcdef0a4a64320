"""Which advertisement is news: devices say the same thing many times, and once is enough.

A burst of one press is one frame. The same bytes again after a pause are news, because a button without
counter or packet id says every press alike. What never changes is let through now and then, as a sign of life.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

PAUSE = 4.0  # seconds without it, after which the same advertisement is a new one
SIGN_OF_LIFE = 60.0  # seconds after which an unchanged advertisement counts again
MOST_PAYLOADS = 8  # alternating payloads remembered for one device and channel


@dataclass(slots=True)
class _Said:
    seen: float
    passed: float


@dataclass(slots=True)
class Repeats:
    """Remembers what each registered device has said lately. Times are monotonic seconds."""

    _said: dict[tuple[str, str], OrderedDict[bytes, _Said]] = field(default_factory=dict)

    def is_news(self, address: str, channel: str, payload: bytes, now: float) -> bool:
        """Whether these bytes should become a frame."""
        lately = self._said.setdefault((address, channel), OrderedDict())
        said = lately.get(payload)
        if said is None:
            lately[payload] = _Said(now, now)
            if len(lately) > MOST_PAYLOADS:
                lately.popitem(last=False)
            return True
        news = now - said.seen > PAUSE or now - said.passed > SIGN_OF_LIFE
        said.seen = now
        if news:
            said.passed = now
        lately.move_to_end(payload)
        return news

    def forget(self, address: str) -> None:
        """A device left the registry."""
        for key in [key for key in self._said if key[0] == address]:
            del self._said[key]
