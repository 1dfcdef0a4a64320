"""Facts that every class has: signs of life, power and health. `any.` in a rule means all classes but the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from drivers.catalogue.spec import FactSpec, StateSpec, Words
from drivers.catalogue.writing import fact, measured, text, value, words

CLASSES: MappingProxyType[str, Words] = MappingProxyType(
    {
        "dispenser": words("Medisindispenser", "Medicine dispenser"),
        "lock": words("Dørlås", "Door lock"),
        "door": words("Dørsensor", "Door sensor"),
        "pendant": words("Alarmknapp", "Pendant"),
        "call": words("Anropsanlegg", "Call point"),
        "smoke": words("Røykvarsler", "Smoke detector"),
        "heat": words("Varmevarsler", "Heat detector"),
        "gas": words("Gassvarsler", "Gas detector"),
        "co": words("CO-varsler", "Carbon monoxide detector"),
        "water": words("Vannvarsler", "Water detector"),
        "room": words("Romsensor", "Room sensor"),
        "bed": words("Sengesensor", "Bed monitor"),
        "chair": words("Stolsensor", "Chair monitor"),
        "vitals": words("Måleapparat", "Vital signs monitor"),
        "gateway": words("Hjemmesentral", "Gateway"),
        "area": words("Område", "Area"),
    }
)
"""Every class and what it is called on screens."""

NO_DEVICE = frozenset({"gateway", "area"})
"""Classes that no device in a home has: the box itself, and what the centre counts over many of them."""

BOXES = tuple(name for name in CLASSES if name != "area")
"""Classes of things that can be touched: each has the generic facts."""

GENERIC = ("heartbeat", "battery", "battery_low", "tamper", "fault", "recovered")
"""The second halves of the kinds that every class has."""

_SCAIP_TYPE = {
    "dispenser": "0011", "lock": "0035", "door": "0014", "pendant": "0003", "call": "0004", "smoke": "0023",
    "heat": "0025", "gas": "0021", "co": "0026", "water": "0033", "room": "0018", "bed": "0012",
    "chair": "0044", "vitals": "0049", "gateway": "0002",
}  # fmt: skip

_SENSOR = {"pendant": 2, "smoke": 3, "co": 4, "water": 5, "gas": 6, "room": 7, "door": 10, "bed": 11,
           "chair": 11, "dispenser": 13, "heat": 14}  # fmt: skip
"""Sensor type codes of IEEE 11073-10471; health bits 16 presence, 18 low battery, 19 fault."""


def facts_of(name: str) -> Iterator[FactSpec]:
    """The generic facts of one class."""
    nb, en = CLASSES[name]["nb"], CLASSES[name]["en"]
    scaip, dispenser = _SCAIP_TYPE[name], name == "dispenser"
    yield fact(f"{name}.heartbeat", f"{nb}: livstegn", f"{en}: sign of life",
               "The device says that it is there.", lane="telemetry",
               scaip=f"{scaip}/0102", mdc=_bit(name, 16))  # fmt: skip
    yield fact(f"{name}.battery", f"{nb}: batterinivå", f"{en}: battery level",
               "How full the battery is.", value("battery level", "%", 0, 100), lane="telemetry",
               sets={f"{name}.battery": "=value"}, scaip=f"{scaip}/0015")  # fmt: skip
    yield fact(f"{name}.battery_low", f"{nb}: lavt batteri", f"{en}: battery low",
               "The device itself says that its battery must be changed or charged.", lane="technical",
               vkp="alert-code#1.17" if dispenser else "", scaip=f"{scaip}/0016",
               mdc=_bit(name, 18))  # fmt: skip
    yield fact(f"{name}.tamper", f"{nb}: tuklet med", f"{en}: tampered with",
               "The device's casing was opened or it was taken from its place.", lane="technical",
               scaip=f"{scaip}/0125", mdc="10471:7.2" if name == "room" else "")  # fmt: skip
    yield fact(f"{name}.fault", f"{nb}: feil", f"{en}: fault",
               "The device says that something in it is broken.",
               text("code", "the device's own code or words for it"), lane="technical",
               vkp="alert-code#1.5" if dispenser else "", scaip=f"{scaip}/0067",
               mdc=_bit(name, 19))  # fmt: skip
    yield fact(f"{name}.recovered", f"{nb}: feilen er borte", f"{en}: fault gone",
               "The device says that the fault is gone.",
               text("code", "the fault that is gone, where known"), lane="technical",
               scaip=f"{scaip}/0070")  # fmt: skip


def states_of(name: str) -> Iterator[StateSpec]:
    """The generic states of one class."""
    nb, en = CLASSES[name]["nb"], CLASSES[name]["en"]
    yield measured(f"{name}.battery", f"{nb}: batteri", f"{en}: battery", "%")


ANY_STATES = (measured("any.battery", "Batteri i en enhet", "Battery of a device", "%"),)
"""States that a rule may ask of any device but the gateway."""


def _bit(name: str, bit: int) -> str:
    return f"10471:{_SENSOR[name]}.{bit}" if name in _SENSOR else ""
