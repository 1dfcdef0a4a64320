"""Swapping the book between two events.

A rule that means the same keeps what it remembers, whatever its words. A changed or new rule is judged in silence
over its horizon of the journal; what is open then is raised once, marked `by new rule`. What a removed or changed
rule no longer upholds is cleared with that reason. Calls for help of the past are not raised again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from drivers.events import Event, Millis
from rules.book import Book, Form, Rule
from rules.homes import Home
from rules.machines import Machine, Slot
from rules.machines.slot import Told
from rules.reasons import BY_NEW_RULE, CHANGED, REMOVED
from rules.spans import DAY

if TYPE_CHECKING:
    from rules.engine import Engine


def horizon(old: Book, new: Book) -> Millis:
    """How much of the journal a swap needs: the longest span of a changed or new rule, two days for `between`."""
    changed = [rule for name, rule in new.rules.items() if _meaning(old, name) != rule.meaning]
    return max((_reach(rule, new) for rule in changed), default=0)


def _reach(rule: Rule, book: Book) -> Millis:
    spans = [
        int(each.value if each.fixed else book.defaults.get(each.parameter) or DAY)
        for each in rule.settings
        if each.type == "duration"
    ]
    return max([2 * DAY if rule.form is Form.DAILY else 0, *spans])


def _meaning(book: Book, name: str) -> str:
    return book.rules[name].meaning if name in book.rules else ""


def swap(engine: Engine, book: Book, now: Millis, history: Iterable[Event]) -> None:
    """Give an engine another book. history: events of the last `horizon` ms, in the order of hearing."""
    old, before = engine.book, list(engine.machines)
    kept = {name for name, rule in book.rules.items() if _meaning(old, name) == rule.meaning}
    remembered = {home.id: list(home.slots) for home in engine.homes.values()}
    fresh = _judged_anew(engine, book, kept, now, history)
    _end_what_is_gone(engine, before, book, now)
    engine.use(book)
    by_name = {machine.rule.name: machine for machine in before}
    for home in engine.homes.values():
        home.slots = [None] * len(engine.machines)
        home.settle_in(home.spec, book)
        for machine in engine.machines:
            name = machine.rule.name
            if name in kept:
                home.slots[machine.index] = remembered[home.id][by_name[name].index]
            else:
                _take_over(machine, home, fresh, by_name.get(name), remembered[home.id])
    for machine in before:
        if machine.rule.name not in kept and machine.rule.name in book.rules:
            _end_changed(engine, machine, remembered, now)
    _raise_what_is_open(engine, kept, by_name, remembered, now)
    engine.let_go(now)
    engine.take_up()


def _judged_anew(
    engine: Engine, book: Book, kept: set[str], now: Millis, history: Iterable[Event]
) -> Engine | None:
    """An engine that has judged the new and changed rules, and their holders, over the history."""
    names = frozenset(book.rules) - kept
    if not names:
        return None
    part = book.only(names)
    waiting = {(event.home, event.id) for event in engine.waiting}
    fresh = type(engine)(part, now - horizon(engine.book, book), urgent=False, catch_all=False)
    for home in engine.homes.values():
        fresh.set_home(home.spec)
    fresh.feed(event for event in history if (event.home, event.id) not in waiting)
    fresh.advance(now)
    return fresh


def _take_over(
    machine: Machine[Any], home: Home, fresh: Engine | None, old: Machine[Any] | None, remembered: list[Any]
) -> None:
    """Put the slots judged anew in place; an alert that was open before goes on as the same alert."""
    there = fresh.homes.get(home.id) if fresh is not None else None
    if fresh is None or there is None:
        return
    source = fresh.by_name[machine.rule.name]
    home.slots[machine.index] = there.slots[source.index]
    for slot in machine.slots(home):
        slot.timer = None
        if machine.latches:
            slot.alert = None
        before = _slot(old, remembered, slot.key)
        if before is not None and before.alert is not None and slot.alert is not None:
            slot.alert, slot.raised = before.alert, before.raised


def _slot(machine: Machine[Any] | None, slots: list[Any], key: str) -> Slot | None:
    found = slots[machine.index] if machine is not None else None
    if machine is None or found is None:
        return None
    slot: Slot | None = found.get(key) if machine.keyed else found
    return slot


def _end_what_is_gone(engine: Engine, before: list[Machine[Any]], book: Book, now: Millis) -> None:
    for machine in before:
        if machine.rule.name not in book.rules:
            for home in engine.homes.values():
                for slot in machine.slots(home):
                    _end(engine, machine, home, slot, now, REMOVED)


def _end_changed(
    engine: Engine, machine: Machine[Any], remembered: dict[str, list[Any]], now: Millis
) -> None:
    """Alerts the changed rule no longer upholds; those a person must close stay as they were told."""
    new = engine.by_name[machine.rule.name]
    if machine.latches:
        return
    for home in engine.homes.values():
        found = remembered[home.id][machine.index]
        for slot in (found.values() if machine.keyed else [found]) if found else ():
            after = _slot(new, home.slots, slot.key)
            if after is None or after.alert is None:
                _end(engine, machine, home, slot, now, CHANGED)


def _end(engine: Engine, machine: Machine[Any], home: Home, slot: Slot, now: Millis, reason: str) -> None:
    if slot.alert is not None:
        at = _ended(machine, home, slot.key, slot.alert, now)
        engine.emit(machine, home, slot, "clear", at, (), slot.alert.says, reason)
        slot.alert = None


def _ended(machine: Machine[Any], home: Home, key: str, told: Told, now: Millis) -> Millis:
    """When an alert of the old book is over: at the last settled instant, since what comes next is told from there on.

    A clear of `now` would stand after a raise that is still to settle, and might be the very clear of its event.
    """
    at = max(now if machine.latches else now - home.grace, told.at)
    recent = home.recent.get((machine.rule.name, key), ())
    while any((when, action) == (at, "clear") for when, action, _ in recent):
        at += 1
    return at


def _raise_what_is_open(
    engine: Engine,
    kept: set[str],
    by_name: dict[str, Machine[Any]],
    remembered: dict[str, list[Any]],
    now: Millis,
) -> None:
    for machine in engine.machines:
        if machine.rule.name in kept or machine.latches:
            continue
        for home in engine.homes.values():
            for slot in machine.slots(home):
                before = _slot(by_name.get(machine.rule.name), remembered[home.id], slot.key)
                if slot.alert is not None and (before is None or before.alert is not slot.alert):
                    told = slot.alert = _not_told_yet(machine, home, slot.key, slot.alert, now)
                    slot.raised = told.at
                    engine.emit(machine, home, slot, "raise", told.at, told.because, told.says, BY_NEW_RULE)


def _not_told_yet(machine: Machine[Any], home: Home, key: str, told: Told, now: Millis) -> Told:
    """The alert at its own instant, or at the last settled one where it was told and an earlier book closed it.

    A raise told twice is dropped on its way (same rule, key and instant), so a rule that was taken out and put back
    would stay silent about what still stands.
    """
    before = home.recent.get((machine.rule.name, key), ())
    again = any(at == told.at and action == "raise" for at, action, _ in before)
    return replace(told, at=max(now - home.grace, told.at + 1)) if again else told
