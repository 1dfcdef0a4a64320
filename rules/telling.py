"""Decisions on their way out: a machine's word made whole, told once, and remembered for `why-not`."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from drivers.events import Event, Millis
from rules.decision import Action, Decision
from rules.homes import RECENT, Home
from rules.machines.base import Machine
from rules.machines.slot import Slot
from rules.spans import say_span

_ANSWERS: frozenset[Action] = frozenset(("raise", "repeat", "held"))

MOST_TOLD = 8 * RECENT
"""Decisions of one home told on arrival and not yet settled; beyond it the oldest is forgotten."""


class Telling:
    """out: what the call under way answers. answered: whether the event under judgement is dealt with.

    trying: what is taken now is told on arrival; the same decision is dropped when the event settles.
    """

    __slots__ = ("_kept", "answered", "out", "trying")

    def __init__(self) -> None:
        self.out: list[Decision] = []
        self.answered = False
        self.trying = False
        self._kept: list[Decision] = []  # decided between two calls, told by the next

    def begin(self) -> list[Decision]:
        """A call begins: the list it will answer, which holds what was decided before it."""
        self.out, self._kept = self._kept, []
        return self.out

    def between(self) -> None:
        """What is taken now is told by the next call."""
        self.out = self._kept

    def later(self, decision: Decision) -> None:
        """Tell a decision with the next call's."""
        self._kept.append(decision)

    def take(self, home: Home, decision: Decision) -> None:
        """Pass a decision on, once."""
        if decision.action in _ANSWERS:
            self.answered = True
        if self.trying:
            if decision.identity in home.told:
                return
            home.told[decision.identity] = None
            while len(home.told) > MOST_TOLD:
                del home.told[next(iter(home.told))]
        elif home.told and decision.identity in home.told:
            del home.told[decision.identity]
            return
        place = (decision.rule, decision.key)
        recent = home.recent.get(place)
        if recent is None:
            recent = home.recent[place] = deque(maxlen=RECENT)
        recent.append((decision.at, decision.action, decision.reason))
        self.out.append(decision)


def told_by(
    machine: Machine[Any],
    home: Home,
    slot: Slot,
    event: Event | None,
    action: Action,
    at: Millis,
    because: tuple[str, ...],
    says: Mapping[str, str],
    reason: str,
) -> Decision:
    """The decision of a rule. event: what caused it, None for a deadline."""
    rule = machine.rule
    acts = action == "raise" and not reason  # what came late, or is told by a new rule, is only told
    return Decision(
        action=action,
        rule=rule.name,
        key=slot.key,
        home=home.id,
        device=slot.device,
        kind=event.kind if event is not None and event.kind in machine.kinds else _kind(machine, home, slot),
        at=at,
        lag=0 if event is None else event.heard - event.at,
        because=because,
        says=says,
        plain=rule.alert.plain,
        staff_action=machine.speech.staff_action.say(home, slot, at, None),
        urgency=rule.urgency,
        queue=rule.queue,
        chain=rule.chain,
        life_safety=rule.life_safety,
        params=machine.speech.numbers.here(home, slot),
        version=machine.version,
        reason=reason,
        do=rule.do.name if rule.do and acts else "",
        do_args=machine.speech.args(home, slot, at) if acts else {},
    )


def _kind(machine: Machine[Any], home: Home, slot: Slot) -> str:
    """Of the kinds that open a rule, the one of the device it tells of: `any.heartbeat` of a bed is `bed.heartbeat`."""
    kinds = machine.rule.events
    device = home.spec.devices.get(slot.device) if len(kinds) > 1 else None
    if device is not None:
        for kind in kinds:
            if kind.startswith(f"{device.device_class}."):
                return kind
    return kinds[0]


def marked_late(home: Home, event: Event) -> Decision:
    """The mark on an event that came in too late to be judged; no alert."""
    return Decision(
        action="late",
        rule="late",
        key=event.device,
        home=home.id,
        device=event.device,
        kind=event.kind,
        at=event.at,
        lag=event.heard - event.at,
        because=(event.id,),
        reason=f"came in {say_span(event.heard - event.at)} late",
    )
