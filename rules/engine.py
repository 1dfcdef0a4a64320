"""The engine: events in, decisions out. No clock, no I/O; the same events give the same decisions.

Each event touches only the rules that name its kind. State lies in homes; a due time follows from the state, and
the heap only says when to look: one entry a key, moved when it comes due. At one instant events come before
timers, and timers of rules that hold others back before those of the held.

What waits (`missing`, `for`, `between`) is judged `late_ms` behind the wall clock, so that an event that comes in a
little late still finds its place. Critical rules do not wait: they are tried out on arrival over everything heard,
what they raise is told at once, and it is told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis
from rules import arrival, reload, snapshot
from rules.book import Book
from rules.catch_all import QUIET_WHEN_BROKEN, broken_rules, catch_all
from rules.decision import Action, Decision
from rules.homes import DEFAULT_LATE, Home, HomeSpec
from rules.ids import Seen
from rules.machines import Machine, Slot
from rules.telling import Telling, told_by
from rules.timers import NEVER, Soonest, Timers
from rules.waiting import Waiting
from rules.wiring import NOTHING, wire

_KEEP_IDS: Millis = 2 * DEFAULT_LATE
_HELP = frozenset(kind for kind, spec in CATALOGUE.facts.items() if spec.call_for_help)


class Engine:
    """Judges the events of any number of homes with one book.

    started: when listening began, ms UTC; silence before it is nobody's silence. urgent: act on arrival where a rule
    is critical; without it decisions come in settled order only, which is what a replay wants. catch_all: raise for a
    call for help that no rule answered. believe_late: an answer later than its allowance counts for what still waits
    for it; without it a late event touches no state (reference: rules, 5.10), which is what a replay shows.
    """

    def __init__(
        self,
        book: Book,
        started: Millis = 0,
        *,
        urgent: bool = True,
        catch_all: bool = True,
        believe_late: bool = False,
    ) -> None:
        self.started = started
        self.homes: dict[str, Home] = {}
        self.late_events = 0
        self.faults = 0
        self.event: Event | None = None  # the one under judgement; None for a deadline
        self._broken_at: dict[str, Millis] = {}
        self._urgent_lane, self._catch_all = urgent, catch_all
        self.believe_late = believe_late
        self._now: Millis = started
        self.soonest = Soonest()
        self.timers = Timers(self.soonest)
        self.waiting = Waiting(self.soonest)
        self.seen = Seen(_KEEP_IDS)
        self.telling = Telling()
        self.use(book)

    def use(self, book: Book) -> None:
        """Judge by a book from now on; state is not looked at."""
        self.book = book
        self.wiring = wire(book, self)
        self.machines, self.by_name = self.wiring.machines, self.wiring.by_name
        self._by_kind = self.wiring.by_kind
        if self._catch_all:
            for kind in _HELP:
                self._by_kind[kind] = (self._hear, *self._by_kind[kind], self.catch)
        self.urgent_kinds = frozenset((*self.wiring.at_once, *_HELP)) if self._urgent_lane else frozenset()

    # ---------------------------------------------------------------- what is told to the engine

    def set_home(self, spec: HomeSpec) -> None:
        """Add a home or change it. State is kept; due times follow the new numbers; new devices are watched."""
        self.telling.between()
        home, gone = self._settle_in(spec)
        self._meet(home, gone)
        self._arm((home,))

    def _settle_in(self, spec: HomeSpec) -> tuple[Home, Iterable[str]]:
        """The home as the registry has it now, and the devices taken away from it."""
        home = self.homes.get(spec.id) or self._add(spec.id)
        gone, home.registered = home.assigned - spec.devices.keys(), True
        home.settle_in(spec, self.book)
        self.seen.keep = max(self.seen.keep, 2 * home.grace)
        return home, gone

    def _meet(self, home: Home, gone: Iterable[str]) -> None:
        """Let every machine watch what the registry assigned, and end what it says of devices taken away."""
        now = self._now if self.event is None else max(self._now, self.event.heard)
        for machine in self.machines:
            for device in sorted(gone):
                machine.forget(home, device, now)
            machine.watch(home, now)

    def observe(self, event: Event) -> list[Decision]:
        """Judge one event, given in the order of hearing. Never raises, whatever the event holds.

        Everything due before it was heard comes first. An event id heard before counts once; a time in the future is
        taken as the time of hearing.
        """
        return self.feed((event,))

    def feed(self, events: Iterable[Event], *, distinct: bool = False) -> list[Decision]:
        """Judge many events at once, as `observe` does one by one; what a replay runs on.

        distinct: no id occurs twice among them or has been heard before, so none needs to be remembered.
        """
        out = self.telling.begin()
        homes, by_kind, soonest, seen = self.homes, self._by_kind, self.soonest, self.seen
        young, old = seen.young, seen.old
        for event in events:
            heard = event.heard
            if soonest.at < heard:
                young, old = seen.generations(heard)
                self._settle(heard)
            try:
                home, acts = homes[event.home], by_kind[event.kind]
            except KeyError:  # a home not heard before, or a kind that no rule names
                home, acts = self.home(event.home), by_kind.get(event.kind, NOTHING)
            if not distinct:
                event_id = event.id
                if event_id in young or event_id in old:
                    if seen.again(home, event_id):
                        continue
                else:
                    young[event_id] = home
            if home.grace or event.at != heard:
                self._place(home, event)
                continue
            self.event = event
            for act in acts:
                try:
                    act(home, event)
                except Exception as fault:
                    self.broke(home, fault)
        return out

    def _place(self, home: Home, event: Event) -> None:
        """Judge an event now, or let it wait for those before it, or mark it as late."""
        lag = event.heard - event.at
        if lag < 0:
            event = replace(event, at=event.heard)
        if lag > home.grace or (home.late and lag > home.allowance(event.device)):
            arrival.come_late(self, home, event)
        elif not home.grace:
            self._judge(home, event)
        else:
            self.waiting.put(home, event)
            if event.kind in self.urgent_kinds:
                arrival.try_out(self, home, event)

    def advance(self, now: Millis) -> list[Decision]:
        """Time has passed: everything due before `now` less the allowance happens, in order, at its own instant.

        Strictly before, because an event of this very millisecond may still be on its way and would be in time. Call it
        when all that was heard before `now` has been observed; `next_due` says when there is something to do.
        """
        out, self._now = self.telling.begin(), now
        self.seen.clock_set(now)
        self._settle(now)
        return out

    def finish(self, until: Millis) -> list[Decision]:
        """Nothing more will be heard up to and including `until`: settle it all, allowances and all. For replays."""
        out = self.telling.begin()
        waiting, self.waiting = self.waiting, Waiting(self.soonest)
        for home in self.homes.values():
            home.grace = 0
        for event in waiting:
            self.waiting.put(self.homes[event.home], event)
        self.timers.clear()
        self._arm(self.homes.values())
        self._settle(until + 1)
        return out

    def next_due(self) -> Millis | None:
        """When to call `advance` next, in ms UTC of the wall clock; None if nothing waits."""
        first = min(self.timers.first(), self.waiting.first)
        return None if first == NEVER else first + 1

    def snapshot(self) -> dict[str, Any]:
        """Everything that must survive a restart, as JSON values."""
        return snapshot.pack(self)

    def restore(self, state: Mapping[str, Any], homes: Iterable[HomeSpec] = ()) -> None:
        """Take over a snapshot; what fell due meanwhile fires at the next call. Raises ValueError if unreadable.

        homes: as the registry has them now, which saves setting each of them before.
        """
        for spec in homes:
            self._settle_in(spec)
        snapshot.unpack(self, state)

    def reload(self, book: Book, now: Millis, history: Iterable[Event] = ()) -> list[Decision]:
        """Swap the book, at a moment up to which all has been observed and let pass.

        history: the last `rules.reload.horizon` ms of the journal, in the order of hearing.
        """
        told, self.event = self.telling.begin(), None
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
        out = self.telling.begin()
        machine, where = self.by_name.get(rule), self.homes.get(home)
        if machine is not None and where is not None:
            for slot in machine.slots(where):
                if slot.key == key:
                    machine.close(where, slot, at)
        return out

    # ---------------------------------------------------------------- settling

    def _settle(self, before: Millis) -> None:
        """Let happen what is due before a moment: events and deadlines in one order, events first at one instant."""
        timers, waiting = self.timers.heap, self.waiting
        while True:
            first, timer = waiting.first, timers[0][0]
            if first <= timer:
                if first >= before:
                    break
                _, home, event = waiting.take()
                if home.pending:
                    home.pending = [each for each in home.pending if each is not event]
                self._judge(home, event)
            else:
                if timer >= before:
                    break
                come = self.timers.take()
                if come is not None:
                    self._fire(*come)
        self.soonest.at = min(timer, first, self.seen.turn_at)

    def _judge(self, home: Home, event: Event) -> None:
        """Give an event to the rules that name its kind."""
        self.event = event
        for act in self._by_kind.get(event.kind, NOTHING):
            try:
                act(home, event)
            except Exception as fault:
                self.broke(home, fault)

    def _fire(self, machine: Machine[Any], home: Home, slot: Slot, due: Millis) -> None:
        """A deadline has come."""
        self.event = None
        try:
            machine.fire(home, slot, due)
        except Exception as fault:
            self.broke(home, fault, due)

    def schedule(self, machine: Machine[Any], home: Home, slot: Slot, due: Millis) -> None:
        """Look at a slot again when `due` has come; one entry a slot, unless it must come earlier."""
        self.timers.put(machine, home, slot, due)

    def take_up(self) -> None:
        """State was put in place: look again at what the registry assigned, and build the heap."""
        self.telling.between()
        for home in self.homes.values():
            if home.registered:
                self._meet(home, home.assigned - home.spec.devices.keys())
                home.assigned = frozenset(home.spec.devices)
        self.timers.clear()
        self._arm(self.homes.values())

    def let_go(self, now: Millis) -> None:
        """Another book is in force: what was held back by an alert that is gone with the old one begins anew."""
        for home in self.homes.values():
            for machine in self.machines:
                for slot in machine.slots(home) if machine.holders else ():
                    if slot.held is not None and not machine.is_held(home, slot):
                        machine.let_go(home, slot, max(now, slot.held))

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
        """The home of that id; one nobody has set is judged with what the book says of everybody."""
        known = self.homes.get(home)
        if known is None:
            known = self._add(home)
            known.settle_in(known.spec, self.book)
        return known

    def _add(self, home: str) -> Home:
        made = self.homes[home] = Home(home, len(self.machines))
        return made

    # ---------------------------------------------------------------- what machines tell the engine

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
        decision = told_by(machine, home, slot, self.event, action, at, because, says, reason)
        self.telling.take(home, decision)

    def answered(self) -> None:
        """The event under judgement is being dealt with, though nothing new is raised."""
        self.telling.answered = True

    def broke(self, home: Home, fault: Exception, at: Millis = 0) -> None:
        """A rule of ours broke: the others go on, and it is told, once in ten minutes a home (promise 5)."""
        self.faults += 1
        now = self.event.at if self.event is not None else at
        if now - self._broken_at.get(home.id, -QUIET_WHEN_BROKEN) >= QUIET_WHEN_BROKEN:
            self._broken_at[home.id] = now
            answered = self.telling.answered
            self.telling.take(home, broken_rules(home, now, fault))
            self.telling.answered = answered  # that our rules broke is no answer to a call for help

    def _hear(self, home: Home, event: Event) -> None:  # noqa: ARG002  an act like those of the machines
        """A call for help: see whether the rules that follow answer it."""
        self.telling.answered = False

    def catch(self, home: Home, event: Event) -> None:
        """A call for help that no rule answered is raised in the catalogue's own words (promise 5)."""
        if self._catch_all and not self.telling.answered and event.kind in _HELP:
            self.telling.take(home, catch_all(home, event))
