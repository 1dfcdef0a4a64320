"""Rules and limits as people know them: a rule by what it would say, a limit by its name and its value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.look.causes import PARAMETERS
from dashboard.look.words import Language, mark, say
from drivers.catalogue import CATALOGUE
from rules import Book, Form
from rules.book import Rule
from rules.language.types import Setting, ValueType, read_parameter
from rules.problems import Wrong
from rules.spans import say_clock, say_span

GAP = "…"
MOST_KINDS = 3
"""Kinds named in a sentence; `any.heartbeat` stands for a dozen."""
UNITS = {
    **dict.fromkeys(("t", "time", "timer", "hour", "hours"), "h"),
    **dict.fromkeys(("døgn", "dag", "dager", "day", "days"), "d"),
    **dict.fromkeys(("m", "minutt", "minutter", "minute", "minutes"), "min"),
    **dict.fromkeys(("sek", "sekund", "sekunder", "second", "seconds"), "s"),
}
"""How people write spans, beside what a book takes."""

NEEDED: Mapping[str, str] = {
    "duration": mark("Write a span of time such as “10 min”, “90 s” or “1 h 30 min”."),
    "clock": mark("Write a time of day such as “22:00”."),
    "number": mark("Write a number."),
    "yes or no": mark("Write yes or no."),
    "text": mark("Write a text."),
}
"""What a limit of each type wants."""


def rule_name(rule: Rule, language: Language, resident: str) -> str:
    """What the rule would say, with gaps for what only an event knows: `Pulse … for 10 min, limit …: Astrid`."""
    values = dict.fromkeys(rule.alert.names, GAP) | {
        "resident": resident,
        "device": say(language, "a device"),
    }
    if rule.wait is not None and rule.wait.fixed:
        values |= dict.fromkeys(("for", "within"), say_span(int(rule.wait.value), language))
    if rule.count is not None and rule.count.fixed:
        values["times"] = str(rule.count.value)
    said = rule.alert.say(language, values)
    return said[:1].upper() + said[1:]


SENTENCES: Mapping[Form, str] = {
    Form.HAPPENS: mark("The rule acts when this happens: %(first)s."),
    Form.THEN: mark("The rule acts when one follows the other within %(wait)s: %(first)s, then %(second)s."),
    Form.TIMES: mark("The rule acts when this happens %(times)s times within %(wait)s: %(first)s."),
    Form.UNANSWERED: mark(
        "The rule acts when this happens: %(first)s, and this does not within %(wait)s: %(second)s."
    ),
    Form.LASTING: mark("The rule acts when this has been so for %(wait)s: %(what)s."),
    Form.SILENCE: mark("The rule acts when this has not been heard for %(wait)s: %(first)s."),
    Form.DAILY: mark("The rule acts when this has not been heard between %(begin)s and %(end)s: %(first)s."),
}
AT_ONCE = mark("The rule acts as soon as this is so: %(what)s.")
"""Of a condition that need not last."""


def rule_sentence(rule: Rule, language: Language) -> str:
    """What the rule waits for: `The rule acts when this has been so for 10 min: Pulse > «High pulse from».`"""
    begin, end = rule.window or (None, None)
    names = {
        "first": _kinds(rule.events, language),
        "second": _kinds(rule.second, language),
        "wait": _setting(rule.wait, language),
        "times": _setting(rule.count, language),
        "begin": _setting(begin, language),
        "end": _setting(end, language),
        "what": _condition(rule.condition.text, language) if rule.condition else "",
    }
    at_once = rule.form is Form.LASTING and rule.wait is None
    return say(language, AT_ONCE if at_once else SENTENCES[rule.form], **names)


def _kinds(kinds: tuple[str, ...], language: Language) -> str:
    words = [CATALOGUE.facts[kind].words[language] for kind in kinds[:MOST_KINDS]]
    return " / ".join(words) + (f" {GAP}" if len(kinds) > MOST_KINDS else "")


def _setting(setting: Setting | None, language: Language) -> str:
    """A number, span or time of a rule: itself, or what the resident's limit or the device's is called."""
    if setting is None:
        return ""
    if setting.parameter:
        return f"«{limit_name(setting.parameter, language)}»"
    if setting.of_device:
        return say(language, "as long as the device may be silent")
    return shown("", setting.value, setting.type, language)


def _condition(text: str, language: Language) -> str:
    """A condition with states, their values and limits by their names; the rest stays as the book has it."""

    def so(found: re.Match[str]) -> str:
        state = CATALOGUE.states.get(found[1])
        if state is None or found[3] not in state.value_words:
            return found[0]
        value = state.value_words[found[3]][language]
        negated = f"{say(language, 'not')} " if found[2] else ""
        return f"{state.words[language]}: {negated}{value}"

    def named(found: re.Match[str]) -> str:
        if found[0].startswith("resident."):
            return f"«{limit_name(found[0].removeprefix('resident.'), language)}»"
        state = CATALOGUE.states.get(found[0])
        return state.words[language] if state else found[0]

    text = re.sub(r"([a-z]+\.[a-z0-9_]+) is (not )?([a-z_]+)", so, text)
    text = re.sub(r"[a-z]+\.[a-z0-9_]+", named, text)
    text = re.sub(r"\b(and|or|not)\b", lambda found: say(language, JOINERS[found[0]]), text)
    return text.replace(">=", "≥").replace("<=", "≤")


JOINERS = {"and": mark("and"), "or": mark("or"), "not": mark("not")}


def limit_name(name: str, language: Language) -> str:
    """What people call a resident's parameter; one that is a municipality's own stays as it is written."""
    known = PARAMETERS.get(f"resident.{name}")
    words = say(language, known) if known else name.replace("_", " ")
    return words[:1].upper() + words[1:]


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a resident on a form. now: as it is, empty where none is set. asked: as the person wrote it.

    wrong: a sentence, where `asked` cannot be read. rules: what is judged by it. near: a device of the home sends it.
    """

    name: str
    words: str
    now: str
    asked: str
    wrong: str
    rules: tuple[str, ...]
    near: bool


