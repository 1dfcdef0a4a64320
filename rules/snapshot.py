"""The engine's memory as JSON values, and back.

State is what is kept; timers are not: each due time follows from the state. A rule is found again by name and
meaning, so a snapshot taken with one book can be read with another: rules that still mean the same keep theirs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from drivers.events import Event, Millis
from rules.decision import Decision
from rules.homes import RECENT, Home
from rules.reasons import CHANGED, REMOVED
from rules.unswept import unswept

if TYPE_CHECKING:
    from rules.engine import Engine

FORMAT = 2


def pack(engine: Engine) -> dict[str, Any]:
    """Everything the engine knows and could not read again from the registry."""
    return {
        "format": FORMAT,
        "started": engine.started,
        "late_events": engine.late_events,
        "rules": {machine.rule.name: machine.rule.meaning for machine in engine.machines},
        "homes": {home.id: _pack_home(engine, home) for home in engine.homes.values()},
        "seen": engine.seen.pack(),
        "waiting": [_pack_event(event) for event in engine.waiting],
    }


def unpack(engine: Engine, packed: Mapping[str, Any]) -> None:
    """Take over what `pack` wrote. Raises ValueError for another format, and for what it cannot read."""
    if packed.get("format") != FORMAT:
        raise ValueError(f"a snapshot of format {FORMAT} is needed, not {packed.get('format')!r:.40}")
    try:
        with unswept():
            _unpack(engine, packed)
    except (KeyError, TypeError, IndexError, AttributeError) as wrong:
        raise ValueError(f"the snapshot cannot be read: {wrong!r:.200}") from wrong


def _unpack(engine: Engine, packed: Mapping[str, Any]) -> None:
    now, engine.started = engine.started, packed["started"]
    engine.late_events = packed["late_events"]
    same = {
        machine.rule.name
        for machine in engine.machines
        if packed["rules"].get(machine.rule.name) == machine.rule.meaning
    }
    for home_id, body in packed["homes"].items():
        _unpack_home(engine, engine.home(home_id), body, same)
        _end_what_is_gone(engine, home_id, body["slots"], same, now)
    engine.seen.unpack(packed["seen"], engine.homes)
    for entry in packed["waiting"]:
        event = _unpack_event(entry)
        home = engine.home(event.home)
        if event.kind in engine.urgent_kinds:
            home.pending.append(event)
        engine.waiting.put(home, event)
    engine.take_up()
    engine.let_go(now)


def _pack_home(engine: Engine, home: Home) -> dict[str, Any]:
    slots = {
        machine.rule.name: [slot.pack() for slot in machine.slots(home)]
        for machine in engine.machines
        if home.slots[machine.index]
    }
    body: dict[str, Any] = {"slots": slots, "devices": sorted(home.assigned)}
    if home.recent:
        body["recent"] = [[*key, list(map(list, entries))] for key, entries in home.recent.items()]
    if home.told:
        body["told"] = [list(each) for each in home.told]
    return body


def _unpack_home(engine: Engine, home: Home, body: Mapping[str, Any], same: Iterable[str]) -> None:
    for name in same:
        machine = engine.by_name[name]
        home.slots[machine.index] = None
        for packed in body["slots"].get(name, ()):
            machine.keep(home, machine.slot_type.unpack(packed))
    home.recent = {
        (rule, key): deque((tuple(each) for each in entries), maxlen=RECENT)
        for rule, key, entries in body.get("recent", ())
    }
    home.assigned |= frozenset(body["devices"])
    home.told = {tuple(each): None for each in body.get("told", ())}


def _end_what_is_gone(
    engine: Engine, home: str, slots: Mapping[str, Any], same: Iterable[str], now: Millis
) -> None:
    """Alerts that stood when another book was in force: those of removed rules close, and of changed ones too, except
    where a person has to close them. What still holds is raised anew as it is heard.
    """
    for name, packed in slots.items():
        machine = engine.by_name.get(name)
        if name in same or (machine is not None and machine.latches):
            continue
        for key, told, device, *_ in packed:
            if told:
                at, because, says = told
                reason = REMOVED if machine is None else CHANGED
                engine.telling.later(
                    Decision(action="clear", rule=name, key=key, home=home, device=device, at=max(now, at),
                             because=tuple(because), says=says, reason=reason)
                )  # fmt: skip


def _pack_event(event: Event) -> list[Any]:
    return [event.id, event.at, event.heard, event.home, event.device, event.kind, dict(event.data)]


def _unpack_event(packed: list[Any]) -> Event:
    return Event(*packed)
