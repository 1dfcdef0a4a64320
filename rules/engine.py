"""The engine: events in, decisions out. No clock, no I/O; the same events give the same decisions.

Each event touches only the rules that name its kind. State lies in homes; a due time follows from the state, and
the heap only says when to look: one entry a key, moved when it comes due. At one instant events come before
timers, and timers of rules that hold others back before those of the held.

What waits (`missing`, `for`, `between`) is judged `late_ms` behind the wall clock, so that an event that comes in a
little late still finds its place. Critical rules do not wait: they are tried out on arrival over everything heard,
what they raise is told at once, and it is told once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import Any

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis
from rules import reload, snapshot
from rules.book import Book
from rules.catch_all import QUIET_WHEN_BROKEN, broken_rules, catch_all
from rules.decision import Action, Decision
from rules.homes import DEFAULT_LATE, RECENT, Home, HomeSpec
from rules.ids import Seen, id_order
from rules.machines import Machine, Slot, machine_for
from rules.machines.base import Act
from rules.telling import marked_late, told_by
from rules.timers import Timers
from rules.waiting import Waiting

_KEEP_IDS: Millis = 2 * DEFAULT_LATE
_HELP = frozenset(kind for kind, spec in CATALOGUE.facts.items() if spec.call_for_help)
_ANSWERS: frozenset[Action] = frozenset(("raise", "repeat", "held"))


_NOTHING: tuple[Act, ...] = ()


class Engine:
    """Judges the events of any number of homes with one book.

    started: when listening began, ms UTC; silence before it is nobody's silence. urgent: act on arrival where a rule
    is critical; without it decisions come in settled order only, which is what a replay wants. catch_all: raise for a
    call for help that no rule answered.
    """

    def __init__(
        self, book: Book, started: Millis = 0, *, urgent: bool = True, catch_all: bool = True
    ) -> None:
        self.started = started
        self.homes: dict[str, Home] = {}
        self.late_events = 0
        self.faults = 0
        self._broken_at: dict[str, Millis] = {}
        self._urgent_lane, self._catch_all = urgent, catch_all
        self._out: list[Decision] = []
        self._kept: list[Decision] = []  # decided between two calls, told by the next
        self._now: Millis = started
        self._event: Event | None = None
        self._answered = False
        self._trying = False
        self.timers = Timers()
        self.waiting = Waiting()
        self.seen = Seen(_KEEP_IDS)
        self.use(book)

    def use(self, book: Book) -> None:
        """Compile a book: its machines, who holds whom, and which function each kind calls."""
        self.book = book
        self.machines = [machine_for(rule, index, self) for index, rule in enumerate(book.rules.values())]
        self.by_name = {machine.rule.name: machine for machine in self.machines}
        for machine in self.machines:
            machine.rank = book.ranks[machine.rule.name]
            machine.holders = tuple(self.by_name[name] for name in machine.rule.held_by)
            machine.holds = tuple(m for m in self.machines if machine.rule.name in m.rule.held_by)
        self._acts: dict[str, tuple[Act, ...]] = dict.fromkeys(CATALOGUE.facts, _NOTHING)
        self._urgent: dict[str, tuple[tuple[Machine[Any], Act], ...]] = {}
        for machine in self.machines:
            for kind, act in machine.acts():
                self._acts[kind] = (*self._acts[kind], act)
                if machine.latches and machine.rule.critical and self._urgent_lane:
                    self._urgent[kind] = (*self._urgent.get(kind, ()), (machine, act))
        if self._catch_all:
            for kind in _HELP:
                self._acts[kind] = (self._hear, *self._acts[kind], self._see_answered)
        self.urgent_kinds = frozenset((*self._urgent, *_HELP)) if self._urgent_lane else frozenset()

    # ---------------------------------------------------------------- what is told to the engine

    def set_home(self, spec: HomeSpec) -> None:
        """Add a home or change it. State is kept; due times follow the new numbers; new devices are watched."""
        self._out = self._kept
        home = self.home(spec.id)
        gone, home.registered = home.assigned - spec.devices.keys(), True
        home.settle_in(spec, self.book)
        self.seen.keep = max(self.seen.keep, 2 * home.grace)
        self._meet(home, gone)
        self._arm((home,))

    def _meet(self, home: Home, gone: Iterable[str]) -> None:
        """Let every machine watch what the registry assigned, and end what it says of devices taken away."""
        now = self._now if self._event is None else max(self._now, self._event.heard)
        for machine in self.machines:
            for device in sorted(gone):
                machine.forget(home, device, now)
            machine.watch(home)

    def observe(self, event: Event) -> list[Decision]:
        """Judge one event, given in the order of hearing. Never raises, whatever the event holds.

        Everything due before it was heard comes first. An event id heard before counts once; a time in the future is
        taken as the time of hearing.
        """
        return self.feed((event,))

    def feed(self, events: Iterable[Event]) -> list[Decision]:
        """Judge many events at once, as `observe` does one by one; what a replay runs on."""
        out = self._out = self._kept
        self._kept = []
        homes, acts, waiting, seen = self.homes, self._acts, self.waiting, self.seen
        timers = self.timers.heap
        young, old, turn_at = seen.young, seen.old, seen.turn_at
        for event in events:
            heard = event.heard
            if timers[0][0] < heard or waiting.first < heard:
                self._settle(heard)
            try:
                home, todo = homes[event.home], acts[event.kind]
            except KeyError:  # a home not heard before, or a kind that no rule names
                home, todo = self.home(event.home), acts.get(event.kind, _NOTHING)
            if heard >= turn_at:
                young, old, turn_at = seen.turn(heard)
            event_id = event.id
            if event_id in young or event_id in old:
                if seen.again(home, event_id):
                    continue
            else:
                young[event_id] = home
            if home.grace or event.at != heard:
                self._place(home, event)
                continue
            self._event = event
            for act in todo:
                try:
                    act(home, event)
                except Exception as fault:
                    self._broken(home, fault)
        return out

    def _place(self, home: Home, event: Event) -> None:
        """Judge an event now, or let it wait for those before it, or mark it as late."""
        lag = event.heard - event.at
        if lag < 0:
            event = replace(event, at=event.heard)
        if lag > home.grace or (home.late and lag > home.allowance(event.device)):
            self._late(home, event)
        elif not home.grace:
            self._apply(home, event)
        else:
            self.waiting.put(home, event)
            if event.kind in self.urgent_kinds:
                self._try(home, event)

    def advance(self, now: Millis) -> list[Decision]:
        """Time has passed: everything due before `now` less the allowance happens, in order, at its own instant.

        Strictly before, because an event of this very millisecond may still be on its way and would be in time. Call it
        when all that was heard before `now` has been observed; `next_due` says when there is something to do.
        """
        self._out, self._kept, self._now = self._kept, [], now
        self.seen.clock_set(now)
        self._settle(now)
        return self._out

    def finish(self, until: Millis) -> list[Decision]:
        """Nothing more will be heard up to and including `until`: settle it all, allowances and all. For replays."""
        self._out, self._kept = self._kept, []
        waiting, self.waiting = self.waiting, Waiting()
        for home in self.homes.values():
            home.grace = 0
        for event in waiting:
            self.waiting.put(self.homes[event.home], event)
        self.timers.clear()
        self._arm(self.homes.values())
        self._settle(until + 1)
        return self._out

    def next_due(self) -> Millis | None:
        """When to call `advance` next, in ms UTC of the wall clock; None if nothing waits."""
        timer = self.timers.first()
        first = min(inf if timer is None else timer, self.waiting.first)
        return None if first == inf else int(first) + 1

    def snapshot(self) -> dict[str, Any]:
        """Everything that must survive a restart, as JSON values."""
        return snapshot.pack(self)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a snapshot; what fell due meanwhile fires at the next call. Raises ValueError if unreadable."""
        snapshot.unpack(self, state)

    def reload(self, book: Book, now: Millis, history: Iterable[Event] = ()) -> list[Decision]:
        """Swap the book. history: the last `rules.reload.horizon` ms of the journal, in the order of hearing."""
        self._out, self._kept, self._event = self._kept, [], None
        told = self._out
        reload.swap(self, book, now, history)
        return told

    def heard_nothing(self, until: Millis) -> None:
        """We were deaf up to `until`, and nobody kept for us what was said: silence before it is nobody's silence."""
        for home in self.homes.values():
            for machine in self.machines:
                for slot in machine.slots(home):
                    machine.deaf(home, slot, until)

    def close(self, home: str, rule: str, key: str, at: Millis) -> list[Decision]:
        """A person closed an alert; what it held back begins anew."""
        self._out, self._kept = self._kept, []
        machine, where = self.by_name.get(rule), self.homes.get(home)
        if machine is not None and where is not None:
            for slot in machine.slots(where):
                if slot.key == key:
                    machine.close(where, slot, at)
        return self._out

    # ---------------------------------------------------------------- settling

    def _settle(self, before: Millis) -> None:
        """Let happen what is due before a moment: events and deadlines in one order, events first at one instant."""
        timers, waiting, acts = self.timers.heap, self.waiting, self._acts
        while True:
            first, timer = waiting.first, timers[0][0]
            if first <= timer:
                if first >= before:
                    return
                _, home, event = waiting.take()
                if home.pending:
                    home.pending = [each for each in home.pending if each is not event]
                self._event = event
                for act in acts.get(event.kind, _NOTHING):
                    try:
                        act(home, event)
                    except Exception as fault:
                        self._broken(home, fault)
            else:
                if timer >= before:
                    return
                come = self.timers.take()
                if come is not None:
                    machine, home, slot, due = come
                    self._event = None
                    try:
                        machine.fire(home, slot, due)
                    except Exception as fault:
                        self._broken(home, fault, due)

    def _apply(self, home: Home, event: Event) -> None:
        """Give an event to the rules that name its kind."""
        self._event = event
        for act in self._acts.get(event.kind, _NOTHING):
            try:
                act(home, event)
            except Exception as fault:
                self._broken(home, fault)

    def schedule(self, machine: Machine[Any], home: Home, slot: Slot, due: Millis) -> None:
        """Look at a slot again when `due` has come; one entry a slot, unless it must come earlier."""
        self.timers.put(machine, home, slot, due)

    def take_up(self) -> None:
        """State was put in place: look again at what the registry assigned, and build the heap."""
        self._out = self._kept
        for home in self.homes.values():
            if home.registered:
                self._meet(home, home.assigned - home.spec.devices.keys())
                home.assigned = frozenset(home.spec.devices)
        self.timers.clear()
        self._arm(self.homes.values())

    def _arm(self, homes: Iterable[Home]) -> None:
        """Put every slot of these homes among the timers, as its state says."""
        put = self.timers.put
        for home in homes:
            for machine in self.machines:
                if home.slots[machine.index] is None:
                    continue
                for slot in machine.slots(home):
                    slot.timer = None
                    due = machine.due(home, slot)
                    if due is not None:
                        put(machine, home, slot, due)

    def home(self, home: str) -> Home:
        """The home of that id, made if it is new."""
        known = self.homes.get(home)
        if known is None:
            known = self.homes[home] = Home(home, len(self.machines))
            known.settle_in(known.spec, self.book)
        return known

    # ---------------------------------------------------------------- arrival: urgent, late, unanswered

    def _try(self, home: Home, event: Event) -> None:
        """Tell at once what critical rules make of everything heard so far, the unsettled in its order.

        The state is put back afterwards; when the event settles, what was told is not told again. A told alert is
        never taken back, even if an earlier event still to come would have led elsewhere.
        """
        home.pending.append(event)
        self._answered, self._trying = False, True
        pending = sorted(home.pending, key=lambda each: (each.at, id_order(each.id)))
        for machine, _ in self._urgent.get(event.kind, ()):
            before = home.slots[machine.index]
            try:
                home.slots[machine.index] = machine.copy(home)
                for each in pending:
                    for other, act in self._urgent.get(each.kind, ()):
                        if other is machine:
                            self._event = each
                            act(home, each)
            except Exception as fault:
                self._broken(home, fault)
            finally:
                home.slots[machine.index] = before
        self._event = event
        if event.kind in _HELP:
            self._see_answered(home, event)
        self._trying = False

    def _late(self, home: Home, event: Event) -> None:
        """Mark it; no state is touched, but a call for help is raised however late, and a late answer clears."""
        self.late_events += 1
        self._event, self._answered = event, False
        self._out.append(marked_late(home, event))
        for machine in self.machines:
            if event.kind in machine.kinds:
                try:
                    machine.late(home, event)
                except Exception as fault:
                    self._broken(home, fault)
        if event.kind in _HELP:
            self._see_answered(home, event)

    def _broken(self, home: Home, fault: Exception, at: Millis = 0) -> None:
        """A rule of ours broke: the others go on, and it is told, once in ten minutes a home (promise 5)."""
        self.faults += 1
        now = self._event.at if self._event is not None else at
        if now - self._broken_at.get(home.id, -QUIET_WHEN_BROKEN) >= QUIET_WHEN_BROKEN:
            self._broken_at[home.id] = now
            answered = self._answered
            self._take(home, broken_rules(home, now, fault))
            self._answered = answered  # that our rules broke is no answer to a call for help

    def _hear(self, home: Home, event: Event) -> None:  # noqa: ARG002  an act like those of the machines
        """A call for help: see whether the rules that follow answer it."""
        self._answered = False

    def _see_answered(self, home: Home, event: Event) -> None:
        """A call for help that no rule answered is raised in the catalogue's own words (promise 5)."""
        if self._catch_all and not self._answered:
            self._take(home, catch_all(home, event))

    # ---------------------------------------------------------------- decisions

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
        """Take a machine's decision down."""
        self._take(home, told_by(machine, home, slot, self._event, action, at, because, says, reason))

    def _take(self, home: Home, decision: Decision) -> None:
        """Pass a decision on, once."""
        if decision.action in _ANSWERS:
            self._answered = True
        if self._trying:
            if decision.identity in home.told:
                return
            home.told[decision.identity] = None
            while len(home.told) > 8 * RECENT:
                del home.told[next(iter(home.told))]
        elif home.told and decision.identity in home.told:
            del home.told[decision.identity]
            return
        place = (decision.rule, decision.key)
        recent = home.recent.get(place)
        if recent is None:
            recent = home.recent[place] = deque(maxlen=RECENT)
        recent.append((decision.at, decision.action, decision.reason))
        self._out.append(decision)

    def tell_later(self, decision: Decision) -> None:
        """Tell a decision with the next call's."""
        self._kept.append(decision)

    def answered(self) -> None:
        """The event under judgement is being dealt with, though nothing new is raised."""
        self._answered = True

    def open_alerts(self, homes: Iterable[str] = ()) -> list[tuple[str, str, str, Millis]]:
        """(home, rule, key, at) of every open alert, of the named homes or all."""
        chosen = [self.homes[name] for name in homes if name in self.homes] if homes else self.homes.values()
        return [
            (home.id, machine.rule.name, slot.key, slot.alert.at)
            for home in chosen
            for machine in self.machines
            for slot in machine.slots(home)
            if slot.alert is not None
        ]
