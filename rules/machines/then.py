"""`when: A  then: B  within: T`: the latest A counts, once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from drivers.events import Event, Millis
from rules.homes import Home
from rules.machines.base import Act
from rules.machines.happens import AtOnce, HeldBack


class First(HeldBack):
    """first: when the latest A was; first_id: its id."""

    __slots__ = ("first", "first_id")
    kept: ClassVar[tuple[str, ...]] = (*HeldBack.kept, "first", "first_id")

    def __init__(self, key: str, device: str = "") -> None:
        super().__init__(key, device)
        self.first: Millis | None = None
        self.first_id = ""


class Then(AtOnce[First]):
    """Raises at B when an A was at most T before it."""

    slot_type = First

    def acts(self) -> Iterator[tuple[str, Act]]:
        """One function for both, since one event may be the B of one pair and the A of the next."""
        for kind in dict.fromkeys((*self.rule.second, *self.rule.events)):
            yield kind, self.happened

    def happened(self, home: Home, event: Event) -> None:
        """B after A raises; an A that completes nothing is remembered."""
        if self.off(home):
            return
        slot = self.slot(home, event)
        if event.kind in self.rule.second and slot.first is not None:
            wait = self.setting(home, slot, self.rule.wait)
            if wait is not None and event.at - slot.first <= wait:
                first, slot.first = slot.first_id, None
                self.match(home, slot, event, (first, event.id))
                return
        if event.kind in self.rule.events:
            slot.first, slot.first_id = event.at, event.id
            if self.speech.captures:
                slot.words = self.speech.capture(home, event)
