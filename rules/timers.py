"""When to look at which slot again: an exact heap for the coming minutes, a list for every five minutes of later.

A due time follows from the state and mostly moves on before it comes: a device that speaks every five minutes and
may be silent for fifteen is looked at every fifteen. Such a look costs a list entry here; only what is really about
to fall due is put in exact order. A slot has one entry; an older one that lies about is told by its time and skipped.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from drivers.events import Millis
from rules.homes import Home

if TYPE_CHECKING:
    from rules.machines.base import Machine
    from rules.machines.slot import Slot

NEVER: Millis = 1 << 62
"""Later than every instant; a whole number, since comparing those with one another is quick."""

STRETCH: Millis = 300_000
"""How much time one list is for. Short waits should be well above it, as looks within it go through the heap."""

Entry: TypeAlias = tuple[Any, ...]
"""(release, rank, key, home id, number, machine, home, slot), or (begin of a stretch, -1) for a list to be poured out.

Release is the due time plus the home's allowance. At one instant rank decides: holders before what they hold.
"""


class Soonest:
    """at: nothing is to be done before it; one look tells the engine that an event may be judged straight away."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at: Millis = 0


class Timers:
    """heap[0][0] is when there is something to do; NEVER when nothing waits."""

    def __init__(self, soonest: Soonest) -> None:
        self.heap: list[Entry] = [(NEVER,)]
        self._soonest = soonest
        self._later: dict[int, list[tuple[Machine[Any], Home, Slot]]] = {}
        self._poured = 0  # stretches before this one lie in the heap
        self._number = count()

    def clear(self) -> None:
        """Forget every look; the same heap is used on."""
        self.heap[:] = [(NEVER,)]
        self._later.clear()
        self._poured = 0

    def put(self, machine: Machine[Any], home: Home, slot: Slot, due: Millis) -> None:
        """Look at a slot when `due` has come, unless an earlier look is waiting already."""
        release = due + home.grace
        if slot.timer is not None and slot.timer <= release:
            return
        slot.timer = release
        stretch = release // STRETCH
        if stretch < self._poured:
            self._push(release, machine, home, slot)
        else:
            self._list(stretch).append((machine, home, slot))

    def take(self) -> tuple[Machine[Any], Home, Slot, Millis] | None:
        """Remove the first entry: who has come due and when, or None if that moved on or was a stretch."""
        entry = heappop(self.heap)
        if entry[1] < 0:
            self._pour(entry[0] // STRETCH)
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

    def first(self) -> Millis:
        """The earliest release time, exactly; NEVER if nothing waits."""
        exact: Millis = min(entry[0] for entry in self.heap if len(entry) != 2)
        for stretch in sorted(self._later):
            listed = [slot.timer for _, _, slot in self._later[stretch] if slot.timer is not None]
            if stretch * STRETCH > exact or listed:
                return min([exact, *listed])
        return exact

    def _list(self, stretch: int) -> list[tuple[Machine[Any], Home, Slot]]:
        found = self._later.get(stretch)
        if found is None:
            found = self._later[stretch] = []
            self._heap((stretch * STRETCH, -1))
        return found

    def _push(self, release: Millis, machine: Machine[Any], home: Home, slot: Slot) -> None:
        self._heap((release, machine.rank, slot.key, home.id, next(self._number), machine, home, slot))

    def _heap(self, entry: Entry) -> None:
        heappush(self.heap, entry)
        self._soonest.at = min(self._soonest.at, entry[0])

    def _pour(self, stretch: int) -> None:
        """A stretch begins: put in exact order what falls due in it, and list again what has moved on."""
        self._poured = max(self._poured, stretch + 1)
        later = self._later
        for waiting in later.pop(stretch, ()):
            machine, home, slot = waiting
            if slot.timer is None or slot.timer // STRETCH != stretch:
                continue
            due = machine.due(home, slot)
            if due is None:
                slot.timer = None
                continue
            release = slot.timer = due + home.grace
            then = release // STRETCH
            if then <= stretch:
                self._push(release, machine, home, slot)
                continue
            moved = later.get(then)
            if moved is None:
                moved = self._list(then)
            moved.append(waiting)
