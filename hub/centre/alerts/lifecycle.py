"""The life cycle of an alert, as a table (DESIGN.md section 6). Pure: a standing and an action in, the next out.

Two promises that this file keeps:

1. An action is based on a version. Where somebody changed the handling after that version, it is refused with
   the sentence that says who and when. `snooze` and `resolve` are refused as well when evidence came that the
   person has not seen; a fourth press on the pendant must not stop a nurse from *taking* the alert, but it must
   stop her from closing it unseen.
2. A missing key of the table *is* the refusal. Nothing else decides what may follow what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from drivers.events import Millis
from hub.centre.alerts import refusals
from hub.centre.alerts.codes import CAUSES, MEASURES, Words
from hub.centre.alerts.refusals import HUB, Refused, Scene, Stale, Unacceptable
from hub.centre.alerts.standing import HANDLING_COLUMNS, Handling, Standing, Step, columns_of
from hub.registry.timers import Timers

NOTE_LENGTH = 500
REASON_LENGTH = 200


class Posture(StrEnum):
    """How an alert stands as one person sees it: like its handling, but *taken* is mine or theirs."""

    NEW = "new"
    SEEN = "seen"
    SNOOZED = "snoozed"
    MINE = "mine"
    THEIRS = "theirs"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Action:
    """What a person asks. name: a key of ALLOWED; version: the one the person saw; the rest as the action needs.

    until: ms UTC of the homes' time. step: calling, on_the_way, at_the_door.
    """

    name: str
    version: int
    step: str = ""
    until: Millis = 0
    reason: str = ""
    cause: str = ""
    measure: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the timeline. vkp: code of the composition event (VKP 5.3), where one fits."""

    what: str
    vkp: str = ""
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Moved:
    """The outcome of a transition. rewait: what it waited for falls away and it waits anew."""

    standing: Standing
    lines: tuple[Line, ...]
    rewait: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """An action that the table allows, with all it needs. after: the handling it leads to."""

    standing: Standing
    after: Handling
    action: Action
    scene: Scene
    timers: Timers


_NEW, _SEEN, _TAKEN = Handling.NEW, Handling.SEEN, Handling.TAKEN
_SNOOZED, _RESOLVED = Handling.SNOOZED, Handling.RESOLVED

ALLOWED: Mapping[str, Mapping[Posture, Handling]] = MappingProxyType(
    {
        "seen": {
            Posture.NEW: _SEEN,
            Posture.SEEN: _SEEN,
            Posture.SNOOZED: _SNOOZED,
            Posture.MINE: _TAKEN,
            Posture.THEIRS: _TAKEN,
        },
        "take": {Posture.NEW: _TAKEN, Posture.SEEN: _TAKEN, Posture.SNOOZED: _TAKEN},
        "step": {Posture.MINE: _TAKEN},
        "take_over": {Posture.THEIRS: _TAKEN},
        "hand_back": {Posture.MINE: _NEW},
        "snooze": {Posture.NEW: _SNOOZED, Posture.SEEN: _SNOOZED, Posture.MINE: _SNOOZED},
        "resolve": {Posture.MINE: _RESOLVED},
    }
)
"""Action → posture → handling after it."""

UNDOABLE = frozenset({"seen", "take", "resolve"})
MUST_HAVE_SEEN_ALL = frozenset({"snooze", "resolve"})

NOT_SO: Mapping[tuple[str, Posture], Words] = MappingProxyType(
    {
        ("take_over", Posture.NEW): refusals.NOBODY_HAS_IT,
        ("take_over", Posture.SEEN): refusals.NOBODY_HAS_IT,
        ("take_over", Posture.SNOOZED): refusals.NOBODY_HAS_IT,
        **{
            (name, posture): refusals.TAKE_FIRST
            for name in ("step", "hand_back", "resolve")
            for posture in (Posture.NEW, Posture.SEEN, Posture.SNOOZED)
        },
    }
)
"""Refusals that are not simply "this is how it stands"."""


