"""Causes and measures with which an alert is resolved (start list; a municipality's own statistics need codes).

VKP composition events 6 (cause) and 7 (measure) carry them to the care journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

Words: TypeAlias = Mapping[str, str]
"""One text in `nb` and `en`."""


def words(nb: str, en: str) -> Words:
    """One text in both languages."""
    return MappingProxyType({"nb": nb, "en": en})


@dataclass(frozen=True, slots=True)
class Code:
    """One choice on the resolve form. group: person, home or system for a cause, empty for a measure."""

    says: Words
    group: str = ""


CAUSES: Mapping[str, Code] = MappingProxyType(
    {
        "fall_injured": Code(words("Fall med skade", "Fall with injury"), "person"),
        "fall_unhurt": Code(words("Fall uten skade", "Fall without injury"), "person"),
        "acute_illness": Code(words("Akutt sykdom", "Acute illness"), "person"),
        "pain": Code(words("Smerter", "Pain"), "person"),
        "toilet": Code(words("Toalett / hygiene", "Toilet / hygiene"), "person"),
        "medication": Code(words("Medisiner", "Medication"), "person"),
        "anxiety": Code(words("Uro / ensomhet", "Anxiety / loneliness"), "person"),
        "asks_for_visit": Code(words("Spør etter avtalt besøk", "Asks for an expected visit"), "person"),
        "practical_help": Code(words("Praktisk hjelp", "Practical help"), "person"),
        "wandering": Code(words("Vandring", "Wandering"), "person"),
        "wrong_person": Code(words("Feil person (delt enhet)", "Wrong person (shared unit)"), "person"),
        "smoke_cooking": Code(words("Røyk (matlaging)", "Smoke (cooking)"), "home"),
        "smoke_real": Code(words("Røyk (brann)", "Smoke (fire)"), "home"),
        "door_left_open": Code(words("Dør sto åpen", "Door left open"), "home"),
        "lock_problem": Code(words("Låsproblem", "Lock problem"), "home"),
        "accidental": Code(words("Utløst ved uhell", "Accidental press"), "system"),
        "equipment_test": Code(words("Test av utstyr", "Equipment test"), "system"),
        "technical_fault": Code(words("Teknisk feil", "Technical fault"), "system"),
        "battery": Code(words("Batteri", "Battery"), "system"),
        "no_contact": Code(words("Ingen kontakt", "No contact"), "system"),
        "other": Code(words("Annet", "Other"), "system"),
    }
)

MEASURES: Mapping[str, Code] = MappingProxyType(
    {
        "talked": Code(words("Samtale", "Talked")),
        "visit": Code(words("Besøk", "Visit")),
        "emergency_services": Code(words("Nødetat (113 / 110)", "Emergency services (113 / 110)")),
        "next_of_kin": Code(words("Pårørende", "Next of kin")),
        "technician": Code(words("Tekniker", "Technician")),
        "device_adjusted": Code(words("Utstyr justert", "Device adjusted")),
        "no_action": Code(words("Ingen tiltak", "No action")),
    }
)

CLEARED = "cleared"
"""The cause of an alert that the hub closed because its condition was over; no person may choose it."""
