"""What a protocol machine of a serial line is, and what it can say.

A machine knows one protocol's conversation: what to answer, what to repeat, when to give up. It touches
nothing: bytes, times and answers are handed in, and what it wants done comes back as a list. The link
(`drivers.links.serial`) does it. Times are seconds of a clock that only runs forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Answer: TypeAlias = Literal["accepted", "busy"]
"""What became of a frame: it is written down, or it could not be and has to come again."""


@dataclass(frozen=True, slots=True)
class Write:
    """Put these bytes on the line."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame came in.

    ticket: above 0 when the sender waits and `answer(ticket, …)` must be called. unit: who on a shared line
    sent it, empty where the line has one device. channel: as in `Frame.channel`.
    life: a mere sign of life, which the link may thin out.
    """

    payload: bytes
    ticket: int = 0
    unit: str = ""
    channel: str = ""
    life: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """The other side took what `send` was given."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Failed:
    """What `send` was given did not reach the other side, and why."""

    ticket: int
    reason: str


Out: TypeAlias = Write | Heard | Sent | Failed


class LineMachine(Protocol):
    """One protocol's conversation on one open port. Never raises on anything the line delivers."""

    counters: dict[str, int]

    def start(self, now: float, /) -> Sequence[Out]:
        """The port is open."""
        ...

    def stop(self, reason: str, /) -> Sequence[Out]:
        """The port is gone: whatever still waits to be sent has failed."""
        ...

    def feed(self, data: bytes, now: float, /) -> Sequence[Out]:
        """Bytes came."""
        ...

    def tick(self, now: float, /) -> Sequence[Out]:
        """The time that `due` named has come."""
        ...

    def answer(self, ticket: int, answer: Answer, now: float, /) -> Sequence[Out]:
        """What became of a frame that somebody waits for. Unknown and outdated tickets are ignored."""
        ...

    def send(self, ticket: int, unit: str, payload: bytes, channel: str, now: float, /) -> Sequence[Out]:
        """Something to say to a device. Exactly one `Sent` or `Failed` with this ticket follows."""
        ...

    def cancel(self, ticket: int, /) -> None:
        """Nobody waits for this message any more: do not send it if it has not begun."""
        ...

    def due(self) -> float | None:
        """When `tick` must be called next; None if nothing waits."""
        ...

    def trouble(self, now: float, /) -> str:
        """Why the line counts as dead, in a sentence; empty while it lives."""
        ...


def count(counters: dict[str, int], name: str, by: int = 1) -> None:
    """Count something under its name."""
    counters[name] = counters.get(name, 0) + by
