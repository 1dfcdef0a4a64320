"""What another book, or other parameters, would have changed: alerts gone, new and moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from drivers.events import Event, Millis
from rules.book import Book
from rules.decision import Decision
from rules.homes import OF_TIMES, HomeSpec
from rules.language.types import read_parameter
from rules.problems import Wrong, nearest
from rules.replay import judge, once
from rules.unswept import unswept

Place: TypeAlias = tuple[str, str, str]
"""(home, rule, key)."""

LONGEST_MOVE: Millis = 12 * 3_600_000
"""An alert that comes further off than this is another alert, not the same one moved."""

MOST_PAIRS = 200_000
"""Alerts of one key beyond this many pairs are told as gone and new; such a rule has other troubles."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The same alert at another time. by: ms, negative for earlier."""

    before: Decision
    after: Decision

    @property
    def by(self) -> Millis:
        """How much later."""
        return self.after.at - self.before.at


@dataclass(slots=True)
class Difference:
    """same: how many alerts come as before, at the same instant."""

    same: int = 0
    gone: list[Decision] = field(default_factory=list)
    new: list[Decision] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)

    def add(self, other: Difference) -> None:
        """Take in the difference of other homes."""
        self.same += other.same
        self.gone += other.gone
        self.new += other.new
        self.moved += other.moved


def what_if(
    homes: Sequence[HomeSpec],
    events: Sequence[Event],
    before: Book,
    after: Book,
    *,
    parameters: Mapping[str, Any] | None = None,
    until: Millis | None = None,
    started: Millis = 0,
) -> Difference:
    """The difference between two books, or between the residents' parameters and others, over a stored stream.

    events: in the order of hearing. Only rules that could say something else are judged: those whose meaning or
    parameters differ, and those held back by such a rule. The others' alerts are the same by construction.
    """
    changed = affected(before, after, frozenset(parameters or ()))
    others = [_with(home, parameters) for home in homes] if parameters else homes
    sides = ((before.only(changed), homes), (after.only(changed), others))
    end = until if until is not None else (events[-1].heard if events else started)
    with unswept():
        wanted = once(_seen_by([book for book, _ in sides], events))
        old, new = (
            [each for each in judge(*side, wanted, until=end, started=started, distinct=True)[0]
             if each.action == "raise" and each.rule in changed]
            for side in sides
        )  # fmt: skip
        return compare(old, new)


def check_parameters(parameters: Mapping[str, Any], *books: Book) -> None:
    """Refuse what cannot be asked: a name no rule reads, or a value that is none. Raises Wrong in a sentence.

    Without it such a value would switch rules off, and a nurse would read their alerts as gone.
    """
    read = {name: kind for book in books for name, kind in (*book.types.items(), *OF_TIMES.items())}
    for name, value in parameters.items():
        if name not in read:
            raise Wrong(f"no rule reads {name[:80]!r}{nearest(name, read)}")
        for types in (*(book.types for book in books), OF_TIMES):
            if name in types:
                read_parameter(name, value, types[name])


def affected(before: Book, after: Book, parameters: frozenset[str] = frozenset()) -> frozenset[str]:
    """Rules whose alerts may differ between two books, or with other values of these parameters."""
    changed = {
        name
        for name in {*before.rules, *after.rules}
        if name not in before.rules
        or name not in after.rules
        or before.rules[name].meaning != after.rules[name].meaning
        or parameters & after.rules[name].parameters
        or _defaults(before, name) != _defaults(after, name)
        or (parameters & OF_TIMES.keys())
    }
    while True:
        held = {
            name
            for book in (before, after)
            for name, rule in book.rules.items()
            if name not in changed and changed.intersection(rule.held_by)
        }
        if not held:
            return frozenset(changed)
        changed |= held


def _defaults(book: Book, name: str) -> list[Any]:
    return [book.defaults.get(each) for each in sorted(book.rules[name].parameters)]


def _with(home: HomeSpec, parameters: Mapping[str, Any] | None) -> HomeSpec:
    return replace(home, resident={**home.resident, **(parameters or {})})


def _seen_by(books: Iterable[Book], events: Sequence[Event]) -> Sequence[Event]:
    """The events that any of these books looks at."""
    kinds = {kind for book in books for rule in book.rules.values() for kind in rule.kinds}
    return [event for event in events if event.kind in kinds]


def compare(before: Iterable[Decision], after: Iterable[Decision]) -> Difference:
    """Match the alerts of two runs: first those at the same instant, then in order of time within a rule and key."""
    difference = Difference()
    old, new = _by_place(before), _by_place(after)
    for place in sorted({*old, *new}):
        _match(old[place], new[place], difference)
    for found in (difference.gone, difference.new):
        found.sort(key=lambda each: (each.at, each.home, each.rule))
    difference.moved.sort(key=lambda each: (each.before.at, each.before.home, each.before.rule))
    return difference


def _by_place(decisions: Iterable[Decision]) -> defaultdict[Place, list[Decision]]:
    found: defaultdict[Place, list[Decision]] = defaultdict(list)
    for each in decisions:
        found[each.home, each.rule, each.key].append(each)
    return found


def _match(old: list[Decision], new: list[Decision], difference: Difference) -> None:
    both = {each.at for each in old} & {each.at for each in new}
    difference.same += len(both)
    left = [each for each in old if each.at not in both]
    right = [each for each in new if each.at not in both]
    for before, after in _nearest(left, right):
        difference.moved.append(Moved(before, after))
        left.remove(before)
        right.remove(after)
    difference.gone += left
    difference.new += right


def _nearest(left: list[Decision], right: list[Decision]) -> list[tuple[Decision, Decision]]:
    """Pairs of alerts no further apart than the longest move, the nearest first, each alert in one pair."""
    if len(left) * len(right) > MOST_PAIRS:
        left = left[: MOST_PAIRS // len(right)]
    close = [
        (abs(one.at - other.at), number, place)
        for number, one in enumerate(left)
        for place, other in enumerate(right)
        if abs(one.at - other.at) <= LONGEST_MOVE
    ]
    pairs, used_left, used_right = [], set(), set()
    for _, number, place in sorted(close):
        if number not in used_left and place not in used_right:
            used_left.add(number)
            used_right.add(place)
            pairs.append((left[number], right[place]))
    return pairs
