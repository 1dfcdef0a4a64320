"""What a machine remembers of one key, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Self

from drivers.events import Millis


@dataclass(frozen=True, slots=True)
class Told:
    """An open alert as its machine remembers it."""

    at: Millis
    because: tuple[str, ...]
    says: Mapping[str, str]


class Slot:
    """What a machine remembers of one key.

    alert: the open alert, or None. raised: when it last raised, for `at most once per`.
    held: since when a raise is held back. rearmed: from when a held wait counts anew.
    stopped: when a match last fell outside `only`; for why-not, which is asked of a replay, so it is not stored.
    timer: the release time of its one entry in the heap, or None. words: event texts for the sentence.
    """

    __slots__ = ("alert", "device", "held", "key", "raised", "rearmed", "stopped", "timer", "words")
    kept: ClassVar[tuple[str, ...]] = ("device", "raised", "held", "rearmed", "words")

    def __init__(self, key: str, device: str = "") -> None:
        self.key = key
        self.device: str = device
        self.alert: Told | None = None
        self.raised: Millis | None = None
        self.held: Millis | None = None
        self.rearmed: Millis | None = None
        self.stopped: Millis | None = None
        self.timer: Millis | None = None
        self.words: dict[str, str | float] | None = None

    def pack(self) -> list[Any]:
        """Everything that must survive a restart, as JSON values."""
        told = self.alert and [self.alert.at, list(self.alert.because), dict(self.alert.says)]
        return [self.key, told or None, *attrgetter(*self.kept)(self)]

    @classmethod
    def unpack(cls, packed: list[Any]) -> Self:
        """The slot that `pack` wrote."""
        slot = cls(packed[0])
        if packed[1]:
            at, because, says = packed[1]
            slot.alert = Told(at, tuple(because), says)
        for name, value in zip(cls.kept, packed[2:], strict=True):
            if value is not None:  # what was None begins so
                setattr(slot, name, value)
        return slot
