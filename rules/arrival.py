"""What happens at the arrival of an event that is not judged at once: it acts before its turn, or came too late."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from drivers.events import Event
from rules.homes import Home
from rules.ids import id_order
from rules.telling import marked_late

if TYPE_CHECKING:
    from rules.engine import Engine
    from rules.machines import Machine
    from rules.machines.base import Act


def try_out(engine: Engine, home: Home, event: Event) -> None:
    """Tell at once what critical rules make of everything heard so far, the unsettled in its order.

    The state is put back afterwards; when the event settles, what was told is not told again. A told alert is
    never taken back, even if an earlier event still to come would have led elsewhere.
    """
    home.pending.append(event)
    pending = sorted(home.pending, key=lambda each: (each.at, id_order(each.id)))
    engine.telling.answered, engine.telling.trying = False, True
    for machine, _ in engine.wiring.at_once.get(event.kind, ()):
        before = home.slots[machine.index]
        try:
            home.slots[machine.index] = machine.copy(home)
            for each in pending:
                _act(engine, machine, home, each)
        except Exception as fault:
            engine.broke(home, fault)
        finally:
            home.slots[machine.index] = before
    engine.event = event
    engine.catch(home, event)
    engine.telling.trying = False


def _act(engine: Engine, machine: Machine[Any], home: Home, event: Event) -> None:
    """Give an event to one machine alone."""
    engine.event = event
    for other, act in engine.wiring.at_once.get(event.kind, ()):
        if other is machine:
            act(home, event)


def come_late(engine: Engine, home: Home, event: Event) -> None:
    """Mark it; no state is touched, but a call for help is raised however late, and a late answer clears.

    Where late answers are believed, they also count for what still waits: what happened between its own time and its
    hearing happened before the deadline, however wrong the clock that stamped it.
    """
    engine.late_events += 1
    engine.event, engine.telling.answered = event, False
    engine.telling.out.append(marked_late(home, event))
    concerned = [machine for machine in engine.machines if event.kind in machine.kinds]
    _each(engine, home, [machine.late for machine in concerned], event)
    engine.catch(home, event)
    if engine.believe_late:
        _each(engine, home, [machine.believe for machine in concerned], event)


def _each(engine: Engine, home: Home, acts: Iterable[Act], event: Event) -> None:
    for act in acts:
        try:
            act(home, event)
        except Exception as fault:
            engine.broke(home, fault)