def posture(standing: Standing, actor: str) -> Posture:
    """How the alert stands as this person sees it."""
    if standing.handling is Handling.TAKEN:
        return Posture.MINE if standing.owner == actor else Posture.THEIRS
    return Posture(standing.handling.value)


def act(standing: Standing, action: Action, scene: Scene, timers: Timers) -> Moved:
    """Carry out a person's action. Raises Stale or Refused, each with its sentence."""
    _check_version(standing, action, scene)
    seen_as = posture(standing, scene.actor)
    after = ALLOWED[action.name].get(seen_as)
    if after is None:
        raise Refused(NOT_SO.get((action.name, seen_as)) or refusals.as_it_stands(standing, scene))
    return CARRY_OUT[action.name](Turn(standing, after, action, scene, timers))


def _check_version(standing: Standing, action: Action, scene: Scene) -> None:
    if not standing.handled <= action.version <= standing.version:
        raise Stale(refusals.as_it_stands(standing, scene))
    if action.name in MUST_HAVE_SEEN_ALL and action.version < standing.grown:
        raise Stale(refusals.grew(standing, scene))


def _handled(standing: Standing, handling: Handling, **changes: Any) -> Standing:
    """The next standing, one version on, with nothing left of a former answer but what `changes` says."""
    version = standing.version + 1
    clean: dict[str, Any] = {
        "owner": None,
        "owner_since": None,
        "step": "",
        "step_at": None,
        "snoozed_until": None,
        "snooze_reason": "",
        "undo": {},
    }
    return replace(standing, handling=handling, version=version, handled=version, **(clean | changes))


def _undo(standing: Standing, action: str, scene: Scene, timers: Timers) -> dict[str, Any]:
    columns = columns_of(standing)
    return {
        "until": scene.now + timers.undo * 1000,
        "by": scene.actor,
        "action": action,
        "version": standing.version + 1,
        "before": {name: columns[name] for name in HANDLING_COLUMNS},
    }


def _see(turn: Turn) -> Moved:
    """Silence my own sound. Seeing twice changes nothing; the chain runs on."""
    if any(mark["staff"] == turn.scene.actor for mark in turn.standing.seen_by):
        return Moved(turn.standing, (), rewait=False)
    version = turn.standing.version + 1
    moved = replace(
        turn.standing,
        handling=turn.after,
        version=version,
        seen_by=(*turn.standing.seen_by, {"staff": turn.scene.actor, "at": turn.scene.now}),
        undo=_undo(turn.standing, "seen", turn.scene, turn.timers),
    )
    return Moved(moved, (Line("seen"),), rewait=False)


def _take(turn: Turn) -> Moved:
    undo = _undo(turn.standing, "take", turn.scene, turn.timers)
    moved = _handled(turn.standing, turn.after, owner=turn.scene.actor, owner_since=turn.scene.now, undo=undo)
    return Moved(moved, (Line("taken", vkp="1"),))


STEP_VKP: Mapping[str, str] = MappingProxyType(
    {Step.CALLING: "8", Step.ON_THE_WAY: "4", Step.AT_THE_DOOR: "9"}
)


def _step(turn: Turn) -> Moved:
    if turn.action.step not in STEP_VKP:
        raise Unacceptable(refusals.NO_SUCH_STEP)
    moved = _handled(
        turn.standing,
        turn.after,
        owner=turn.standing.owner,
        owner_since=turn.standing.owner_since,
        step=turn.action.step,
        step_at=turn.scene.now,
    )
    return Moved(moved, (Line("step", vkp=STEP_VKP[turn.action.step], data={"step": turn.action.step}),))


def _take_over(turn: Turn) -> Moved:
    moved = _handled(turn.standing, turn.after, owner=turn.scene.actor, owner_since=turn.scene.now)
    return Moved(moved, (Line("taken_over", vkp="9", data={"from": turn.standing.owner}),))


