"""When to look at which slot again: an exact heap for the coming minute, lists by the minute for later.

A due time follows from the state and mostly moves on before it comes: a device that speaks every five minutes and
may be silent for fifteen is looked at every fifteen. Such a look costs a list entry here; only what is really about
to fall due is put in exact order. A slot has one entry; an older one that lies about is told by its time and skipped.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

from drivers.events import Millis
from rules.homes import Home

if TYPE_CHECKING:
    from rules.machines.base import Machine, Slot

MINUTE: Millis = 60_000

Entry: TypeAlias = tuple[Any, ...]
"""(release, rank, key, home id, number, machine, home, slot), or (begin of a minute, -1) for a list to be poured out.

Release is the due time plus the home's allowance. At one instant rank decides: holders before what they hold.
"""


class Timers:
    """heap[0][0] is when there is something to do; infinite when nothing waits."""

    def __init__(self) -> None:
        self.heap: list[Entry] = [(inf,)]
        self._later: dict[int, list[tuple[Machine[Any], Home, Slot]]] = {}
        self._poured = 0  # minutes before this one lie in the heap
        self._number = count()

    def clear(self) -> None:
        """Forget every look; the same heap is used on."""
        self.heap[:] = [(inf,)]
        self._later.clear()
        self._poured = 0

    def put(self, machine: Machine[Any], home: Home, slot: Slot, due: Millis) -> None:
        """Look at a slot when `due` has come, unless an earlier look is waiting already."""
        release = due + home.grace
        if slot.timer is not None and slot.timer <= release:
            return
        slot.timer = release
        minute = release // MINUTE
        if minute < self._poured:
            self._push(release, machine, home, slot)
        else:
            self._list(minute).append((machine, home, slot))

    def take(self) -> tuple[Machine[Any], Home, Slot, Millis] | None:
        """Remove the first entry: who has come due and when, or None if that moved on or was a minute."""
        entry = heappop(self.heap)
        if entry[1] < 0:
            self._pour(entry[0] // MINUTE)
            return None
        release, machine, home, slot = entry[0], entry[5], entry[6], entry[7]
        if slot.timer != release:
            return None
        slot.timer = None
        due = machine.due(home, slot)
        if due is None:
            return None
        if due + home.grace > release:
            self.put(machine, home, slot, due)
            return None
        return machine, home, slot, due

    def first(self) -> Millis | None:
        """The earliest release time, exactly; None if nothing waits."""
        exact = min((entry[0] for entry in self.heap if entry[0] != inf and entry[1] >= 0), default=inf)
        for minute in sorted(self._later):
            listed = [slot.timer for _, _, slot in self._later[minute] if slot.timer is not None]
            if minute * MINUTE > exact or listed:
                exact = min([exact, *listed])
                break
        return None if exact == inf else int(exact)

    def _list(self, minute: int) -> list[tuple[Machine[Any], Home, Slot]]:
        found = self._later.get(minute)
        if found is None:
            found = self._later[minute] = []
            heappush(self.heap, (minute * MINUTE, -1))
        return found

    def _push(self, release: Millis, machine: Machine[Any], home: Home, slot: Slot) -> None:
        place = (release, machine.rank, slot.key, home.id, next(self._number), machine, home, slot)
        heappush(self.heap, place)

    def _pour(self, minute: int) -> None:
        """A minute begins: put in exact order what falls due in it, and list again what has moved on."""
        self._poured = max(self._poured, minute + 1)
        begin, end = minute * MINUTE, (minute + 1) * MINUTE
        later = self._later
        for waiting in later.pop(minute, ()):
            machine, home, slot = waiting
            if slot.timer is None or not begin <= slot.timer < end:
                continue
            due = machine.due(home, slot)
            if due is None:
                slot.timer = None
                continue
            release = slot.timer = due + home.grace
            if release < end:
                self._push(release, machine, home, slot)
                continue
            moved = later.get(release // MINUTE)
            if moved is None:
                moved = self._list(release // MINUTE)
            moved.append(waiting)
