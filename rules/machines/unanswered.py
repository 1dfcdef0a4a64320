"""`when: A  missing: B  same: FIELD  within: T`: A, and no B of the same key in (A, A + T]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from drivers.events import Event, Millis
from rules.homes import Home
from rules.machines.base import Act, Machine, Outcome
from rules.machines.slot import Slot
from rules.reasons import LATE, say_late
from rules.spans import MINUTE

MOST_OPEN = 32
"""A's of one key waiting at the same time; beyond it the middle ones are let fall, never the first or the last."""

LONGEST_PATIENCE: Millis = 5 * MINUTE
"""A rule that raises sooner than this unless the call is cancelled has answered a call for help; a slower one not."""

TAKEN = "dispenser.taken"
"""What many a dispenser cannot know; only those that can are asked."""

MOST_KEYS = 256
"""Keys of one home remembered; beyond it the oldest that has been told is forgotten."""


class Open(Slot):
    """open: the A's that no B has answered, oldest first, each as [at, id, device, words]."""

    __slots__ = ("open",)
    kept: ClassVar[tuple[str, ...]] = (*Slot.kept, "open")

    def __init__(self, key: str, device: str = "") -> None:
        super().__init__(key, device)
        self.open: list[list[Any]] = []


class Unanswered(Machine[Open]):
    """Raises at A + T."""

    slot_type = Open

    def acts(self) -> Iterator[tuple[str, Act]]:
        """B before A where one kind is both: an answer belongs to what came before it."""
        for kind in self.rule.second:
            yield kind, self.answered
        for kind in self.rule.events:
            yield kind, self.asked if TAKEN in self.rule.second else self.opened

    def opened(self, home: Home, event: Event) -> None:
        """An A: begins a new round, which ends the alert of the round before."""
        if self.off(home):
            return
        slot = self.slot(home, event)
        if slot.alert is not None:
            self.clear(home, slot, event.at, (event.id,), "a new round began")
            slot.open, slot.rearmed = [], None
        slot.open.append([event.at, event.id, event.device, self.speech.capture(home, event)])
        if len(slot.open) > MOST_OPEN:
            del slot.open[MOST_OPEN // 2]
        self._wait(home, slot)
        if (self.setting(home, slot, self.rule.wait) or LONGEST_PATIENCE) < LONGEST_PATIENCE:
            self.desk.answered()
        if self.keyed and len(home.slots[self.index]) > MOST_KEYS:
            self._forget(home)

    def asked(self, home: Home, event: Event) -> None:
        """An A that wants to hear "taken": of a dispenser that cannot tell it means nothing."""
        device = home.spec.devices.get(event.device)
        if device is None or device.knows_taken:
            self.opened(home, event)

    def answered(self, home: Home, event: Event) -> None:
        """A B: answers every A before it."""
        slot = self._find(home, event)
        if slot is None:
            return
        self.clear(home, slot, event.at, (event.id,), "it came after all")
        self._answer(home, slot, event.at)

    def late(self, home: Home, event: Event) -> None:
        """A late B ends an alert that was told without it."""
        slot = self._find(home, event) if event.kind in self.rule.second else None
        if slot is None or slot.alert is None or not slot.open or event.at <= slot.open[0][0]:
            return
        reason = say_late(home, event) if self.desk.believe_late else LATE
        self.clear(home, slot, max(event.heard, slot.alert.at), (event.id,), reason)
        self._answer(home, slot, event.at)

    def believe(self, home: Home, event: Event) -> None:
        """A late B answers what waits for it; a call for help goes on waiting as if nothing had come."""
        slot = self._find(home, event) if event.kind in self.rule.second else None
        if slot is None or slot.alert is not None or not slot.open or event.at <= slot.open[0][0]:
            return
        if self.rule.life_safety:
            return
        _, first, slot.device, slot.words = slot.open[0]
        says = self.speech.alert.say(home, slot, event.heard, None)
        self.desk.emit(self, home, slot, "held", event.heard, (first, event.id), says, say_late(home, event))
        self._answer(home, slot, event.at)

    def _find(self, home: Home, event: Event) -> Open | None:
        slots: Any = home.slots[self.index]
        found: Open | None = (slots or {}).get(self.key(home, event)) if self.keyed else slots
        return found

    def _answer(self, home: Home, slot: Open, at: Millis) -> None:
        """(A, A + T] begins after A, so a B at the very instant of an A does not answer that one."""
        left = [each for each in slot.open if each[0] >= at]
        if len(left) == len(slot.open):
            return
        slot.open, slot.held, slot.rearmed = left, None, None
        if left:
            self._wait(home, slot)
        elif self.keyed and (slot.raised is None or self.rule.at_most is None):
            self.drop(home, slot)  # doses come and go; only what may be told again is kept

    def _wait(self, home: Home, slot: Open) -> None:
        due = self.due(home, slot)
        if due is not None:
            self.desk.schedule(self, home, slot, due)

    def due(self, home: Home, slot: Open) -> Millis | None:
        """The deadline of the earliest A, or a new T from when it was let go."""
        if not slot.open or slot.alert is not None or slot.held is not None:
            return None
        wait = self.setting(home, slot, self.rule.wait)
        first = slot.open[0][0]
        return None if wait is None else int(max(first, slot.rearmed or first) + wait)

    def fire(self, home: Home, slot: Open, at: Millis) -> None:
        """No B came."""
        _, event_id, slot.device, slot.words = slot.open[0]
        if self.tell(home, slot, at, (event_id,)) is Outcome.STOPPED:
            del slot.open[0]
            self._wait(home, slot)

    def let_go(self, home: Home, slot: Open, at: Millis) -> None:
        """A new T from now."""
        slot.held, slot.rearmed = None, at
        self._wait(home, slot)

    def close(self, home: Home, slot: Open, at: Millis) -> None:
        """A person closed it: this round is over."""
        slot.open = []
        super().close(home, slot, at)

    def _forget(self, home: Home) -> None:
        told = [(slot.alert.at, key) for key, slot in home.slots[self.index].items() if slot.alert]
        if told:
            del home.slots[self.index][min(told)[1]]
