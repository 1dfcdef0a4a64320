"""A machine's word as a decision, with everything a person or another program asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.events import Event, Millis
from rules.decision import Action, Decision
from rules.homes import Home
from rules.machines.base import Machine, Slot
from rules.spans import say_span


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
        staff_action=machine.staff_action.say(home, slot, at, None),
        urgency=rule.urgency,
        queue=rule.queue,
        chain=rule.chain,
        life_safety=rule.life_safety,
        params=machine.numbers.here(home, slot),
        version=machine.version,
        reason=reason,
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
