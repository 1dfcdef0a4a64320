"""`while: CONDITION  for: T  until: CONDITION`: it is so, and stays so.

Begins at the first sample that makes the condition true, ends at the first that does not; raises at begin + T,
whether or not anything came meanwhile. Once told it is open until `until`, and an unknown value never ends that.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum
from typing import Any, ClassVar

from drivers.events import Event, Millis
from rules.book import Rule
from rules.homes import Home
from rules.language.expressions import UNKNOWABLE, opposite
from rules.language.vocabulary import Source, sources_of
from rules.local_time import within_times
from rules.machines.base import Act, Desk, Machine, Outcome
from rules.machines.slot import Slot

IDLE, WAITING, OPEN, PASSED = range(4)
"""Not so · so, not yet long enough · told · so, but a gate said no: quiet until it is not so."""


class Since(Slot):
    """phase, and since when by which event; value: the last sample; unknown: how many samples said nothing."""

    __slots__ = ("phase", "samples", "since", "since_id", "states", "unknown", "value")
    kept: ClassVar[tuple[str, ...]] = (
        *Slot.kept, "phase", "since", "since_id", "value", "samples", "states", "unknown",
    )  # fmt: skip

    def __init__(self, key: str, device: str = "") -> None:
        super().__init__(key, device)
        self.phase = IDLE
        self.since: Millis = 0
        self.since_id = ""
        self.value: Any = None
        self.samples: list[list[Any]] | None = None
        self.states: list[Any] | None = None
        self.unknown = 0


class Lasting(Machine[Since]):
    """Raises at since + T."""

    slot_type = Since

    def __init__(self, rule: Rule, index: int, desk: Desk) -> None:
        super().__init__(rule, index, desk)
        assert rule.condition is not None
        self.condition = rule.condition
        self.states = rule.condition.states
        self._ends = rule.until or opposite(rule.condition)

    def acts(self) -> Iterator[tuple[str, Act]]:
        """Every fact that sets a state of the condition."""
        if len(self.states) == 1:
            for source in sources_of(self.states[0]):
                yield source.kind, self._sampler(source)
            return
        found: dict[str, list[tuple[int, Source]]] = {}
        for place, state in enumerate(self.states):
            for source in sources_of(state):
                found.setdefault(source.kind, []).append((place, source))
        for kind, sources in found.items():
            yield kind, self._sampler_of_several(sources)

    # -- samples

    def _sampler(self, source: Source) -> Act:
        """A function for the events of one source, with everything it needs bound."""
        index, find, read, silent = self.index, self.slot, source.reader(), source.silent
        begins, ends = self.condition.test, self._ends.test
        mean, optional, name = self.rule.mean, self.optional, self.rule.name
        per_device = self.rule.per == "device" and not self.rule.same

        def sampled(home: Home, event: Event) -> None:
            if optional and name in home.off:
                return
            value: Any = read(event)
            try:
                slot: Since | None = home.slots[index][event.device] if per_device else home.slots[index]
            except (KeyError, TypeError):
                slot = None
            if slot is None:  # the first of this device, or of this home
                slot = find(home, event)
            if value is None:
                if not silent(event):
                    self._goes_on(home, slot, event, None)
                return
            if mean is not None:
                value = self._mean(home, slot, event.at, value)
            slot.value = value
            try:
                so = ends(value, home.parameters) if slot.phase == OPEN else begins(value, home.parameters)
            except UNKNOWABLE:
                so = None
            if so or slot.phase or so is None:
                self._goes_on(home, slot, event, so)

        return sampled

    def _sampler_of_several(self, sources: list[tuple[int, Source]]) -> Act:
        """The same for a condition over several states: it is asked of what each was last."""
        readers = [(place, source.reader(), source.silent) for place, source in sources]

        def sampled(home: Home, event: Event) -> None:
            if self.off(home):
                return
            slot = self.slot(home, event)
            states = slot.states = slot.states or [None] * len(self.states)
            for place, read, silent in readers:
                if not silent(event):
                    states[place] = read(event)
            slot.value = states[0]
            asked = self._ends if slot.phase == OPEN else self.condition
            so = asked.holds(states, home.parameters)
            usable = all(states[place] is not None for place, _, _ in readers)
            self._goes_on(home, slot, event, so, blameless=usable and None in states)

        return sampled

    def _mean(self, home: Home, slot: Since, at: Millis, value: Any) -> Any:
        """The mean over the last N samples, or over the samples of the last T, both ends included."""
        samples = slot.samples = slot.samples if slot.samples is not None else []
        samples.append([at, value])
        mean = self.rule.mean
        size = self.setting(home, slot, mean)
        if mean is not None and size is not None and mean.type == "number":
            del samples[: -max(1, int(size))]
        elif size is not None:
            while samples[0][0] < at - size:
                del samples[0]
        return fsum(each[1] for each in samples) / len(samples)

    # -- the episode

    def _begin(self, home: Home, slot: Since, event: Event) -> None:
        slot.since, slot.since_id, slot.device = event.at, event.id, event.device
        slot.rearmed = slot.held = None
        started = self.rule.started
        if started is not None and not within_times(started, home, event.at):
            slot.phase = PASSED
            return
        slot.phase = WAITING
        if self.speech.captures:
            slot.words = self.speech.capture(home, event)
        self._wait(home, slot)

    def _goes_on(
        self, home: Home, slot: Since, event: Event, so: bool | None, *, blameless: bool = False
    ) -> None:
        """What a sample changes. so: whether the episode ends where it is told of, else whether it is so.

        None is unknown: it begins nothing and lets nothing go on waiting, but an open alert stays, since unknown is
        never fine. blameless: where it is unknown, that is not for this sample but for another state not heard yet.
        """
        if so is None and not blameless:
            slot.unknown += 1
        if slot.phase == OPEN:
            if so:
                slot.phase = IDLE
                self.clear(home, slot, event.at, (event.id,), "no longer so")
            else:
                self.desk.answered()
        elif not so:
            slot.phase, slot.held = IDLE, None
        elif slot.phase == IDLE:
            self._begin(home, slot, event)

    def _wait(self, home: Home, slot: Since) -> None:
        due = self.due(home, slot)
        if due is not None:
            self.desk.schedule(self, home, slot, due)

    def due(self, home: Home, slot: Since) -> Millis | None:
        """Since (or let go) plus T; T is 0 where the rule has no `for`."""
        if slot.phase != WAITING or slot.held is not None or self.off(home):
            return None
        wait = 0 if self.rule.wait is None else self.setting(home, slot, self.rule.wait)
        return None if wait is None else int(max(slot.since, slot.rearmed or slot.since) + wait)

    def fire(self, home: Home, slot: Since, at: Millis) -> None:
        """It has lasted."""
        outcome = self.tell(home, slot, at, (slot.since_id,), slot.value)
        if outcome is not Outcome.HELD:
            slot.phase = OPEN if outcome is Outcome.RAISED else PASSED

    def let_go(self, home: Home, slot: Since, at: Millis) -> None:
        """A new T from now."""
        slot.held, slot.rearmed = None, at
        self._wait(home, slot)

    def close(self, home: Home, slot: Since, at: Millis) -> None:
        """A person closed it: quiet until it is not so."""
        slot.phase = PASSED
        super().close(home, slot, at)
