"""SCAIP's code tables: which class a device type (`dty`) is, what a status code (`stc`) says, where (`lco`)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CLASSES: Final[Mapping[int, str]] = MappingProxyType(
    {
        3: "pendant", 5: "pendant", 6: "pendant", 7: "pendant", 30: "pendant",
        11: "dispenser",
        12: "bed", 16: "bed",
        10: "room", 18: "room", 20: "room", 13: "room",
        14: "door", 15: "door", 36: "door",
        21: "gas", 23: "smoke", 47: "smoke", 24: "heat", 25: "heat", 26: "co", 33: "water", 34: "water",
        35: "lock", 43: "lock",
        44: "chair",
    }
)  # fmt: skip
"""`dty` → class. Everything else (units, triggers, monitors, unknown types) is a call point."""

HELP: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pendant": "pendant.pressed", "call": "call.raised", "gas": "gas.detected", "smoke": "smoke.detected",
        "heat": "heat.detected", "co": "co.detected", "water": "water.detected",
    }
)  # fmt: skip
"""Class → what its alarm (`stc` 0009 or 0010) is."""

FALL: Final = 5
ENURESIS: Final = 16

FACTS: Final[Mapping[tuple[str, int], str]] = MappingProxyType(
    {
        ("dispenser", 81): "dispenser.missed", ("dispenser", 82): "dispenser.reminded",
        ("dispenser", 83): "dispenser.taken", ("dispenser", 52): "dispenser.jammed",
        ("dispenser", 76): "dispenser.opened", ("dispenser", 107): "dispenser.broken_into",
        ("dispenser", 85): "dispenser.mains_lost", ("dispenser", 86): "dispenser.mains_back",
        ("bed", 9): "bed.left", ("bed", 10): "bed.left", ("bed", 71): "bed.entered", ("bed", 117): "bed.entered",
        ("chair", 9): "chair.left", ("chair", 10): "chair.left", ("chair", 71): "chair.entered",
        ("door", 9): "door.opened", ("door", 10): "door.opened", ("door", 76): "door.opened",
        ("door", 77): "door.opened", ("door", 21): "door.closed", ("door", 22): "door.closed",
        ("room", 9): "room.motion", ("room", 10): "room.motion", ("room", 119): "room.motion",
        ("room", 120): "room.presence", ("room", 121): "room.presence", ("room", 70): "room.absence",
        ("lock", 118): "lock.locked", ("lock", 127): "lock.unlocked", ("lock", 52): "lock.jammed",
        ("lock", 107): "lock.refused",
        ("pendant", 63): "pendant.out_of_range", ("pendant", 19): "pendant.cancelled",
        ("pendant", 92): "pendant.cancelled", ("pendant", 93): "pendant.cancelled",
        ("call", 19): "call.cleared", ("call", 92): "call.cleared", ("call", 93): "call.cleared",
        ("call", 110): "call.cleared", ("call", 111): "call.cleared",
    }
)  # fmt: skip
"""(class, `stc`) → fact, where the class has one of its own for it."""

GENERIC: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        14: ("battery_low", "battery failure"), 16: ("battery_low", ""), 15: ("recovered", "battery"),
        23: ("fault", "IP connection failed"), 112: ("recovered", "IP connection failed"),
        24: ("fault", "mobile network failed"), 113: ("recovered", "mobile network failed"),
        25: ("fault", "telephone line failed"), 114: ("recovered", "telephone line failed"),
        26: ("fault", "primary link failed"), 115: ("recovered", "primary link failed"),
        27: ("fault", "redundant link failed"), 116: ("recovered", "redundant link failed"),
        42: ("fault", "failure"), 52: ("fault", "jammed"), 63: ("fault", "loss"),
        65: ("fault", "maintenance needed"), 66: ("fault", "maintenance urgent"), 67: ("fault", "malfunction"),
        73: ("fault", "offline"), 75: ("recovered", "offline"), 85: ("fault", "power failure"),
        86: ("recovered", "power failure"), 95: ("fault", "radio interference"),
        122: ("fault", "radio interference"), 123: ("fault", "radio test missing"),
        124: ("recovered", "radio test missing"), 102: ("heartbeat", ""), 103: ("heartbeat", ""),
        104: ("fault", "time-out"), 107: ("tamper", ""), 125: ("tamper", ""), 70: ("recovered", ""),
    }
)  # fmt: skip
"""`stc` → the second half of a kind that every class has, and its code."""

CLEARING: Final = frozenset({19, 92, 93, 110, 111})
"""Cancel, automatic and manual reset, assistance and intervention complete."""

PLACES: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        2: ("hjemme", "home"), 3: ("borte", "away"), 4: ("inne", "indoors"), 5: ("ute", "outdoors"),
        11: ("bad", "bathroom"), 12: ("soverom", "bedroom"), 13: ("spisestue", "dining room"),
        14: ("etasje", "floor"), 21: ("kjøkken", "kitchen"), 25: ("trapp", "stairs"), 33: ("på farten", "mobile"),
        34: ("posisjon vedlagt", "position attached"), 35: ("GPS-posisjon vedlagt", "GPS position attached"),
        38: ("dør", "door"), 39: ("ytterdør", "front door"), 40: ("bakdør", "back door"),
        42: ("gang", "hallway"), 43: ("stue", "living room"), 44: ("leilighet", "apartment"),
        49: ("rom", "room"), 51: ("avdeling", "ward"),
    }
)  # fmt: skip
"""`lco` → place, in Norwegian bokmål and English. Unknown and undefined (0, 1) are left out."""
