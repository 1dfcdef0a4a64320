"""An event of the journal in words: the catalogue's phrase and the few values a nurse would ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dashboard.look.moments import local
from dashboard.look.words import Language, mark, pick, say
from drivers.catalogue import CATALOGUE, DataField

ICONS: Mapping[str, str] = {
    "dispenser": "pill",
    "lock": "lock",
    "door": "door-open",
    "pendant": "siren",
    "call": "bell-ring",
    "smoke": "siren",
    "heat": "siren",
    "gas": "siren",
    "co": "siren",
    "water": "droplets",
    "room": "house",
    "bed": "bed",
    "chair": "bed",
    "vitals": "heart-pulse",
    "gateway": "router",
}
FACT_ICONS: Mapping[str, str] = {
    "battery": "battery-low",
    "battery_low": "battery-low",
    "heartbeat": "radio",
    "closed": "door-closed",
    "unlocked": "lock-open",
    "mains_lost": "plug",
    "mains_back": "plug",
    "fault": "wrench",
    "tamper": "wrench",
}


def phrase(kind: str, language: Language) -> str:
    """The catalogue's words for a kind; a kind nobody knows is shown as it is."""
    spec = CATALOGUE.facts.get(kind)
    return pick(spec.words, language, kind) if spec else kind


def values(kind: str, data: Mapping[str, Any], tz: str, language: Language) -> str:
    """What of an event's data is for people: `72 /min`, `08:00`, `nøkkel`, in the device's own words where free.

    The rest (ids, code words, qualities) stands in the details of the line.
    """
    spec = CATALOGUE.facts.get(kind)
    without = {"dose"} if "planned" in data else set()
    fields = [field for field in spec.fields if field.name in data.keys() - without] if spec else []
    shown = [_value(field, data[field.name], tz, language) for field in fields]
    return ", ".join(text for text in shown if text)


FREE = frozenset({"by", "place", "text", "reason", "message", "code", "name"})
"""Text fields that hold words for people, in whatever language the device speaks."""

HOW: Mapping[str, str] = {
    "key": mark("key"),
    "code": mark("code"),
    "tag": mark("tag"),
    "app": mark("app"),
    "command": mark("from here"),
    "button": mark("button"),
    "automatic": mark("by itself"),
    "manual": mark("by hand"),
    "short": mark("short press"),
    "long": mark("long press"),
    "double": mark("double press"),
    "triple": mark("triple press"),
}
"""Code words of `how` and `press`; a word that is not here is shown as it came."""

CHOICES: Mapping[str, str] = {
    "alarm": mark("emergency"),
    "high": mark("urgent"),
    "normal": mark("ordinary"),
    "good": mark("synchronised"),
    "drifting": mark("drifting"),
    "unset": mark("not set"),
    "fixed": mark("fixed line"),
    "mobile": mark("mobile network"),
    "none": mark("no way out"),
    "up": mark("up"),
    "degraded": mark("degraded"),
    "down": mark("down"),
}
"""Values of fields for which the catalogue names the choices."""

DOSE = re.compile(r"([01]\d|2[0-3]):[0-5]\d(?=-\d+$|$)")
"""A dose whose name begins with its planned time on the home's clock, as `08:00-1795330800000`."""


def icon_of(kind: str) -> str:
    """The drawing that goes with a kind."""
    device_class, _, fact = kind.partition(".")
    return FACT_ICONS.get(fact) or ICONS.get(device_class, "cpu")


def _value(field: DataField, value: Any, tz: str, language: Language) -> str:
    if field.type == "number" and isinstance(value, int | float):
        number = f"{value:g}".replace(".", "," if language == "nb" else ".")
        return f"{number} {field.unit}".strip()
    if field.name == "planned" and isinstance(value, int):
        return f"{local(value, tz):%H:%M}"
    if field.name == "dose":
        return dose_time(str(value))
    return _word(field, str(value), language)


def dose_time(dose: str) -> str:
    """`08:00` of a dose named after its planned time; nothing of any other name, which is for the details."""
    found = DOSE.match(dose)
    return found[0] if found else ""


def _word(field: DataField, value: str, language: Language) -> str:
    if field.name in {"how", "press"}:
        return say(language, HOW[value]) if value in HOW else value
    if field.values:
        return say(language, CHOICES[value]) if value in CHOICES else value
    return value if field.name in FREE else ""
