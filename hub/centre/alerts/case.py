"""One alert while it is worked on: how it stands, what it waits for, and what is still to be written. No I/O.

A transaction reads its cases together, turns them in memory as often as need be, and writes them together
(`hub.centre.alerts.docket`), so that a storm of decisions costs a few statements and not a dozen each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from drivers.events import Millis
from hub.centre.alerts.lifecycle import Line
from hub.centre.alerts.policy import Policy
from hub.centre.alerts.refusals import HUB
from hub.centre.alerts.standing import Standing, standing_of
from hub.centre.alerts.waiting import STEP, Wanted, waits_for

LASTING = ("rule", "key", "home", "zone", "chain", "queue", "says")
"""Columns of an alert that never change and that work on it needs."""


@dataclass(frozen=True, slots=True)
class Turned:
    """One transition, ready to be made. why: closes the deadlines that fall away, and names the deed.

    by: staff id or `hub`. hasten: the next step is due now. deed: an audit row, unless it is empty.
    extra: columns of the alert that no standing has.
    """

    standing: Standing
    lines: Sequence[Line]
    why: str
    by: str = HUB
    rewait: bool = False
    hasten: bool = False
    origin: str = ""
    deed: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def said(self) -> dict[str, Any]:
        """What the audit trail tells of it: everything but notes about people."""
        return {name: value for line in self.lines for name, value in line.data.items() if name != "note"}


@dataclass(slots=True, eq=False)
class Wait:
    """A deadline of a case. id: of its row, None while it has none. changed: its row is not as it stands here."""

    purpose: str
    due: Millis
    data: Mapping[str, Any]
    id: int | None = None
    done: Millis | None = None
    outcome: str = ""
    changed: bool = False
    end_of_shift: bool = False

    def end(self, now: Millis, outcome: str) -> None:
        """It is carried out, or falls away."""
        self.done, self.outcome, self.changed = now, outcome, True


@dataclass(slots=True, eq=False)
class Case:
    """One alert at work. id: of its row, None while it has none; `fresh` then holds the columns that opening sets.

    told: who was told, {staff, channel, at}. before: the version that was read. former: the episode before, for a
    fresh one. waits: what is not done yet, and what ended here. closed, opened: the deadlines of the last rewait, for
    an undo. turns: what happened to it. extra: columns that no standing has.
    """

    rule: str
    key: str
    home: str
    zone: str
    chain: str
    queue: str
    says: Mapping[str, str]
    standing: Standing
    told: list[dict[str, Any]] = field(default_factory=list)
    id: int | None = None
    before: int = 0
    fresh: Mapping[str, Any] | None = None
    former: Case | int | None = None
    waits: list[Wait] = field(default_factory=list)
    closed: list[Wait] = field(default_factory=list)
    opened: list[Wait] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    turns: list[Turned] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, row: Any) -> Case:
        """From anything that has the columns of `Alert`."""
        lasting = {name: getattr(row, name) for name in LASTING}
        return cls(**lasting, standing=standing_of(row), told=list(row.told), id=row.id, before=row.version)

    def turn(self, turned: Turned, policy: Policy, now: Millis) -> None:
        """Make one transition."""
        if turned.rewait:
            self._rewait(turned, policy, now)
        if turned.hasten:
            self.hasten(now)
        self.standing = turned.standing
        self.extra |= turned.extra
        self.turns.append(turned)
        self.versions.append(turned.standing.version)

    def begin(self, turned: Turned, policy: Policy, now: Millis) -> None:
        """Open it: its chain begins now."""
        chain = policy.chain(self.chain, self.queue, self.standing.urgency)
        self.wait(waits_for(self.standing, chain, policy.timers, now))
        self.turn(turned, policy, now)

    def _rewait(self, turned: Turned, policy: Policy, now: Millis) -> None:
        self.closed = [one for one in self.waits if one.done is None]
        for one in self.closed:
            one.end(now, turned.why)
        chain = policy.chain(self.chain, self.queue, turned.standing.urgency)
        self.opened = self.wait(waits_for(turned.standing, chain, policy.timers, now))

    def wait(self, wanted: Iterable[Wanted]) -> list[Wait]:
        """Wait for these too."""
        more = [Wait(one.purpose, one.due, one.data, end_of_shift=one.end_of_shift) for one in wanted]
        self.waits += more
        return more

    def next_step(self) -> Wait | None:
        """The next step of the chain."""
        steps = [one for one in self.waits if one.done is None and one.purpose == STEP]
        return min(steps, key=lambda one: one.due, default=None)

    def hasten(self, now: Millis) -> None:
        """Bring the next step of the chain forward to now."""
        step = self.next_step()
        if step is not None and step.due > now:
            step.due, step.changed = now, True
