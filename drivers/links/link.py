"""What every link is to the gateway: something to run, to send through, and to ask how it is.

A link hands each frame to `hear` in the order of arrival and acknowledges its wire only after the awaited
receipt says `accepted`: written down first, answered then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

from drivers.device_type import Outgoing
from drivers.events import Frame, Millis

LinkState: TypeAlias = Literal["configured", "opening", "up", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a frame, after the gateway's commit.

    accepted: it is written down and the sender may forget it. events: the ids of the events read out of it.
    error: why it could not be read, in a sentence; such a frame is in the journal all the same.
    """

    accepted: bool
    events: tuple[str, ...] = ()
    error: str = ""


Hear: TypeAlias = Callable[[Frame], Awaitable[Receipt]]
"""Given by the gateway to its links. The part before the first `await` already takes the frame's place in line."""


class LinkDown(Exception):  # noqa: N818  a state of the link, and the word the design uses
    """Nothing can be sent over this link now. reason: one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """How a link is. counters: since the process began. since: when it came into this state, ms UTC."""

    state: LinkState
    counters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    since: Millis = 0
    reason: str = ""


class Link(Protocol):
    """A transport with devices behind it."""

    name: str

    async def run(self, hear: Hear) -> None:
        """Open, read, recover, for ever; ends only by cancellation."""
        ...

    async def send(self, address: str, outgoing: Outgoing) -> None:
        """Hand bytes to a device. Raises LinkDown; after a cut midway it is unknown whether they arrived."""
        ...

    def health(self) -> LinkHealth:
        """How the link is now."""
        ...
