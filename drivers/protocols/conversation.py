"""A conversation with a device that must be answered: what a machine without I/O may ask of its link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from drivers.device_type import Outgoing


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes to the device. may_fail: it is heard all the same if it does not take them, or has no such channel."""

    channel: str
    payload: bytes
    may_fail: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    """Bytes of the device that are a frame for the journal."""

    channel: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """The device has answered what was sent under this ticket."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Failed:
    """What was sent under this ticket will not be answered. reason: one sentence."""

    ticket: int
    reason: str


Act: TypeAlias = Write | Tell | Sent | Failed


class Conversation(Protocol):
    """The machine of one connection. It is made anew for each, so nothing half said lives on."""

    @property
    def busy(self) -> bool:
        """Whether it waits for the device."""
        ...

    @property
    def unfinished(self) -> bool:
        """Whether the next connection should come at once and ask what became of this one."""
        ...

    def begin(self) -> list[Act]:
        """The link is up and subscribed."""
        ...

    def heard(self, channel: str, payload: bytes) -> list[Act]:
        """The device said something."""
        ...

    def send(self, ticket: int, outgoing: Outgoing) -> list[Act]:
        """Somebody wants something sent."""
        ...

    def cancel(self, ticket: int) -> None:
        """Nobody waits for this any more; what was not yet sent must not be sent later."""
        ...

    def lost(self) -> list[Act]:
        """The link is gone."""
        ...
