"""Smoke, heat, gas, carbon monoxide and water: a detector calls for help on the resident's behalf."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.catalogue.spec import FactSpec, StateSpec
from drivers.catalogue.writing import fact, state


@dataclass(frozen=True, slots=True)
class _Hazard:
    name: str
    nb: str
    en: str
    vkp: str
    scaip: str
    mdc: str


_HAZARDS = (
    _Hazard("smoke", "Røyk", "Smoke", "alert-code#4.11", "0023", "10471:3.0"),
    _Hazard("heat", "Farlig varme", "Dangerous heat", "alert-code#4.11", "0025", "10471:14.0"),
    _Hazard("gas", "Gass", "Gas", "", "0021", "10471:6.0"),
    _Hazard("co", "Karbonmonoksid", "Carbon monoxide", "", "0026", "10471:4.0"),
    _Hazard("water", "Vannlekkasje", "Water leak", "alert-code#4.17", "0033", "10471:5.0"),
)


def _facts(hazard: _Hazard) -> Iterator[FactSpec]:
    yield fact(
        f"{hazard.name}.detected",
        f"{hazard.nb} oppdaget",
        f"{hazard.en} detected",
        f"The {hazard.name} detector sounds its alarm.",
        lane="alarm",
        sets={f"{hazard.name}.alarm": "on"},
        call_for_help=True,
        vkp=hazard.vkp,
        scaip=f"{hazard.scaip}/0009",
        mdc=hazard.mdc,
    )
    yield fact(
        f"{hazard.name}.cleared",
        f"{hazard.nb} ikke lenger oppdaget",
        f"{hazard.en} no longer detected",
        f"The {hazard.name} detector is quiet again; somebody still has to look.",
        lane="alarm",
        sets={f"{hazard.name}.alarm": "off"},
        scaip=f"{hazard.scaip}/0070",
    )


def _state(hazard: _Hazard) -> StateSpec:
    return state(
        f"{hazard.name}.alarm",
        f"{hazard.nb}: varsler",
        f"{hazard.en} detector",
        on=("alarm", "alarm"),
        off=("stille", "quiet"),
    )


FACTS = tuple(each for hazard in _HAZARDS for each in _facts(hazard))
STATES = tuple(map(_state, _HAZARDS))
