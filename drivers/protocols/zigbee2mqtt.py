"""What Zigbee2MQTT publishes about a device: properties, each of which says one thing about the home.

Source: Zigbee2MQTT documentation, "MQTT Topics and Messages" and "Exposes"; the properties are those that the
exposes of care-relevant devices name. The bridge publishes a device's whole state whenever one property of it
changes, so that a property that is as it was is no news. Two are exceptions: `action` is there only when
something was done, and `sos` often stays true for ever after the first press.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from drivers.catalogue import GENERIC

CLASS_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lock_state": "lock",
        "smoke": "smoke",
        "carbon_monoxide": "co",
        "gas": "gas",
        "water_leak": "water",
        "sos": "pendant",
        "contact": "door",
        "vibration": "room",
        "action": "pendant",
        "presence": "room",
        "occupancy": "room",
        "temperature": "room",
        "humidity": "room",
    }
)
"""Property → the class of a device that has it; what stands higher decides: a smoke detector measures heat too,
and the `action` of a vibration sensor is nobody's press."""

CLASSES: Final = tuple(dict.fromkeys(CLASS_OF.values()))

BECAME: Final[Mapping[str, Mapping[bool, str]]] = MappingProxyType(
    {
        "contact": {True: "door.closed", False: "door.opened"},
        "occupancy": {True: "room.motion"},
        "vibration": {True: "room.vibration"},
        "water_leak": {True: "water.detected", False: "water.cleared"},
        "smoke": {True: "smoke.detected", False: "smoke.cleared"},
        "carbon_monoxide": {True: "co.detected", False: "co.cleared"},
        "gas": {True: "gas.detected", False: "gas.cleared"},
    }
)
"""Property → what it means that it has become so."""

OWN: Final[Mapping[str, str]] = MappingProxyType({"tamper": "tamper", "battery_low": "battery_low"})
"""Property → the fact of the device's own class that its becoming true means."""

MEASURED: Final[Mapping[str, tuple[str, float, float]]] = MappingProxyType(
    {"temperature": ("room.temperature", -60, 150), "humidity": ("room.humidity", 0, 100)}
)
"""Property → kind and bounds of what was measured; a value outside them is a broken sensor and no news."""

BOLT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "locked": "lock.locked",
        "unlocked": "lock.unlocked",
        "not_fully_locked": "lock.jammed",
        "LOCK": "lock.locked",
        "UNLOCK": "lock.unlocked",
    }
)
"""`lock_state`, or `state` of a lock that has no `lock_state` → what the bolt did; anything else is unknown."""

EMERGENCY: Final = frozenset({"emergency", "panic", "sos", "alarm"})

PRESS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "single": "short",
        "short": "short",
        "double": "double",
        "triple": "triple",
        "long": "long",
        "hold": "long",
    }
)

NO_PRESS: Final = re.compile(
    r"(.*_)?(release|released|stop|arm_.*|disarm|exit_delay|rotate_.*|vibration|tilt|drop)"
)
"""Actions that are not somebody pressing: the end of a press, the turning of an alarm panel, a thing that was moved."""

EMITS: Final = frozenset(
    {kind for became in BECAME.values() for kind in became.values()}
    | set(BOLT.values())
    | {kind for kind, _, _ in MEASURED.values()}
    | {"room.presence", "lock.unknown", "pendant.pressed"}
    | {f"{name}.{fact}" for name in CLASSES for fact in GENERIC}
)


def class_of(properties: Mapping[str, Any]) -> str | None:
    """The class of a device that has these properties; None if nothing of them says so."""
    if "lock_state" in properties or properties.get("state") in ("LOCK", "UNLOCK"):
        return "lock"
    return next((name for each, name in CLASS_OF.items() if each in properties), None)


def class_of_exposes(definition: Mapping[str, Any]) -> str | None:
    """The class of a device as the bridge describes it (`definition` of an entry of `bridge/devices`).

    Chosen from what the device exposes and never from its model, so that tomorrow's products are known today.
    """
    properties: dict[str, Any] = {}
    exposes = definition.get("exposes", [])
    for each in exposes if isinstance(exposes, list) else []:
        if not isinstance(each, Mapping):
            continue
        if each.get("type") == "lock":
            return "lock"
        if isinstance(name := each.get("property"), str):
            properties[name] = None
    return class_of(properties)


def press_of(action: str) -> str | None:
    """How a button was pressed: `emergency`, one of short, double, triple, long, or `` where it does not say.

    None for actions that are no press. Buttons of a remote are numbered or named before or behind an underscore.
    """
    if action in EMERGENCY:
        return "emergency"
    if NO_PRESS.fullmatch(action):
        return None
    return next((PRESS[part] for part in re.split(r"[_ ]", action) if part in PRESS), "")
