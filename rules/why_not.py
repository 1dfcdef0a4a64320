"""Why an alert is not there: what a rule remembers of a home, in sentences.

A question to the state, not to a log: what the rule waits for, since when, until when, what holds it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drivers.catalogue import CATALOGUE
from drivers.events import Millis
from rules.engine import Engine
from rules.explain import say_instant
from rules.homes import Home
from rules.machines.base import Machine
from rules.machines.daily import Daily, Day
from rules.machines.happens import Happens
from rules.machines.lasting import OPEN, PASSED, WAITING, Lasting, Since
from rules.machines.silence import Heard, Silence
from rules.machines.then import First, Then
from rules.machines.times import Last, Times
from rules.machines.unanswered import Open, Unanswered
from rules.problems import nearest
from rules.reasons import say_reason
from rules.sentences import parameter_text, say_state, state_text
from rules.spans import Language

When = Callable[[Millis | None], str]
"""An instant as people read it."""


class Unasked(ValueError):  # noqa: N818  the question has no subject
    """There is no such rule or home; says so with the nearest."""


def why_not(engine: Engine, rule: str, home: str, language: Language = "en") -> list[str]:
    """Sentences on how a rule stands in a home at the moment the engine has come to. Raises Unasked."""
    machine, where = engine.by_name.get(rule), engine.homes.get(home)
    if machine is None:
        raise Unasked(f"the book has no rule {rule[:80]!r}{nearest(rule, engine.by_name)}")
    if where is None:
        raise Unasked(f"there is no home {home[:80]!r}{nearest(home, engine.homes)}")
    if rule in where.off:
        return [_pick(language, f"Regelen er av for {where.name}: {say_reason(where.off[rule], 'nb')}.",
                      f"The rule is off for {where.name}: {where.off[rule]}.")]  # fmt: skip
    lines = [line for slot in machine.slots(where) for line in _slot(machine, where, slot, language)]
    return [*(lines or [_nothing(machine, language)]), *_recent(where, rule, language)]


def _pick(language: Language, nb: str, en: str) -> str:
    return nb if language == "nb" else en


def _nothing(machine: Machine[Any], language: Language) -> str:
    kinds = ", ".join(_words(kind, language) for kind in machine.rule.events[:3])
    return _pick(language, f"Ingenting av det den venter på er hørt herfra: {kinds}.",
                 f"Nothing of what it waits for has been heard from here: {kinds}.")  # fmt: skip


def _words(kind: str, language: Language) -> str:
    return f"{CATALOGUE.facts[kind].words[language]} ({kind})"


def _slot(machine: Machine[Any], home: Home, slot: Any, language: Language) -> list[str]:
    def when(at: Millis | None) -> str:
        return "?" if at is None else say_instant(at, home.tz, language)

    said = _told(machine, slot, language, when)
    if slot.held is not None:
        said += _held(machine, home, slot, language, when)
    elif slot.alert is None or machine.latches:
        state = _STATES[type(machine)](machine, home, slot, language, when)
        said += [
            *_stopped(machine, slot, language, when),
            *state,
            *_quiet(machine, home, slot, language, when),
        ]
    return [f"{slot.key}: {each}" for each in said]


def _told(machine: Machine[Any], slot: Any, language: Language, when: When) -> list[str]:
    if slot.alert is None:
        return []
    at = when(slot.alert.at)
    if machine.latches:
        return [_pick(language, f"varslet {at}; åpent til noen lukker det.",
                      f"raised {at}; open until somebody closes it.")]  # fmt: skip
    return [_pick(language, f"varslet {at}, og varselet står.", f"raised {at}, and the alert is open.")]


def _held(machine: Machine[Any], home: Home, slot: Any, language: Language, when: When) -> list[str]:
    by = ", ".join(h.rule.name for h in machine.holders if h.covers(home, slot, machine))
    return [_pick(language, f"holdt tilbake av {by} siden {when(slot.held)}.",
                  f"held back by {by} since {when(slot.held)}.")]  # fmt: skip


def _stopped(machine: Machine[Any], slot: Any, language: Language, when: When) -> list[str]:
    """A match outside `only`, where nothing was raised since."""
    only = machine.rule.only
    if only is None or slot.stopped is None or slot.stopped <= (slot.raised or 0):
        return []
    return [_pick(language, f"ikke varslet {when(slot.stopped)}, for regelen gjelder bare {only.text}.",
                  f"not told {when(slot.stopped)}, as the rule acts only {only.text}.")]  # fmt: skip


def _quiet(machine: Machine[Any], home: Home, slot: Any, language: Language, when: When) -> list[str]:
    if slot.raised is None or machine.rule.at_most is None:
        return []
    until = when(slot.raised + (machine.setting(home, slot, machine.rule.at_most) or 0))
    return [_pick(language, f"stille til {until} (høyst én gang).", f"quiet until {until} (at most once).")]


def _silence(machine: Silence, home: Home, slot: Heard, language: Language, when: When) -> list[str]:
    heard = (
        _pick(language, f"sist hørt {when(slot.last)}", f"last heard {when(slot.last)}")
        if slot.last_id
        else _pick(
            language,
            f"ventet på siden {when(slot.last)}, aldri hørt",
            f"watched since {when(slot.last)}, never heard",
        )
    )
    due = machine.due(home, slot)
    if due is None:
        return [heard + _pick(language, "; ingen frist er satt for den.", "; no limit is set for it.")]
    if slot.timer is None:  # it has come due, and was stopped
        return [heard + "."]
    return [
        heard
        + _pick(language, f"; varsler {when(due)} om den tier.", f"; due {when(due)} if it stays silent.")
    ]


def _daily(machine: Daily, home: Home, slot: Day, language: Language, when: When) -> list[str]:
    due = machine.due(home, slot)
    heard = _pick(language, f"sist {when(slot.last)}", f"last {when(slot.last)}") if slot.last_id else _pick(
        language, "aldri hørt", "never heard")  # fmt: skip
    return [
        heard
        + _pick(language, f"; neste vindu er slutt {when(due)}.", f"; the next window ends {when(due)}.")
    ]


def _unanswered(machine: Unanswered, home: Home, slot: Open, language: Language, when: When) -> list[str]:
    if not slot.open:
        return [_pick(language, "ingenting venter på svar nå.", "nothing waits for an answer now.")]
    second = _words(machine.rule.second[0], language)
    due = when(machine.due(home, slot))
    return [_pick(language, f"venter siden {when(slot.open[0][0])} på: {second}; frist {due}.",
                  f"waiting since {when(slot.open[0][0])} for: {second}; due {due}.")]  # fmt: skip


def _lasting(machine: Lasting, home: Home, slot: Since, language: Language, when: When) -> list[str]:
    lines = [_episode(machine, home, slot, language, when)]
    if slot.unknown == 1:
        lines.append(_pick(language, "1 måling kunne ikke brukes og regnes som ukjent.",
                           "1 reading could not be used and counts as unknown."))  # fmt: skip
    elif slot.unknown:
        lines.append(_pick(language, f"{slot.unknown} målinger kunne ikke brukes og regnes som ukjent.",
                           f"{slot.unknown} readings could not be used and count as unknown."))  # fmt: skip
    return lines


def _episode(machine: Lasting, home: Home, slot: Since, language: Language, when: When) -> str:
    last = _last(machine, slot, language)
    if slot.phase == WAITING:
        due = when(machine.due(home, slot))
        return _pick(language, f"slik siden {when(slot.since)} (sist {last}); varsler {due}.",
                     f"so since {when(slot.since)} (last {last}); due {due}.")  # fmt: skip
    if slot.phase == PASSED:
        since = when(slot.since)
        return _pick(language, f"slik siden {since}, men begynte eller forfalt utenfor tiden, eller er lukket.",
                     f"so since {since}, but it began or fell due outside its times, or was closed.")  # fmt: skip
    if slot.phase == OPEN:
        return _pick(language, f"varslet; sist {last}.", f"told; last {last}.")
    needs = machine.condition.text
    limits = ", ".join(
        f"resident.{n} = {parameter_text(home, n, language)}" for n in sorted(machine.rule.parameters)
    )
    needs += f" ({limits})" if limits else ""
    return _pick(language, f"sist {last}, trenger {needs}.", f"last was {last}, needs {needs}.")


def _last(machine: Lasting, slot: Since, language: Language) -> str:
    """What was last heard; of several states each with its name, since one that is unknown may be the reason."""
    if slot.states is None:
        return state_text(machine, slot.value, language)
    return ", ".join(
        f"{name} {say_state(name, value, language)}"
        for name, value in zip(machine.states, slot.states, strict=True)
    )


def _then(machine: Then, home: Home, slot: First, language: Language, when: When) -> list[str]:
    first, second = machine.rule.events[0], machine.rule.second[0]
    if slot.first is None:
        return [
            _pick(
                language, f"venter på: {_words(first, language)}.", f"waiting for: {_words(first, language)}."
            )
        ]
    wait = machine.setting(home, slot, machine.rule.wait) or 0
    until = when(slot.first + wait)
    return [_pick(language, f"første kom {when(slot.first)}; trenger {_words(second, language)} innen {until}.",
                  f"the first came {when(slot.first)}; needs {_words(second, language)} by {until}.")]  # fmt: skip


def _times(machine: Times, home: Home, slot: Last, language: Language, when: When) -> list[str]:
    wanted = machine.setting(home, slot, machine.rule.count)
    came = ", ".join(when(each[0]) for each in slot.last)
    return [_pick(language, f"{len(slot.last)} av {wanted} telt: {came or 'ingen'}.",
                  f"{len(slot.last)} of {wanted} counted: {came or 'none'}.")]  # fmt: skip


def _happens(machine: Happens, home: Home, slot: Any, language: Language, when: When) -> list[str]:  # noqa: ARG001
    return [] if slot.raised is not None or slot.stopped is not None else [_nothing(machine, language)]


_STATES: Mapping[type[Machine[Any]], Callable[..., list[str]]] = {
    Silence: _silence,
    Daily: _daily,
    Unanswered: _unanswered,
    Lasting: _lasting,
    Then: _then,
    Times: _times,
    Happens: _happens,
}


def _recent(home: Home, rule: str, language: Language) -> list[str]:
    """The last sixteen decisions of each key."""
    words = {
        "raise": "varslet",
        "clear": "avsluttet",
        "repeat": "igjen",
        "held": "holdt tilbake",
        "late": "for sent",
    }
    lines = []
    for (name, key), entries in home.recent.items():
        for at, action, reason in entries if name == rule else ():
            said = words.get(action, action) if language == "nb" else action
            why = f": {say_reason(reason, language)}" if reason else ""
            lines.append(f"  {say_instant(at, home.tz, language)}  {key}  {said}{why}")
    if not lines:
        return []
    return [_pick(language, "Siste avgjørelser:", "Last decisions:"), *lines]
