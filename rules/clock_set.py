"""The clock was set while rules waited: what they remember moves with it, so that ten minutes stay ten minutes.

Instants were taken from a clock that was wrong by as much, so the rest of every wait is what it was (reference:
rules, section 8, "Clock jumps"). What was told keeps its time: that is the identity of the alert.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drivers.events import Event, Millis
from rules.engine import Engine
from rules.machines.slot import Slot
from rules.waiting import Waiting

INSTANTS = ("raised", "held", "rearmed", "since", "last", "watched", "first", "open", "samples")
"""Of a slot: when something was, or a list of [when, …]."""

ANOTHER_DAY: Millis = 43_200_000
"""A clock set by so much stands on another day: which window comes next is found anew."""


def clock_set(engine: Engine, by: Millis) -> None:
    """Move all that the engine remembers by so much; deadlines follow from it."""
    engine.started += by
    _move_waiting(engine, by)
    for home in engine.homes.values():
        for machine in engine.machines:
            for slot in machine.slots(home):
                _move(slot, by)
    engine.take_up()


def _move(slot: Slot, by: Millis) -> None:
    for name in INSTANTS:
        if hasattr(slot, name):
            setattr(slot, name, _moved(getattr(slot, name), by))
    if abs(by) >= ANOTHER_DAY and hasattr(slot, "day"):
        slot.day = 0


def _moved(when: Any, by: Millis) -> Any:
    """Nothing and 0 stand for never."""
    if isinstance(when, list):
        return [[each[0] + by, *each[1:]] for each in when]
    return when + by if when else when


def _move_waiting(engine: Engine, by: Millis) -> None:
    """Events that still wait for their place were stamped by the same clock."""
    waiting, engine.waiting = engine.waiting, Waiting(engine.soonest)
    pending = {event.id for home in engine.homes.values() for event in home.pending}
    for home in engine.homes.values():
        home.pending = []
    for event in waiting:
        home, moved = engine.homes[event.home], _event(event, by)
        if event.id in pending:
            home.pending.append(moved)
        engine.waiting.put(home, moved)


def _event(event: Event, by: Millis) -> Event:
    return replace(event, at=event.at + by, heard=event.heard + by)