def limits(
    book: Book,
    own: Mapping[str, Any],
    asked: Mapping[str, str],
    classes: Iterable[str],
    language: Language,
    resident: str,
) -> list[Limit]:
    """Every limit that a rule of the homes reads. own: the resident's parameters. classes: of the home's devices."""
    here = set(classes)
    found = []
    for name, kind in book.types.items():
        rules = [rule for rule in book.rules.values() if name in rule.parameters]
        wrong = ""
        if asked.get(name, "").strip():
            try:
                read(name, asked[name], kind)
            except Wrong:
                wrong = say(language, NEEDED[kind])
        limit = Limit(
            name=name,
            words=limit_name(name, language),
            now=shown(name, own.get(name, book.defaults.get(name)), kind, language),
            asked=asked.get(name, "").strip(),
            wrong=wrong,
            rules=tuple(rule_name(rule, language, resident) for rule in rules),
            near=any(here & {kind.partition(".")[0] for kind in rule.kinds} for rule in rules),
        )
        found.append(limit)
    return found


def shown(name: str, value: Any, kind: ValueType, language: Language) -> str:
    """A value as a person would write it; empty for none."""
    if value is None:
        return ""
    try:
        known = (
            value
            if kind in {"duration", "clock"} and isinstance(value, int)
            else read_parameter(name, value, kind)
        )
    except Wrong:
        return str(value)
    if kind == "duration":
        return say_span(known, language)
    if kind == "clock":
        return say_clock(known)
    if kind == "yes or no":
        return say(language, YES_NO[bool(known)])
    text = f"{known:g}" if isinstance(known, int | float) else str(known)
    return text.replace(".", ",") if language == "nb" and kind == "number" else text


YES_NO = {True: mark("yes"), False: mark("no")}


def read(name: str, text: str, kind: ValueType) -> Any:
    """What a person wrote, as the rules read it: spans and clock times as text. Raises Wrong."""
    plain = " ".join(text.split())
    if kind == "duration":
        plain = re.sub(r"[^\W\d]+", lambda found: UNITS.get(found[0].lower(), found[0].lower()), plain)
        return say_span(read_parameter(name, plain, kind))
    if kind == "clock":
        return say_clock(read_parameter(name, plain.replace(".", ":"), kind))
    if kind == "number":
        return read_parameter(name, plain.replace(",", "."), kind)
    if kind == "yes or no":
        return read_parameter(name, {"ja": "yes", "nei": "no"}.get(plain.lower(), plain), kind)
    return read_parameter(name, plain, kind)


def changes(book: Book, own: Mapping[str, Any], found: Iterable[Limit]) -> dict[str, Any]:
    """The limits that a person wrote something else for than what holds now."""
    asked = {
        limit.name: read(limit.name, limit.asked, book.types[limit.name])
        for limit in found
        if limit.asked and not limit.wrong
    }
    return {name: value for name, value in asked.items() if not _same(book, own, name, value)}


def _same(book: Book, own: Mapping[str, Any], name: str, value: Any) -> bool:
    kind = book.types[name]
    return shown(name, own.get(name, book.defaults.get(name)), kind, "en") == shown(name, value, kind, "en")
