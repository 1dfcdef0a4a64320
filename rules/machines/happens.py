"""`when: EVENT`: it happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar

from drivers.events import Event, Millis
from rules.decision import Action
from rules.homes import Home
from rules.machines.base import Act, Machine
from rules.machines.slot import Slot
from rules.spans import say_span

MOST_HELD = 32
"""Event ids kept as evidence while a raise is held back."""


class HeldBack(Slot):
    """A slot of a rule that acts at once: waiting holds the evidence of a raise that is held back."""

    __slots__ = ("value", "waiting")
    kept: ClassVar[tuple[str, ...]] = (*Slot.kept, "waiting", "value")

    def __init__(self, key: str, device: str = "") -> None:
        super().__init__(key, device)
        self.waiting: list[str] | None = None
        self.value: Any = None


H = TypeVar("H", bound=HeldBack)


class AtOnce(Machine[H]):
    """Base of the three machines that act at the instant of an event and latch until a person closes."""

    slot_type = HeldBack
    latches = True

    def match(self, home: Home, slot: H, event: Event, because: tuple[str, ...]) -> None:
        """The rule is met by this event."""
        slot.device = event.device
        slot.value = event.data.get("value")
        if self.speech.captures:
            slot.words = {**(slot.words or {}), **(self.speech.capture(home, event) or {})}
        slot.waiting = [*(slot.waiting or ()), *because][-MOST_HELD:]
        self.tell(home, slot, event.at, tuple(slot.waiting), slot.value)
        if slot.held is None:
            slot.waiting = None

    def let_go(self, home: Home, slot: H, at: Millis) -> None:
        """There is no wait to begin anew, so what was held back is told now."""
        slot.held = None
        because, slot.waiting = tuple(slot.waiting or ()), None
        self.tell(home, slot, at, because, slot.value)


class Happens(AtOnce[HeldBack]):
    """Raises at every event."""

    def acts(self) -> Iterator[tuple[str, Act]]:
        """Its one event."""
        for kind in self.rule.events:
            yield kind, self.happened

    def happened(self, home: Home, event: Event) -> None:
        """Raise at once."""
        if not self.off(home):
            self.match(home, self.slot(home, event), event, (event.id,))

    def late(self, home: Home, event: Event) -> None:
        """A critical event raises however late, past every gate, saying how late; the state is left alone."""
        if not self.rule.critical or self.off(home):
            return
        key = self.key(home, event) if self.keyed else home.id
        slot = self.slot_type(key, event.device)
        slot.words = self.speech.capture(home, event)
        says = self.speech.alert.say(home, slot, event.at, event.data.get("value"))
        told = any(entry[:2] == (event.at, "raise") for entry in home.recent.get((self.rule.name, key), ()))
        action: Action = "repeat" if told else "raise"
        reason = f"came in {say_span(event.heard - event.at)} late"
        self.desk.emit(self, home, slot, action, event.at, (event.id,), says, reason)
