"""What the world adds to an open alert: more of the same, over, here again, unknown. Pure.

A further match adds evidence and a count and sounds again; three within ten minutes raise the urgency by one
and bring the next step forward (DESIGN.md section 6). Clearing closes minor alerts only; all others wait for a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.events import Millis
from hub.centre.alerts.codes import CLEARED
from hub.centre.alerts.lifecycle import Line, close_by_clearing
from hub.centre.alerts.standing import Condition, Handling, Standing, one_higher
from hub.registry.timers import Timers

EVIDENCE_KEPT = 200
"""Event ids kept on the alert's row: the first hundred and the newest hundred. The journal has them all."""


@dataclass(frozen=True, slots=True)
class Grown:
    """The outcome. hasten: the next step of the chain is due now. rewait: it waits anew for everything."""

    standing: Standing
    lines: tuple[Line, ...]
    hasten: bool = False
    rewait: bool = False


def repeat(standing: Standing, at: Millis, evidence: tuple[str, ...], timers: Timers) -> Grown:
    """A further match of the same rule and key while the alert is open. at: when it happened."""
    recent = _recent(standing.repeats, at, timers)
    enough = len(recent) >= timers.repeats
    grown = _more(standing, at, evidence, () if enough else recent)
    lines = [Line("repeat", data={"count": grown.count, "events": list(evidence)})]
    raised = enough and one_higher(standing.urgency) != standing.urgency
    if raised:
        grown = replace(grown, urgency=one_higher(standing.urgency))
        lines.append(Line("urgency", data={"from": standing.urgency, "to": grown.urgency}))
    woken = raised and standing.handling is Handling.SNOOZED
    if standing.handling is Handling.SEEN or woken:
        grown = _loud_again(grown)
    rewait = woken or (raised and standing.handling is Handling.TAKEN)
    if rewait:
        grown = replace(grown, undo={})
    return Grown(grown, tuple(lines), hasten=enough, rewait=rewait)


def _recent(repeats: tuple[Millis, ...], at: Millis, timers: Timers) -> tuple[Millis, ...]:
    window = timers.repeat_window * 1000
    newest = max((*repeats, at))
    return tuple(sorted(one for one in (*repeats, at) if newest - one <= window))


def _more(standing: Standing, at: Millis, evidence: tuple[str, ...], repeats: tuple[Millis, ...]) -> Standing:
    version = standing.version + 1
    return replace(
        standing,
        condition=Condition.ACTIVE,
        cleared_at=None,
        clear_reason="",
        count=standing.count + 1,
        evidence=kept((*standing.evidence, *evidence)),
        repeats=repeats,
        last_at=max(standing.last_at, at),
        version=version,
        grown=version,
    )


def _loud_again(standing: Standing) -> Standing:
    """Whoever silenced it hears it again; nobody's answer is taken away."""
    return replace(standing, handling=Handling.NEW, seen_by=(), snoozed_until=None, snooze_reason="", undo={})


def joined(standing: Standing, at: Millis, count: int, evidence: tuple[str, ...]) -> Standing:
    """More homes in an area's alert: who would close it must have seen them, who silenced it hears it again.

    It is one thing that happens, so it neither grows more urgent by it nor is told faster.
    """
    version = standing.version + 1
    grown = replace(
        standing,
        count=max(1, count),
        evidence=kept((*standing.evidence, *evidence)),
        last_at=max(standing.last_at, at),
        version=version,
        grown=version,
    )
    return _loud_again(grown) if standing.handling is Handling.SEEN else grown


def kept(evidence: tuple[str, ...]) -> tuple[str, ...]:
    """Bound the list of event ids without losing how it began."""
    unique = tuple(dict.fromkeys(evidence))
    if len(unique) <= EVIDENCE_KEPT:
        return unique
    half = EVIDENCE_KEPT // 2
    return (*unique[:half], *unique[-half:])


def clear(standing: Standing, at: Millis, now: Millis, reason: str, evidence: tuple[str, ...] = ()) -> Grown:
    """The condition is over. A minor alert that nobody took ends with it; all others wait for a person.

    evidence: what ended it, which stands beside what began it: a dose given out at 08:05 and heard at 11:40.
    """
    version = standing.version + 1
    over = replace(
        standing,
        condition=Condition.CLEARED,
        cleared_at=at,
        clear_reason=reason,
        evidence=kept((*standing.evidence, *evidence)),
        version=version,
    )
    lines = (Line("cleared", data={"reason": reason, "events": list(evidence)}),)
    if not standing.ends_by_itself:
        return Grown(over, lines)
    closed = replace(close_by_clearing(over, now, CLEARED), version=version, handled=version)
    return Grown(closed, (*lines, Line("resolved", vkp="3", data={"cause": CLEARED})), rewait=True)


def lose_sight(standing: Standing) -> Grown:
    """Nobody can know any more whether it is still so: unknown never looks like fine (promise 4)."""
    unknown = replace(standing, condition=Condition.UNKNOWN, version=standing.version + 1)
    return Grown(unknown, (Line("unknown"),))


def regain_sight(standing: Standing) -> Grown:
    """The gateway is heard again; until it says otherwise, the condition is as it last was: active."""
    known = replace(standing, condition=Condition.ACTIVE, version=standing.version + 1)
    return Grown(known, (Line("known_again"),))