def _hand_back(turn: Turn) -> Moved:
    return Moved(_handled(turn.standing, turn.after, seen_by=()), (Line("handed_back", vkp="9"),))


def _snooze(turn: Turn) -> Moved:
    if turn.standing.held_quiet:
        raise Unacceptable(refusals.NEVER_SNOOZED)
    limit = turn.timers.longest_snooze(turn.standing.urgency)
    if not turn.scene.now < turn.action.until <= turn.scene.now + limit * 1000:
        raise Unacceptable(refusals.snooze_limit(limit))
    reason = turn.action.reason.strip()
    if not 0 < len(reason) <= REASON_LENGTH:
        raise Unacceptable(refusals.NEEDS_REASON)
    moved = _handled(turn.standing, turn.after, snoozed_until=turn.action.until, snooze_reason=reason)
    return Moved(moved, (Line("snoozed", data={"until": turn.action.until, "reason": reason}),))


def _resolve(turn: Turn) -> Moved:
    if turn.action.cause not in CAUSES:
        raise Unacceptable(refusals.NEEDS_CAUSE)
    if turn.action.measure not in MEASURES:
        raise Unacceptable(refusals.NEEDS_MEASURE)
    if len(turn.action.note) > NOTE_LENGTH:
        raise Unacceptable(refusals.NOTE_TOO_LONG)
    moved = _handled(
        turn.standing,
        turn.after,
        owner=turn.standing.owner,
        owner_since=turn.standing.owner_since,
        cause=turn.action.cause,
        measure=turn.action.measure,
        note=turn.action.note.strip(),
        resolved_at=turn.scene.now,
        resolved_by=turn.scene.actor,
        undo=_undo(turn.standing, "resolve", turn.scene, turn.timers),
    )
    lines = (
        Line("cause", vkp="6", data={"cause": turn.action.cause}),
        Line("measure", vkp="7", data={"measure": turn.action.measure}),
        Line("resolved", vkp="3", data={"note": moved.note} if moved.note else {}),
    )
    return Moved(moved, lines)


CARRY_OUT: Mapping[str, Callable[[Turn], Moved]] = MappingProxyType(
    {
        "seen": _see,
        "take": _take,
        "step": _step,
        "take_over": _take_over,
        "hand_back": _hand_back,
        "snooze": _snooze,
        "resolve": _resolve,
    }
)


def undo(standing: Standing, version: int, scene: Scene) -> Moved:
    """Take my own last action back, while its ten seconds last and nobody has handled the alert since."""
    last = standing.undo
    if not last or last["by"] != scene.actor or scene.now > last["until"]:
        raise Refused(refusals.NOTHING_TO_UNDO)
    if not last["version"] <= version <= standing.version or standing.handled > last["version"]:
        raise Stale(refusals.as_it_stands(standing, scene))
    before = dict(last["before"])
    before["handling"] = Handling(before["handling"])
    before["seen_by"] = tuple(before["seen_by"])
    next_version = standing.version + 1
    moved = replace(standing, version=next_version, handled=next_version, undo={}, **before)
    return Moved(moved, (Line("undone", data={"action": last["action"]}),), rewait=False)


def lapse(standing: Standing, purpose: str) -> Moved:
    """An answer went stale: the alert is new again and its chain starts anew."""
    moved = _handled(standing, Handling.NEW, seen_by=())
    return Moved(moved, (Line("lapsed", data={"by": standing.owner, "step": standing.step, "why": purpose}),))


def wake(standing: Standing) -> Moved:
    """A snooze is over: the alert returns as new."""
    moved = _handled(standing, Handling.NEW, seen_by=())
    return Moved(moved, (Line("woke", data={"reason": standing.snooze_reason}),))


def close_by_clearing(standing: Standing, now: Millis, cause: str) -> Standing:
    """The hub's own end of an alert whose condition is over (a minor one that nobody took)."""
    return _handled(standing, Handling.RESOLVED, cause=cause, resolved_at=now, resolved_by=HUB)
