"""`when: EVENT  times: N  within: T`: N of them whose first and last are at most T apart; then they are spent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from drivers.events import Event
from rules.homes import Home
from rules.machines.base import Act
from rules.machines.happens import AtOnce, HeldBack


class Last(HeldBack):
    """last: the last N events as [at, id], oldest first."""

    __slots__ = ("last",)
    kept: ClassVar[tuple[str, ...]] = (*HeldBack.kept, "last")

    def __init__(self, key: str, device: str = "") -> None:
        super().__init__(key, device)
        self.last: list[list[Any]] = []


class Times(AtOnce[Last]):
    """Raises at the Nth."""

    slot_type = Last

    def acts(self) -> Iterator[tuple[str, Act]]:
        """Its one event."""
        for kind in self.rule.events:
            yield kind, self.happened

    def happened(self, home: Home, event: Event) -> None:
        """Count it."""
        if self.off(home):
            return
        slot = self.slot(home, event)
        wanted = self.setting(home, slot, self.rule.count)
        wait = self.setting(home, slot, self.rule.wait)
        if wanted is None or wait is None:
            return
        # A new list: what is tried out on arrival works on a copy of the slot that shares its values.
        last = slot.last = [*slot.last, [event.at, event.id]][-max(1, int(wanted)) :]
        if len(last) >= wanted and event.at - last[0][0] <= wait:
            because = tuple(each[1] for each in last)
            slot.last = []
            self.match(home, slot, event, because)
