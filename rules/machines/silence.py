"""`missing: EVENT  for: T`: silence, counted from the last event, or from the assignment of what should speak."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, TypeVar

from drivers.events import Event, Millis
from rules.homes import Home
from rules.machines.base import Act, Machine
from rules.machines.slot import Slot
from rules.reasons import say_late


class Heard(Slot):
    """last: when it last spoke (or began to be watched); last_id: that event, empty if it never spoke."""

    __slots__ = ("last", "last_id")
    kept: ClassVar[tuple[str, ...]] = (*Slot.kept, "last", "last_id")

    def __init__(self, key: str, device: str = "") -> None:
        super().__init__(key, device)
        self.last: Millis = 0
        self.last_id = ""


W = TypeVar("W", bound=Heard)


class Watch(Machine[W]):
    """Base of the two machines that watch for something missing, from the assignment on."""

    slot_type = Heard

    def watch(self, home: Home, now: Millis) -> None:  # noqa: ARG002
        """Begin with what the registry assigned."""
        since = self.assigned(home)
        for key, (device, start) in since.items():
            slots = home.slots[self.index]
            slot = (slots or {}).get(key) if self.keyed else slots
            if slot is None:
                slot = self.make(home, key, device)
                slot.last = max(start, self.desk.started)
            elif not slot.last_id and slot.alert is None:
                slot.last = max(start, self.desk.started)

    def heard_late(self, home: Home, event: Event) -> W | None:
        """The slot that a late sign of life tells something new; None where it is older than what is known."""
        slots = home.slots[self.index]
        slot: W | None = (slots or {}).get(self.key(home, event)) if self.keyed else slots
        return slot if slot is not None and event.at > slot.last else None

    def assigned(self, home: Home) -> dict[str, tuple[str, Millis]]:
        """What to watch: key → (device, since) of every device that should be heard and whose assignment is known."""
        known = [
            (each.since, name)
            for name, each in home.spec.devices.items()
            if each.device_class in self.classes and each.since is not None
        ]
        if self.rule.per == "device":
            return {name: (name, since) for since, name in known}
        if not known:
            return {}
        since, name = min(known)
        return {home.id: (name, since)}


class Silence(Watch[Heard]):
    """Raises at last + T. A sign of life writes one time; the one timer of a key is moved when it comes due."""

    def acts(self) -> Iterator[tuple[str, Act]]:
        """Every sign of life."""
        act = self._by_device() if self.rule.per == "device" else self._by_home()
        for kind in self.rule.events:
            yield kind, act

    def _by_home(self) -> Act:
        index, wake = self.index, self._wake

        def spoke(home: Home, event: Event) -> None:
            slot = home.slots[index]
            if slot is None:
                slot = self.make(home, home.id, event.device)
            if event.at >= slot.last:
                slot.last = event.at
                slot.last_id = event.id
            if slot.timer is None:
                wake(home, slot, event)

        return spoke

    def _by_device(self) -> Act:
        index, wake = self.index, self._wake

        def spoke(home: Home, event: Event) -> None:
            try:
                slot = home.slots[index][event.device]
            except (KeyError, TypeError):  # the first of this device, or of this home
                slot = self.make(home, event.device, event.device)
            if event.at >= slot.last:
                slot.last = event.at
                slot.last_id = event.id
            if slot.timer is None:
                wake(home, slot, event)

        return spoke

    def _wake(self, home: Home, slot: Heard, event: Event) -> None:
        """It was silent, held back, or is new: the wait begins anew."""
        slot.held = slot.rearmed = None
        slot.device = event.device
        if self.speech.captures:
            slot.words = self.speech.capture(home, event)
        if slot.alert is not None:
            self.clear(home, slot, event.at, (event.id,), "heard again")
        self._wait(home, slot)

    def _wait(self, home: Home, slot: Heard) -> None:
        due = self.due(home, slot)
        if due is not None:
            self.desk.schedule(self, home, slot, due)

    def due(self, home: Home, slot: Heard) -> Millis | None:
        """The last sign of life (or the moment it was let go) plus T."""
        if slot.alert is not None or slot.held is not None:
            return None
        wait = self.wait if self.wait is not None else self._own_wait(home, slot)
        last = slot.last
        if slot.rearmed is not None and slot.rearmed > last:
            last = slot.rearmed
        return None if wait is None else last + wait

    def _own_wait(self, home: Home, slot: Heard) -> Millis | None:
        wait = None if self.off(home) else self.setting(home, slot, self.rule.wait)
        return None if wait is None else int(wait)

    def believe(self, home: Home, event: Event) -> None:
        """A late sign of life: the silence began no earlier than it, and is over if that is less than T ago."""
        slot = self.heard_late(home, event)
        if slot is None or (slot.alert is None and self.rule.life_safety):
            return
        wait = self._own_wait(home, slot)
        if slot.alert is not None and (wait is None or event.at + wait <= event.heard):
            return
        slot.last, slot.last_id, slot.device = event.at, event.id, event.device
        slot.held = slot.rearmed = None
        if slot.alert is not None:
            self.clear(home, slot, max(event.heard, slot.alert.at), (event.id,), say_late(home, event))
        self._wait(home, slot)

    def fire(self, home: Home, slot: Heard, at: Millis) -> None:
        """Nothing came."""
        self.tell(home, slot, at, (slot.last_id,) if slot.last_id else ())

    def let_go(self, home: Home, slot: Heard, at: Millis) -> None:
        """A new T from now."""
        slot.held, slot.rearmed = None, at
        self._wait(home, slot)

    def deaf(self, home: Home, slot: Heard, until: Millis) -> None:  # noqa: ARG002
        """A new T from when we hear again."""
        if slot.alert is None and slot.last < until:
            slot.rearmed = until
