"""From a rule's sentence and a home's facts to words people read. Compiled once a rule; what is fixed is said once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis
from rules.book import Form
from rules.homes import Home
from rules.language.texts import Sentence
from rules.language.types import Setting
from rules.local_time import say_time
from rules.spans import Language, say_clock, say_span

if TYPE_CHECKING:
    from rules.machines.base import Machine
    from rules.machines.slot import Slot

_LARGEST = 1e15
"""A number beyond it means nothing to people, and may be too long to write."""

_LONGEST = 200
"""Characters of a device's own text in a sentence."""

LANGUAGES: tuple[Language, Language] = ("nb", "en")

Word: TypeAlias = "Callable[[Home, Slot, Millis, object], str]"
"""What stands in one pair of braces, for a home, a slot, an instant and the state's value."""


class Speaker:
    """Says one sentence of one rule in both languages."""

    def __init__(self, machine: Machine[Any], sentence: Sentence) -> None:
        self.nb = _compile(machine, sentence.nb, "nb")
        self.en = _compile(machine, sentence.en, "en")
        fixed = not (self.nb[1::2] or self.en[1::2])
        self.always = {"nb": self.nb[0], "en": self.en[0]} if fixed else None

    def say(self, home: Home, slot: Slot, at: Millis, value: object) -> Mapping[str, str]:
        """The sentence as it is here and now."""
        if self.always is not None:
            return self.always
        return {"nb": _join(self.nb, home, slot, at, value), "en": _join(self.en, home, slot, at, value)}


def _compile(machine: Machine[Any], parts: tuple[str, ...], language: Language) -> tuple[Any, ...]:
    """Texts and words in turn, beginning and ending with a text; words that never change become text."""
    made: list[Any] = [parts[0]]
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        word = _word(machine, name, language)
        if isinstance(word, str):
            made[-1] += word + text
        else:
            made += (word, text)
    return tuple(made)


def _join(parts: tuple[Any, ...], home: Home, slot: Slot, at: Millis, value: object) -> str:
    """Unknown words are question marks; what an event left out leaves no gap."""
    text: str = parts[0]
    gap = False
    for word, following in zip(parts[1::2], parts[2::2], strict=True):
        said = word(home, slot, at, value)
        gap = gap or not said
        text += said + following
    return " ".join(text.split()).rstrip(":, ") if gap else text


def _word(machine: Machine[Any], name: str, language: Language) -> Word | str:
    rule = machine.rule
    match name:
        case "for" | "within":
            return _setting_word(machine, rule.wait, language)
        case "times":
            return _setting_word(machine, rule.count, language)
        case "between.from" | "between.to" if rule.window:
            return _setting_word(machine, rule.window[name == "between.to"], language)
        case "value":
            return lambda _home, _slot, _at, value: state_text(machine, value, language)
    if name.startswith("resident."):
        parameter = name.removeprefix("resident.")
        return lambda home, _slot, _at, _value: parameter_text(home, parameter, language)
    return _PLAIN.get(name) or (
        lambda _home, slot, _at, _value: plain((slot.words or {}).get(name), language)
    )


_PLAIN: Mapping[str, Word] = {
    "resident": lambda home, _slot, _at, _value: home.name,
    "device": lambda home, slot, _at, _value: home.device_name(slot.device),
    "home": lambda home, _slot, _at, _value: home.id,
    "time": lambda home, _slot, at, _value: say_time(at, home.tz),
}


def _setting_word(machine: Machine[Any], setting: Setting | None, language: Language) -> Word | str:
    if setting is None or setting.fixed:
        return _setting_text(setting, setting.value if setting else None, language)
    return lambda home, slot, _at, _value: _setting_text(
        setting, machine.setting(home, slot, setting), language
    )


def _setting_text(setting: Setting | None, value: Any, language: Language) -> str:
    if setting is None or value is None:
        return "?"
    if setting.type == "duration":
        return say_span(int(value), language)
    return say_clock(int(value)) if setting.type == "clock" else plain(value, language)


def state_text(machine: Machine[Any], value: object, language: Language) -> str:
    """What a state is, as people read it."""
    condition = machine.rule.condition
    return plain(value, language) if condition is None else say_state(condition.states[0], value, language)


def say_state(name: str, value: object, language: Language) -> str:
    """The value of one state of the catalogue, as people read it."""
    words = CATALOGUE.states[name].value_words.get(value) if isinstance(value, str) else None
    return words[language] if words else plain(value, language)


def parameter_text(home: Home, name: str, language: Language) -> str:
    """A resident's parameter as people read it."""
    value = home.parameters.get(name, home.spec.resident.get(name))
    if isinstance(value, int) and not isinstance(value, bool):
        kind = home.parameter_types.get(name)
        if kind == "duration":
            return say_span(value, language)
        if kind == "clock":
            return say_clock(value)
    return plain(value, language)


def plain(value: object, language: Language) -> str:
    """A number, a flag or a text as people read it; unknown is a question mark."""
    if value is None:
        return "?"
    if isinstance(value, bool):
        return {"nb": "ja", "en": "yes"}[language] if value else {"nb": "nei", "en": "no"}[language]
    if isinstance(value, int | float):
        if not -_LARGEST < value < _LARGEST:
            return "?"
        text = f"{round(value, 1):.15g}"
        return text.replace(".", ",") if language == "nb" else text
    return str(value)[:_LONGEST]


def field_word(home: Home, event: Event, field: str) -> str | float:
    """What a sentence says of an event: its data field, or `time`: the planned time if it has one, else its own.

    Numbers and flags stay what they are until they are said in a language.
    """
    if field == "time":
        planned: Any = event.data.get("planned")
        return say_time(planned if _is_time(planned) else event.at, home.tz)
    value: Any = event.data.get(field)
    if field == "planned" and _is_time(value):
        return say_time(value, home.tz)
    if isinstance(value, bool | int | float):
        return value if -_LARGEST < value < _LARGEST else "?"
    return "" if value is None else str(value)[:_LONGEST]


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**14


class Numbers:
    """What a rule's decisions rest on, by its own words: {"for": "10 min", "resident.pulse_high": "120"}."""

    def __init__(self, machine: Machine[Any]) -> None:
        rule = machine.rule
        wait = "for" if rule.form in (Form.LASTING, Form.SILENCE) else "within"
        words = [(wait, rule.wait), ("times", rule.count), ("at most once per", rule.at_most)]
        if rule.window:
            words += [("from", rule.window[0]), ("to", rule.window[1])]
        made = [(word, _setting_word(machine, each, "en")) for word, each in words if each is not None]
        self.fixed = {word: text for word, text in made if isinstance(text, str)}
        self.asked = [(word, ask) for word, ask in made if not isinstance(ask, str)]
        self.parameters = sorted(rule.parameters)

    def here(self, home: Home, slot: Slot) -> Mapping[str, str]:
        """The numbers as they are in a home."""
        if not self.asked and not self.parameters:
            return self.fixed
        shown = dict(self.fixed)
        for word, ask in self.asked:
            shown[word] = ask(home, slot, 0, None)
        for name in self.parameters:
            shown[f"resident.{name}"] = parameter_text(home, name, "en")
        return shown
