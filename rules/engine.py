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
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis
from rules import snapshot
from rules.book import Book
from rules.catch_all import catch_all
from rules.decision import Action, Decision
from rules.homes import DEFAULT_LATE, RECENT, Home, HomeSpec
from rules.ids import Seen, id_order
from rules.machines import Machine, Slot, machine_for
from rules.machines.base import Act
from rules.sentences import parameters_shown, spoken
from rules.spans import say_span

_KEEP_IDS: Millis = 2 * DEFAULT_LATE
_HELP = frozenset(kind for kind, spec in CATALOGUE.facts.items() if spec.call_for_help)
_ANSWERS: frozenset[Action] = frozenset(("raise", "repeat", "held"))
_NO_ACTS: tuple[Act, ...] = ()


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
        self._urgent_lane, self._catch_all = urgent, catch_all
        self._out: list[Decision] = []
        self._event: Event | None = None
        self._answered = False
        self._trying = False
        self.timers: list[Any] = [(inf,)]
        self.waiting: list[Any] = [(inf,)]
        self.number = count()
        self.seen = Seen(_KEEP_IDS)
        self._use(book)

    def _use(self, book: Book) -> None:
        """Compile a book: its machines, who holds whom, and which function each kind calls."""
        self.book = book
        self.machines = [machine_for(rule, index, self) for index, rule in enumerate(book.rules.values())]
        self.by_name = {machine.rule.name: machine for machine in self.machines}
        self._ranks = [book.ranks[machine.rule.name] for machine in self.machines]
        for machine in self.machines:
            machine.holders = tuple(self.by_name[name] for name in machine.rule.held_by)
            machine.holds = tuple(m for m in self.machines if machine.rule.name in m.rule.held_by)
        self._acts: dict[str, tuple[Act, ...]] = {}
        self._urgent: dict[str, tuple[tuple[Machine[Any], Act], ...]] = {}
        for machine in self.machines:
            for kind, act in machine.acts():
                self._acts[kind] = (*self._acts.get(kind, ()), act)
                if machine.latches and machine.rule.critical and self._urgent_lane:
                    self._urgent[kind] = (*self._urgent.get(kind, ()), (machine, act))

    # ---------------------------------------------------------------- what is told to the engine

    def set_home(self, spec: HomeSpec) -> None:
        """Add a home or change it. State is kept; due times follow the new numbers; new devices are watched."""
        home = self.home(spec.id)
        home.settle_in(spec, self.book)
        self.seen.keep = max(self.seen.keep, 2 * home.grace)
        for machine in self.machines:
            machine.watch(home)
            for slot in machine.slots(home):
                slot.timer = None
                due = machine.due(home, slot)
                if due is not None:
                    self.schedule(machine, home, slot, due)

    def observe(self, event: Event) -> list[Decision]:
        """Judge one event, given in the order of hearing. Never raises, whatever the event holds.

        Everything due before it was heard comes first. An event id heard before counts once; a time in the future is
        taken as the time of hearing.
        """
        out = self._out = []
        heard = event.heard
        if self.timers[0][0] < heard or self.waiting[0][0] < heard:
            self._settle(heard)
        home = self.homes.get(event.home) or self.home(event.home)
        if self.seen.again(home, event):
            return out
        if event.at > heard:
            event = replace(event, at=heard)
        if heard - event.at > (home.grace if not home.late else home.allowance(event.device)):
            self._late(home, event)
        elif not home.grace:
            self._apply(home, event)
        else:
            release = event.at + home.grace
            heappush(self.waiting, (release, id_order(event.id), next(self.number), home, event))
            if event.kind in self._urgent or (self._urgent_lane and event.kind in _HELP):
                self._try(home, event)
        return out

    def advance(self, now: Millis) -> list[Decision]:
        """Time has passed: everything due before `now` less the allowance happens, in order, at its own instant.

        Strictly before, because an event of this very millisecond may still be on its way and would be in time. Call it
        when all that was heard before `now` has been observed; `next_due` says when there is something to do.
        """
        self._out = []
        self._settle(now)
        return self._out

    def finish(self, until: Millis) -> list[Decision]:
        """Nothing more will be heard up to and including `until`: settle it all, allowances and all. For replays."""
        self._out = []
        waiting, self.waiting = self.waiting, [(inf,)]
        for home in self.homes.values():
            home.grace = 0
        for _, order, number, home, event in (each for each in waiting if each[0] != inf):
            heappush(self.waiting, (event.at, order, number, home, event))
        self._arm()
        self._settle(until + 1)
        return self._out

    def next_due(self) -> Millis | None:
        """When to call `advance` next, in ms UTC of the wall clock; None if nothing waits."""
        first = min(self.timers[0][0], self.waiting[0][0])
        return None if first == inf else int(first) + 1

    def snapshot(self) -> dict[str, Any]:
        """Everything that must survive a restart, as JSON values."""
        return snapshot.pack(self)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a snapshot; what fell due meanwhile fires at the next call. Raises ValueError if unreadable."""
        snapshot.unpack(self, state)

    def close(self, home: str, rule: str, key: str, at: Millis) -> list[Decision]:
        """A person closed an alert; what it held back begins anew."""
        self._out = []
        machine, where = self.by_name.get(rule), self.homes.get(home)
        if machine is not None and where is not None:
            for slot in machine.slots(where):
                if slot.key == key:
                    machine.close(where, slot, at)
        return self._out

    # ---------------------------------------------------------------- settling

    def _settle(self, before: Millis) -> None:
        """Let happen what is due before a moment: events and deadlines in one order, events first at one instant."""
        timers, waiting = self.timers, self.waiting
        while True:
            timer, event_at = timers[0][0], waiting[0][0]
            if event_at <= timer:
                if event_at >= before:
                    return
                _, _, _, home, event = heappop(waiting)
                if home.pending:
                    home.pending = [each for each in home.pending if each is not event]
                self._apply(home, event)
            else:
                if timer >= before:
                    return
                release, _, _, _, _, machine, home, slot = heappop(timers)
                if slot.timer == release:
                    self._come_due(machine, home, slot, release)

    def _come_due(self, machine: Machine[Any], home: Home, slot: Slot, release: Millis) -> None:
        """A timer came up. Where the state has moved on, so does the timer."""
        slot.timer = None
        due = machine.due(home, slot)
        if due is None:
            return
        if due + home.grace > release:
            self.schedule(machine, home, slot, due)
            return
        self._event = None
        machine.fire(home, slot, due)

    def _apply(self, home: Home, event: Event) -> None:
        """Give an event to the rules that name its kind."""
        self._event = event
        if event.kind in _HELP:
            self._answered = False
            for act in self._acts.get(event.kind, _NO_ACTS):
                act(home, event)
            if not self._answered:
                self._unanswered(home, event)
            return
        for act in self._acts.get(event.kind, _NO_ACTS):
            act(home, event)

    def schedule(self, machine: Machine[Any], home: Home, slot: Slot, due: Millis) -> None:
        """Look at a slot again when `due` has come; one entry a slot, unless it must come earlier."""
        release = due + home.grace
        if slot.timer is None or release < slot.timer:
            slot.timer = release
            rank = self._ranks[machine.index]
            heappush(self.timers, (release, rank, slot.key, home.id, next(self.number), machine, home, slot))

    @property
    def urgent_kinds(self) -> frozenset[str]:
        """Kinds that are acted on at arrival."""
        return frozenset(self._urgent) | (_HELP if self._urgent_lane else frozenset())

    def watch_again(self) -> None:
        """Watch what the registry assigned and the state does not hold yet; then build the heap."""
        for home in self.homes.values():
            for machine in self.machines:
                machine.watch(home)
        self._arm()

    def _arm(self) -> None:
        """Build the heap of timers from the state."""
        self.timers = [(inf,)]
        for home in self.homes.values():
            for machine in self.machines:
                for slot in machine.slots(home):
                    slot.timer = None
                    due = machine.due(home, slot)
                    if due is not None:
                        self.schedule(machine, home, slot, due)

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
        for machine, _ in self._urgent.get(event.kind, ()):
            before = home.slots[machine.index]
            home.slots[machine.index] = machine.copy(home)
            for each in sorted(home.pending, key=lambda e: (e.at, id_order(e.id))):
                for other, act in self._urgent.get(each.kind, ()):
                    if other is machine:
                        self._event = each
                        act(home, each)
            home.slots[machine.index] = before
        if not self._answered and event.kind in _HELP:
            self._event = event
            self._unanswered(home, event)
        self._trying = False

    def _late(self, home: Home, event: Event) -> None:
        """Mark it; no state is touched, but a call for help is raised however late, and a late answer clears."""
        self.late_events += 1
        self._event, self._answered = event, False
        reason = f"came in {say_span(event.heard - event.at)} late"
        self._out.append(
            Decision(action="late", rule="late", key=event.device, home=home.id, device=event.device,
                     kind=event.kind, at=event.at, lag=event.heard - event.at, because=(event.id,), reason=reason)
        )  # fmt: skip
        for machine in self.machines:
            if event.kind in machine.rule.kinds:
                machine.late(home, event)
        if event.kind in _HELP and not self._answered:
            self._unanswered(home, event, reason)

    def _unanswered(self, home: Home, event: Event, reason: str = "no rule answered it") -> None:
        """A call for help without a rule: raise it in the catalogue's own words (promise 5)."""
        if self._catch_all:
            self._take(home, catch_all(home, event, reason))

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
        rule, event = machine.rule, self._event
        kind = rule.events[0] if event is None or event.kind not in rule.kinds else event.kind
        staff_action = spoken(machine, rule.action, home, slot, at, None)
        self._take(
            home,
            Decision(
                action=action, rule=rule.name, key=slot.key, home=home.id, device=slot.device, kind=kind, at=at,
                lag=0 if event is None else event.heard - event.at, because=because, says=says,
                plain=rule.alert.plain, staff_action=staff_action, urgency=rule.urgency, queue=rule.queue,
                chain=rule.chain, life_safety=rule.life_safety, params=parameters_shown(machine, home, slot),
                version=rule.meaning, reason=reason,
            ),
        )  # fmt: skip

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
        recent = home.recent.setdefault((decision.rule, decision.key), deque(maxlen=RECENT))
        recent.append((decision.at, decision.action, decision.reason))
        self._out.append(decision)

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
