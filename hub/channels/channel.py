"""What a channel is: something that can be asked to reach somebody, and says honestly how that went.

A channel only delivers. Delivery is never taken for an answer: the escalation goes on until a person takes the
alert (failure modes AL-11, NO-6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from drivers.events import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One attempt to reach one person. id: of its Notification row, the same at every repetition (NO-1).

    target: staff id, or `phone:` and a number for a place. text: without personal data, fit for a locked screen.
    says: the full words, only for channels that end where they may be read.
    """

    id: int
    alert: int
    target: str
    name: str
    phone: str
    urgency: str
    tell: str
    text: Mapping[str, str]
    says: Mapping[str, str]
    due: Millis


@dataclass(frozen=True, slots=True)
class Delivery:
    """How it went. status: `sent` (handed over), `shown` (on a screen somebody is signed in to)."""

    status: str
    detail: str = ""


class NotReachedError(Exception):
    """The person cannot be reached this way just now; the channel itself is well. The text says why.

    why: the same in a word or two for the timeline, in `nb` and `en`, where the channel has such words.
    """

    def __init__(self, text: str, why: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(text)
        self.why = why


class ChannelDownError(Exception):
    """The channel does not work; the text says why, for the technician."""


class Channel(Protocol):
    """One way to reach people."""

    @property
    def name(self) -> str:
        """One word, as it stands in the database."""
        ...

    @property
    def words(self) -> Mapping[str, str]:
        """What people call it, in `nb` and `en`."""
        ...

    def reaches(self, target: str) -> bool:
        """Whether this channel is at all for such a target (a staff id, or `phone:` and a number)."""
        ...

    async def send(self, notice: Notice) -> Delivery:
        """Reach them. Raises NotReachedError or ChannelDownError."""
        ...
