"""Zigbee2MQTT's list of its devices (`bridge/devices`, kept by the broker): what each exposes, and so what it is.

Source: Zigbee2MQTT documentation, "MQTT Topics and Messages" (zigbee2mqtt/bridge/devices) and "Exposes".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from drivers.events import DecodeError
from drivers.protocols.zigbee2mqtt import class_of_exposes

TOPIC: Final = "zigbee2mqtt/bridge/devices"
MAX_LIST: Final = 8_388_608
"""Bytes of the list; two hundred devices with all that they expose are about two million."""

MAX_NAME: Final = 150


@dataclass(frozen=True, slots=True)
class Described:
    """A device on the bridge. device_class: None where nothing that it exposes is of care, or nobody knows it."""

    name: str
    about: str
    device_class: str | None


def described(payload: bytes) -> tuple[Described, ...]:
    """Read the list. The stick itself and devices without a usable name are left out. Raises DecodeError."""
    if len(payload) > MAX_LIST:
        raise DecodeError(f"a bridge's list has at most {MAX_LIST} bytes, this one {len(payload)}")
    try:
        listed = json.loads(payload)
    except (ValueError, RecursionError):
        raise DecodeError("a bridge's list of devices is JSON, and this is not") from None
    if not isinstance(listed, list):
        raise DecodeError(f"a bridge's list of devices is a list, not {listed!r:.60}")
    return tuple(_read(listed))


def _read(listed: list[Any]) -> Iterator[Described]:
    for one in listed:
        name = one.get("friendly_name") if isinstance(one, dict) else None
        if not isinstance(name, str) or not _is_usable(name) or one.get("type") == "Coordinator":
            continue
        definition = one.get("definition")
        known: dict[str, Any] = definition if isinstance(definition, dict) else {}
        words = (known.get("vendor"), known.get("model"))
        about = " ".join(word[:60] for word in words if isinstance(word, str) and word.isprintable())
        yield Described(name, about, class_of_exposes(known))


def _is_usable(name: str) -> bool:
    """Whether it can stand in a topic; the bridge allows slashes."""
    return 0 < len(name) <= MAX_NAME and name.isprintable() and not set(name) & set("+#")
