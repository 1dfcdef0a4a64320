"""What all machines share: where their slots lie, the gates before a raise, and being held back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from drivers.events import Event, Millis
from rules.book import Rule
from rules.decision import Action
from rules.homes import Home
from rules.language.types import Setting
from rules.local_time import within_times
from rules.machines.slot import Slot, Told
from rules.spans import say_span
from rules.speech import Speech

Act: TypeAlias = Callable[[Home, Event], None]

TAKEN_AWAY = "the device was taken away"


S = TypeVar("S", bound=Slot)
"""The slots of one machine."""


class Outcome(Enum):
    """What became of a match at the gates."""

    RAISED = "raised"
    HELD = "held"
    STOPPED = "stopped"


class Desk(Protocol):
    """What a machine asks of the engine."""

    started: Millis
    believe_late: bool

    def schedule(self, machine: Machine[Any], home: Home, slot: Slot, due: Millis) -> None:
        """See to it that `machine.fire` is called when `due` has come."""
        ...

    def emit(
        self,
        machine: Machine[Any],
        home: Home,
        slot: Slot,
        action: Action,
        at: Millis,
        because: tuple[str, ...],
        says: Mapping[str, str],
        reason: str = "",
    ) -> None:
        """Take a decision down."""
        ...

    def answered(self) -> None:
        """The event under judgement is being dealt with, though nothing new is raised."""
        ...


class Machine(ABC, Generic[S]):
    """Base of all machines. `index` is the rule's place in every home's slots."""

    slot_type: ClassVar[type[Slot]] = Slot
    latches: ClassVar[bool] = False
    """Its alerts stay open until a person closes them."""

    def __init__(self, rule: Rule, index: int, desk: Desk) -> None:
        self.rule = rule
        self.index = index
        self.desk = desk
        self.keyed = rule.per == "device" or bool(rule.same)
        self.holders: tuple[Machine[Any], ...] = ()
        self.holds: tuple[Machine[Any], ...] = ()
        self.optional = bool(rule.parameters)
        self.wait: Millis | None = rule.wait.value if rule.wait is not None and rule.wait.fixed else None
        self.rank = 0
        self.version = rule.meaning
        self.kinds = rule.kinds
        self.classes = frozenset(kind.partition(".")[0] for kind in rule.kinds)
        self.speech = Speech(self)

    # -- what each machine says of itself

    @abstractmethod
    def acts(self) -> Iterator[tuple[str, Act]]:
        """(kind, function to call with each event of it)."""

    def due(self, home: Home, slot: S) -> Millis | None:  # noqa: ARG002  each machine has its own
        """When something happens by itself, as it follows from the state now; None if nothing will."""
        return None

    def fire(self, home: Home, slot: S, at: Millis) -> None:
        """The due time has come."""

    def let_go(self, home: Home, slot: S, at: Millis) -> None:
        """What held this slot back is over at `at`."""

    def watch(self, home: Home, now: Millis) -> None:
        """Begin to watch the devices of a home that was set or changed at `now`."""

    def forget(self, home: Home, device: str, at: Millis) -> None:
        """A device was taken away: what was said of it is over."""
        if self.rule.per == "device":
            for slot in self.slots(home):
                if slot.device == device:
                    self.clear(home, slot, max(at, slot.alert.at if slot.alert else at), (), TAKEN_AWAY)
                    self.drop(home, slot)

    def deaf(self, home: Home, slot: S, until: Millis) -> None:
        """Nothing could be heard before `until`."""

    def late(self, home: Home, event: Event) -> None:
        """An event that came in too late to be judged in its place."""

    def believe(self, home: Home, event: Event) -> None:
        """The same event where late answers are believed: it counts for what still waits, or is told without it."""

    # -- slots

    def off(self, home: Home) -> bool:
        """Whether this rule is off for the resident."""
        return self.optional and self.rule.name in home.off

    def slot(self, home: Home, event: Event) -> S:
        """The slot an event belongs to, made if there is none."""
        if not self.keyed:
            slot: S | None = home.slots[self.index]
            return slot if slot is not None else self.make(home, home.id, event.device)
        key = self.key(home, event)
        slots = home.slots[self.index]
        found: S | None = slots.get(key) if slots else None
        return found if found is not None else self.make(home, key, event.device)

    def key(self, home: Home, event: Event) -> str:
        """What a rule watches: the home, the device, and with `same` one dose or other thing of it."""
        owner = event.device if self.rule.per == "device" else home.id
        return f"{owner}/{_part(event.data.get(self.rule.same))}" if self.rule.same else owner

    def make(self, home: Home, key: str, device: str) -> S:
        """A new, empty slot."""
        slot: S = self.slot_type(key, device)  # type: ignore[assignment]
        self.keep(home, slot)
        return slot

    def keep(self, home: Home, slot: S) -> None:
        """Put a slot where it belongs."""
        if not self.keyed:
            home.slots[self.index] = slot
        elif home.slots[self.index] is None:
            home.slots[self.index] = {slot.key: slot}
        else:
            home.slots[self.index][slot.key] = slot

    def slots(self, home: Home) -> Iterable[S]:
        """All slots of a home."""
        found = home.slots[self.index]
        if found is None:
            return ()
        return tuple(found.values()) if self.keyed else (found,)

    def drop(self, home: Home, slot: S) -> None:
        """Forget a slot."""
        if self.keyed:
            home.slots[self.index].pop(slot.key, None)
        else:
            home.slots[self.index] = None

    def copy(self, home: Home) -> Any:
        """The home's slots of this rule, to be put back after trying something out."""
        found = home.slots[self.index]
        if found is None:
            return None
        copies = {each.key: type(each).unpack(each.pack()) for each in self.slots(home)}
        return copies if self.keyed else next(iter(copies.values()))

    # -- settings

    def setting(self, home: Home, slot: S, setting: Setting | None) -> Any:
        """The value of a setting here and now; None where the device or resident has none."""
        return home.value(setting, slot.device)

    # -- gates

    def tell(
        self, home: Home, slot: S, at: Millis, because: tuple[str, ...], value: object = None
    ) -> Outcome:
        """Raise, unless a gate says otherwise: part of the day, another rule, too often."""
        rule = self.rule
        if rule.only is not None and not within_times(rule.only, home, at):
            slot.stopped = at
            return Outcome.STOPPED
        for holder in self.holders:
            if holder.covers(home, slot, self):
                self._held(home, slot, at, because, value, f"held back by {holder.rule.name}")
                return Outcome.HELD
        if rule.at_most is not None and slot.raised is not None:
            quiet = self.setting(home, slot, rule.at_most) or 0
            if at - slot.raised < quiet:
                self.again(home, slot, at, because, value, f"at most once per {say_span(quiet)}")
                return Outcome.STOPPED
        if slot.raised == at and self.latches:
            self.again(home, slot, at, because, value, "at the same instant")
            return Outcome.STOPPED
        slot.raised = at
        slot.held = None
        says = self.speech.alert.say(home, slot, at, value)
        slot.alert = Told(at, because, says)
        self.desk.emit(self, home, slot, "raise", at, because, says)
        return Outcome.RAISED

    def again(
        self, home: Home, slot: S, at: Millis, because: tuple[str, ...], value: object, reason: str
    ) -> None:
        """A match that does not raise anew: more evidence for an open alert, else kept back with its reason."""
        action: Action = "repeat" if self.latches else "held"
        self.desk.emit(
            self, home, slot, action, at, because, self.speech.alert.say(home, slot, at, value), reason
        )

    def _held(
        self, home: Home, slot: S, at: Millis, because: tuple[str, ...], value: object, reason: str
    ) -> None:
        slot.held = at
        self.desk.emit(
            self, home, slot, "held", at, because, self.speech.alert.say(home, slot, at, value), reason
        )

    def clear(self, home: Home, slot: S, at: Millis, because: tuple[str, ...], reason: str) -> None:
        """The alert is over; whatever it held back begins its wait anew."""
        told = slot.alert
        if told is None:
            return
        slot.alert = None
        self.desk.emit(self, home, slot, "clear", at, because, told.says, reason)
        self.free(home, at)

    def free(self, home: Home, at: Millis) -> None:
        """Let go what this rule held back and nothing else holds."""
        for machine in self.holds:
            for slot in machine.slots(home):
                if slot.held is not None and not machine.is_held(home, slot):
                    machine.let_go(home, slot, at)

    def is_held(self, home: Home, slot: S) -> bool:
        """Whether an open alert holds this slot back."""
        return any(holder.covers(home, slot, self) for holder in self.holders)

    def covers(self, home: Home, slot: S, held: Machine[Any]) -> bool:
        """Whether an open alert of this rule holds back that slot of another."""
        if not self.keyed:
            mine: Slot | None = home.slots[self.index]
            return mine is not None and mine.alert is not None
        if self.rule.per == held.rule.per and self.rule.same == held.rule.same:
            found: Slot | None = (home.slots[self.index] or {}).get(slot.key)
            return found is not None and found.alert is not None
        if self.rule.per == "device" == held.rule.per:
            return any(each.alert and each.device == slot.device for each in self.slots(home))
        return any(each.alert for each in self.slots(home))

    def close(self, home: Home, slot: S, at: Millis) -> None:
        """A person closed the alert."""
        if slot.alert is not None:
            slot.alert = None
            self.free(home, at)


def _part(value: object) -> str:
    """A data field as part of a key; what is no ordinary value falls together under one."""
    if isinstance(value, str):
        return value[:128] or "-"
    ordinary = isinstance(value, int | float) and -1e15 < value < 1e15
    return str(value) if ordinary else "-"
