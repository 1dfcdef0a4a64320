"""The reasons decisions carry, in the two languages people read. Decisions hold the English."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from drivers.events import Event
from rules.homes import Home
from rules.local_time import shown
from rules.problems import Wrong
from rules.spans import Language, parse_span, say_span

BY_NEW_RULE = "by new rule"
REMOVED = "the rule was removed"
CHANGED = "the rule was changed"
LATE = "came in late"

_SAID: Mapping[str, str] = {
    "no longer so": "ikke slik lenger",
    "it came after all": "det kom likevel",
    "a new round began": "en ny runde begynte",
    "heard again": "hørt igjen",
    LATE: "kom for sent inn",
    BY_NEW_RULE: "etter ny regel",
    REMOVED: "regelen ble fjernet",
    CHANGED: "regelen ble endret",
    "the device was taken away": "enheten ble tatt bort",
    "no rule answered it": "ingen regel svarte på det",
    "at the same instant": "i samme øyeblikk",
    "came in too late to be judged by the rules": "kom inn for sent til at reglene kunne vurdere det",
    "a call for help, and the rules broke on it": "et rop om hjelp som reglene feilet på",
    "it can be read": "den kan leses",
    "before opening": "før døren åpnes",
    "they are judged again": "de vurderes igjen",
    "the missing entries came": "det som manglet, kom",
    "it was sent": "det ble sendt",
    "the gateway is registered now": "hjemmesentralen er registrert nå",
    "the gateway says it is over": "hjemmesentralen melder at det er over",
}
_NEEDED: Mapping[str, str] = {
    "a number": "et tall",
    "a text": "en tekst",
    "yes or no": "ja eller nei",
    "a whole number": "et helt tall",
}
_EITHER: Mapping[str, str] = {"yes": "ja", "no": "nei"}
_WORDS: Mapping[str, str] = {
    "for": "i",
    "within": "innen",
    "times": "antall ganger",
    "at most once per": "høyst én gang per",
    "from": "fra",
    "to": "til",
}
"""A rule's words, as they stand in `Decision.params`."""


def say_reason(reason: str, language: Language) -> str:
    """A decision's reason in a language; one nobody translated stays as it is."""
    if language == "en" or not reason:
        return reason
    if reason in _SAID:
        return _SAID[reason]
    for pattern, norwegian in _PARTS:
        if found := pattern.fullmatch(reason):
            return norwegian(*found.groups())
    return reason


def say_late(home: Home, event: Event) -> str:
    """`came in late: 08:05, heard 11:40`, on the resident's clock, with the day where they are not on one."""
    happened, heard = shown(event.at, home.tz), shown(event.heard, home.tz)
    form = "%H:%M" if happened.date() == heard.date() else "%Y-%m-%d %H:%M"
    return f"{LATE}: {happened:{form}}, heard {heard:{form}}"


def say_value(value: object, language: Language) -> str:
    """A number a rule rested on: English in a decision, `1 h 30 min` and `38.5` become `1 t 30 min` and `38,5`."""
    text = str(value)
    if language == "en":
        return text
    try:
        return say_span(parse_span(text), language)
    except Wrong:
        number = re.fullmatch(r"-?[0-9]+\.[0-9]+", text)
        return text.replace(".", ",") if number else _EITHER.get(text, text)


def say_params(params: Mapping[str, object], language: Language) -> str:
    """`within 10 min, resident.pulse_high 120`: what a decision rested on, in one line."""
    nb = language == "nb"
    return ", ".join(
        f"{_WORDS.get(name, name) if nb else name} {say_value(value, language)}"
        for name, value in params.items()
    )


def _late(happened: str, heard: str) -> str:
    return f"{_SAID[LATE]}: {_moment(happened)}, hørt {_moment(heard)}"


def _moment(text: str) -> str:
    day, _, clock = text.rpartition(" ")
    clock = f"kl. {clock.replace(':', '.')}"
    return f"{day[8:]}.{day[5:7]}. {clock}" if day else clock


def _needed(name: str, what: str, value: str) -> str:
    return f"{name}: her må det stå {_NEEDED.get(what, what)}, ikke {value}"


_PARTS: tuple[tuple[re.Pattern[str], Callable[..., str]], ...] = (
    (re.compile(r"held back by (.+)"), lambda rule: f"holdt tilbake av {rule}"),
    (re.compile(r"at most once per (.+)"), lambda span: f"høyst én gang per {say_value(span, 'nb')}"),
    (re.compile(r"came in late: ([-0-9: ]{5,16}), heard ([-0-9: ]{5,16})"), _late),
    (re.compile(r"came in (.+) late"), lambda span: f"kom inn {say_value(span, 'nb')} for sent"),
    (re.compile(r"the resident has no parameter '(.+)'"), lambda name: f"beboeren mangler verdien '{name}'"),
    (re.compile(r"(resident\.\w+): (.+) is needed here, not (.+)"), _needed),
    (
        re.compile(r"(resident\.\w+): (.+) is not a time span; write it like .+"),
        lambda name, value: (
            f"{name}: {value} er ikke en varighet; skriv den som '10 min', '90 s' eller '1 h 30 min'"
        ),
    ),
    (
        re.compile(r"(resident\.\w+): (.+) is not a clock time; write it like .+"),
        lambda name, value: f"{name}: {value} er ikke et klokkeslett; skriv det som '22:00'",
    ),
)
