"""What a book may say but probably does not mean; told by `rules check`, never refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from drivers.catalogue import CATALOGUE
from rules.book import Book, Form, Rule
from rules.problems import Problem
from rules.spans import say_span

_BY_HAND = (Form.HAPPENS, Form.THEN, Form.TIMES)


def advise(book: Book) -> list[Problem]:
    """Every piece of advice on a book, in line order."""
    found = [
        Problem(rule.line, f"{rule.name}: {sentence}")
        for rule in book.rules.values()
        for check in _CHECKS
        for sentence in check(rule, book)
    ]
    return sorted(found)


def unreachable(book: Book, kinds: Iterable[str]) -> list[Problem]:
    """Rules that wait for an event no installed device can send; kinds: what the installed ones can."""
    can = set(kinds)
    found = []
    for rule in book.rules.values():
        for part in filter(None, (rule.events, rule.second)):
            if not can.intersection(part) and not (part is rule.second and rule.form is Form.UNANSWERED):
                what = "can never act" if rule.form not in (Form.SILENCE, Form.DAILY) else "watches nothing"
                text = f"{rule.name}: no installed device sends {part[0]!r}, so this rule {what}"
                found.append(Problem(rule.line, text))
                break
    return found


def _noisy(rule: Rule, book: Book) -> Iterator[str]:  # noqa: ARG001  every check has this shape
    """A limit without a second limit flutters when the number plays around it."""
    if rule.condition is None or rule.until is not None or not re.search(r"[<>]", rule.condition.text):
        return
    numbers = [state for state in rule.condition.states if CATALOGUE.states[state].is_number]
    if numbers:
        yield (
            f"'while' on the number {numbers[0]!r} has no 'until'; it clears and comes again when the number "
            "plays around the limit. Add 'until' with a limit some way off"
        )


def _slow_holder(rule: Rule, book: Book) -> Iterator[str]:
    """A holder that needs longer than what it holds back lets the held alert out first."""
    for name in rule.held_by:
        holder = book.rules[name]
        if Form.UNANSWERED in (rule.form, holder.form) and rule.events != holder.events:
            continue  # their waits begin at different events, so which ends first cannot be told
        mine, its = _wait_of(rule, book), _wait_of(holder, book)
        if mine is not None and its is not None and its > mine:
            yield (
                f"it waits {say_span(mine)} and is held back by {name!r}, which waits {say_span(its)} and "
                f"so comes later; let {name!r} wait less than this rule"
            )


def _wait_of(rule: Rule, book: Book) -> int | None:
    """How long a rule waits where the resident has no span of his own; None where only the device says."""
    if rule.form in _BY_HAND:
        return 0
    if rule.form is Form.LASTING and rule.wait is None:
        return 0
    if rule.wait is None:
        return None
    wait: int | None = book.defaults.get(rule.wait.parameter, rule.wait.value)
    return wait


def _no_wait(rule: Rule, book: Book) -> Iterator[str]:
    """Silence of no length is raised by each sign of life; an answer can never come in no time."""
    if rule.form in (Form.SILENCE, Form.UNANSWERED) and _wait_of(rule, book) == 0:
        yield "it waits no time at all, so it is told each time; write how long, like '10 min'"


def _held_for_ever(rule: Rule, book: Book) -> Iterator[str]:
    for name in rule.held_by:
        if book.rules[name].form in _BY_HAND:
            yield (
                f"{name!r} stays open until a person closes it, so this rule is held back until then; "
                "hold back by something that clears by itself"
            )


def _life_held(rule: Rule, book: Book) -> Iterator[str]:  # noqa: ARG001  every check has this shape
    if rule.held_by and rule.critical:
        yield f"a critical rule is held back by {rule.held_by[0]!r}; a call for help should never wait"


def _quiet_holder(rule: Rule, book: Book) -> Iterator[str]:
    """What holds others back must itself be told to somebody: held is not gone (reference: rules, section 8)."""
    for name in rule.held_by:
        if book.rules[name].urgency == "low" != rule.urgency:
            yield (
                f"{name!r} is low, so nobody is called while it holds this rule back; give it the urgency "
                f"of what it hides ({rule.urgency})"
            )


def _mixed_devices(rule: Rule, book: Book) -> Iterator[str]:  # noqa: ARG001  every check has this shape
    wide = rule.condition is not None and any(state.startswith("any.") for state in rule.condition.states)
    if wide and rule.per != "device":
        yield "'any.' takes in every device, so their values are mixed; add 'per: device'"
    if rule.form is Form.SILENCE and len(rule.events) > 1 and rule.per != "device":
        yield "one device that speaks hides the silence of all others; add 'per: device'"


def _two_roles(rule: Rule, book: Book) -> Iterator[str]:  # noqa: ARG001  every check has this shape
    classes = {kind.partition(".")[0] for kind in rule.kinds}
    apart = classes & {"gateway", "area"}
    if apart and len(classes) > 1:
        yield f"{min(apart)} facts are judged in the centre, by themselves; this rule never sees both"


def _unasked(rule: Rule, book: Book) -> Iterator[str]:
    lost = sorted(name for name in rule.parameters if name not in book.defaults)
    if lost:
        yield f"it is off for every resident without the parameter {lost[0]!r}; a value under 'defaults:' would help"


_CHECKS: tuple[Callable[[Rule, Book], Iterator[str]], ...] = (
    _noisy,
    _slow_holder,
    _no_wait,
    _held_for_ever,
    _life_held,
    _quiet_holder,
    _mixed_devices,
    _two_roles,
    _unasked,
)
