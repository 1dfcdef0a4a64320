"""From a rule's sentence and a home's facts to words people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis
from rules.homes import Home
from rules.language.texts import Sentence
from rules.language.types import Setting
from rules.local_time import say_time
from rules.spans import Language, say_clock, say_span

if TYPE_CHECKING:
    from rules.machines.base import Machine, Slot

LANGUAGES: tuple[Language, Language] = ("nb", "en")


def spoken(
    machine: Machine[Any], sentence: Sentence, home: Home, slot: Slot, at: Millis, value: object
) -> Mapping[str, str]:
    """A sentence in both languages."""
    texts: dict[str, str] = {}
    for language in LANGUAGES:
        values = {name: _value(machine, name, home, slot, at, value, language) for name in sentence.names}
        texts[language] = sentence.say(language, values)
    return texts


def _value(
    machine: Machine[Any], name: str, home: Home, slot: Slot, at: Millis, value: object, language: Language
) -> str:
    rule = machine.rule
    match name:
        case "resident":
            return home.name
        case "device":
            return home.device_name(slot.device)
        case "home":
            return home.id
        case "time":
            return say_time(at, home.tz)
        case "value":
            return _state_text(machine, value, language)
        case "for" | "within":
            return _setting_text(machine, home, slot, rule.wait, language)
        case "times":
            return _setting_text(machine, home, slot, rule.count, language)
        case "between.from" | "between.to" if rule.window:
            return _setting_text(machine, home, slot, rule.window[name == "between.to"], language)
    if name.startswith("resident."):
        return _parameter_text(home, name.removeprefix("resident."), language)
    return (slot.words or {}).get(name, "?")


def _state_text(machine: Machine[Any], value: object, language: Language) -> str:
    condition = machine.rule.condition
    if isinstance(value, str) and condition is not None:
        words = CATALOGUE.states[condition.states[0]].value_words.get(value)
        return words[language] if words else value
    return _plain(value, language)


def _setting_text(
    machine: Machine[Any], home: Home, slot: Slot, setting: Setting | None, language: Language
) -> str:
    value = machine.setting(home, slot, setting)
    if setting is None or value is None:
        return "?"
    if setting.type == "duration":
        return say_span(int(value), language)
    return say_clock(int(value)) if setting.type == "clock" else _plain(value, language)


def _parameter_text(home: Home, name: str, language: Language) -> str:
    value = home.parameters.get(name, home.spec.resident.get(name))
    if isinstance(value, int) and not isinstance(value, bool):
        kind = home.parameter_types.get(name)
        if kind == "duration":
            return say_span(value, language)
        if kind == "clock":
            return say_clock(value)
    return _plain(value, language)


def _plain(value: object, language: Language) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return {"nb": "ja", "en": "yes"}[language] if value else {"nb": "nei", "en": "no"}[language]
    if isinstance(value, int | float):
        text = f"{round(value, 1):.15g}"
        return text.replace(".", ",") if language == "nb" else text
    return str(value)[:200]


def field_text(home: Home, event: Event, field: str) -> str:
    """What a sentence says of an event: its data field, or `time`: the planned time if it has one, else its own."""
    if field == "time":
        planned: Any = event.data.get("planned")
        return say_time(planned if _is_time(planned) else event.at, home.tz)
    value: Any = event.data.get(field)
    if field == "planned" and _is_time(value):
        return say_time(value, home.tz)
    return "" if value is None else _plain(value, "en")


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**14


def parameters_shown(machine: Machine[Any], home: Home, slot: Slot) -> dict[str, Any]:
    """The numbers a decision rests on, by the rule's own words: {"for": "10 min", "resident.pulse_high": 120}."""
    rule = machine.rule
    shown: dict[str, Any] = {}
    wait = "for" if rule.form.value in ("while", "missing … for") else "within"
    for word, setting in ((wait, rule.wait), ("times", rule.count), ("at most once per", rule.at_most)):
        if setting is not None:
            shown[word] = _setting_text(machine, home, slot, setting, "en")
    if rule.window:
        shown["between"] = [_setting_text(machine, home, slot, each, "en") for each in rule.window]
    for name in sorted(rule.parameters):
        shown[f"resident.{name}"] = _parameter_text(home, name, "en")
    return shown
