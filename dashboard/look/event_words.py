"""An event of the journal in words: the catalogue's phrase and the few values a nurse would ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.look.words import Language, pick
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


def values(kind: str, data: Mapping[str, Any], language: Language) -> str:
    """The numbers and free texts of an event: `72 /min`. Times, code words and unknown fields are left out."""
    spec = CATALOGUE.facts.get(kind)
    fields = [field for field in spec.fields if field.name in data] if spec else []
    shown = [_value(field, data[field.name], language) for field in fields]
    return ", ".join(text for text in shown if text)


def icon_of(kind: str) -> str:
    """The drawing that goes with a kind."""
    device_class, _, fact = kind.partition(".")
    return FACT_ICONS.get(fact) or ICONS.get(device_class, "cpu")


def _value(field: DataField, value: Any, language: Language) -> str:
    if field.type == "number" and isinstance(value, int | float):
        number = f"{value:g}".replace(".", "," if language == "nb" else ".")
        return f"{number} {field.unit}".strip()
    return str(value) if field.type == "text" and not field.values else ""
