"""`missing: EVENT  between: [FROM, TO]`: nothing by ten o'clock. Both ends belong to it; one alert a local day.

Windows that can say nothing are not counted: while the alert stands, while it is held back, while the rule is off.
What ends that finds the next window by the calendar, so a thousand idle days cost as much as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from drivers.events import Event, Millis
from rules.homes import Home
from rules.local_time import LAST_DAY, local_day, window_of
from rules.machines.base import Act, Outcome
from rules.machines.silence import Heard, Watch
from rules.reasons import say_late


class Day(Heard):
    """day: ordinal of the local date whose window is next to be judged, 0 before the first. watched: since when.

    A negative day is asleep: the rule is off, and the first window after it is on again is found then.
    """

    __slots__ = ("day", "watched")
    kept: ClassVar[tuple[str, ...]] = (*Heard.kept, "day", "watched")

    def __init__(self, key: str, device: str = "") -> None:
        super().__init__(key, device)
        self.day = 0
        self.watched: Millis = 0


class Daily(Watch[Day]):
    """Raises at the end of a window in which nothing came."""

    slot_type = Day

    def acts(self) -> Iterator[tuple[str, Act]]:
        """Its one event."""
        for kind in self.rule.events:
            yield kind, self.came

    def came(self, home: Home, event: Event) -> None:
        """It came; the window that holds this instant is answered."""
        slot = self.slot(home, event)
        new = not slot.last_id and not slot.day
        if event.at >= slot.last:
            slot.last, slot.last_id, slot.device = event.at, event.id, event.device
        idle, slot.held = slot.alert is not None or slot.held is not None, None
        if self.speech.captures:
            slot.words = self.speech.capture(home, event)
        if slot.alert is not None:
            self.clear(home, slot, event.at, (event.id,), "it came after all")
        if new:
            slot.watched = event.at
            self._first_day(home, slot)
            self._wait(home, slot)
        elif idle:
            self._catch_up(home, slot, event.at)

    def believe(self, home: Home, event: Event) -> None:
        """A late sign of life in a window: nothing is told at its end, and what was told is over."""
        slot = self.heard_late(home, event)
        if slot is None or (slot.alert is None and self.rule.life_safety):
            return
        told = slot.alert.at if slot.alert is not None else slot.held
        if told is not None and event.at < self._began(home, slot, told):
            return
        slot.last, slot.last_id, slot.device = event.at, event.id, event.device
        slot.held = None
        if slot.alert is not None:
            self.clear(home, slot, max(event.heard, slot.alert.at), (event.id,), say_late(home, event))
        if told is not None:
            self._catch_up(home, slot, event.heard - home.grace)

    def _began(self, home: Home, slot: Day, told: Millis) -> Millis:
        """When the window began that was over when this was told."""
        assert self.rule.window is not None
        start, end = (self.setting(home, slot, each) for each in self.rule.window)
        if start is None or end is None:
            return told
        today = local_day(told, home.tz)
        windows = [window_of(day, start, end, home.tz) for day in (today - 2, today - 1, today)]
        return max((first for first, last in windows if last <= told), default=told)

    def watch(self, home: Home, now: Millis) -> None:
        """As all watches; the first window judged is the first that was watched whole."""
        super().watch(home, now)
        for slot in self.slots(home):
            if not slot.day:
                slot.watched = slot.last
                self._first_day(home, slot)
            elif slot.day < 0 and not self.off(home):
                slot.day = -slot.day
                self._catch_up(home, slot, now - home.grace)

    def _first_day(self, home: Home, slot: Day) -> None:
        today = local_day(slot.watched, home.tz)
        for day in (today - 1, today, today + 1, today + 2):
            slot.day = day
            window = self._window(home, slot)
            if window is None:
                slot.day = 0
                return
            if window[0] >= slot.watched:
                return

    def _window(self, home: Home, slot: Day) -> tuple[Millis, Millis] | None:
        assert self.rule.window is not None
        first, last = self.rule.window
        start, end = self.setting(home, slot, first), self.setting(home, slot, last)
        if start is None or end is None or start == end:
            return None
        return window_of(slot.day or 1, start, end, home.tz)

    def _catch_up(self, home: Home, slot: Day, at: Millis) -> None:
        """Go on with the first window that ends at `at` or later; those before it could say nothing."""
        nearest = local_day(at, home.tz) - 2  # a window that began earlier is over, on any clock
        if slot.day > 0:
            slot.day = max(slot.day, nearest)
            while (due := self._end(home, slot)) is not None and due < at:
                slot.day += 1
        self._wait(home, slot)

    def _end(self, home: Home, slot: Day) -> Millis | None:
        window = self._window(home, slot) if 0 < slot.day <= LAST_DAY else None
        return window and window[1]

    def _wait(self, home: Home, slot: Day) -> None:
        due = self.due(home, slot)
        if due is not None:
            self.desk.schedule(self, home, slot, due)

    def due(self, home: Home, slot: Day) -> Millis | None:
        """The end of the next window to be judged."""
        return self._end(home, slot) if slot.alert is None and slot.held is None else None

    def fire(self, home: Home, slot: Day, at: Millis) -> None:
        """A window is over."""
        if self.off(home):
            slot.day = -slot.day
            return
        window = self._window(home, slot)
        slot.day += 1
        if window is not None and (not slot.last_id or slot.last < window[0]):
            self._tell(home, slot, at)
        self._wait(home, slot)

    def _tell(self, home: Home, slot: Day, at: Millis) -> Outcome:
        return self.tell(home, slot, at, (slot.last_id,) if slot.last_id else ())

    def deaf(self, home: Home, slot: Day, until: Millis) -> None:
        """A window in which we were deaf is not judged."""
        window = self._window(home, slot) if slot.day > 0 else None
        if window is not None and window[0] < until and slot.last < window[0]:
            slot.watched = until
            self._first_day(home, slot)
            self._wait(home, slot)

    def let_go(self, home: Home, slot: Day, at: Millis) -> None:
        """The window is over already, so what was held back is told now; it would have ended when it came."""
        slot.held = None
        self._tell(home, slot, at)
        self._catch_up(home, slot, at)

    def close(self, home: Home, slot: Day, at: Millis) -> None:
        """A person closed it: the next window is judged again."""
        super().close(home, slot, at)
        self._catch_up(home, slot, at)
