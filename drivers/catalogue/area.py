"""Areas: what the centre counts over the alerts of many gateways. No device sends this; hub.centre.areas does.

An area is a zone of the registry. A gateway counts as out while an alert stands that it is silent or without mains.
"""

from __future__ import annotations

from drivers.catalogue.spec import DataField
from drivers.catalogue.writing import fact, measured, number, text

MOST = 1_000_000


def _count(name: str, meaning: str) -> DataField:
    return number(name, meaning, low=0, high=MOST, required=True)


FACTS = (
    fact("area.counted", "Hjemmesentraler i området falt ut eller kom tilbake",
         "Gateways of the area went out or came back",
         "The centre counted anew which gateways of an area are silent or without mains power.",
         _count("out", "gateways that are silent or without mains"),
         _count("together", "of those, the most that went out within 15 min of each other (timer `area`)"),
         _count("silent", "gateways that are silent"),
         _count("off_mains", "gateways without mains power"),
         _count("gateways", "all gateways of the area"),
         text("gateway", "the one whose change was the reason to count"),
         lane="technical",
         sets={"area.out": "=out", "area.together": "=together", "area.silent": "=silent",
               "area.off_mains": "=off_mains", "area.gateways": "=gateways"}),
)  # fmt: skip

STATES = (
    measured("area.out", "Hjemmesentraler ute", "Gateways out", ""),
    measured("area.together", "Hjemmesentraler som falt ut sammen", "Gateways that went out together", ""),
    measured("area.silent", "Tause hjemmesentraler", "Silent gateways", ""),
    measured("area.off_mains", "Hjemmesentraler uten strøm", "Gateways without mains power", ""),
    measured("area.gateways", "Hjemmesentraler i området", "Gateways in the area", ""),
)  # fmt: skip
