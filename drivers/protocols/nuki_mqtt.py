"""The Nuki MQTT API: one topic a property, each a bare number or word.

Source: Nuki MQTT API specification 1.4 (topics, lockActionEvent, commandResponse) and Nuki Bluetooth API (state,
trigger and error codes). State topics are retained and come again at every connect.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drivers.events import DecodeError

BOLT: Final[Mapping[int, str]] = MappingProxyType(
    {1: "lock.locked", 3: "lock.unlocked", 5: "lock.unlocked", 6: "lock.unlocked", 254: "lock.jammed"}
)
"""Lock state → what it is now: 3 unlocked, 5 unlatched, 6 unlocked (lock 'n' go), 254 motor blocked."""

BETWEEN: Final[Mapping[int, str]] = MappingProxyType(
    {0: "not calibrated", 2: "unlocking", 4: "locking", 7: "unlatching", 252: "calibrating", 253: "starting",
     255: "undefined"}
)  # fmt: skip
"""Lock states in which nobody knows where the bolt is."""

DOOR: Final[Mapping[int, str]] = MappingProxyType({2: "door.closed", 3: "door.opened", 240: "lock.tamper"})
"""Door sensor state → fact; 0 unavailable, 1 deactivated, 4 unknown and 5 calibrating say nothing."""

TRIGGER: Final[Mapping[int, str]] = MappingProxyType(
    {0: "app", 1: "manual", 2: "button", 3: "automatic", 6: "auto-lock", 171: "HomeKit", 172: "MQTT"}
)

ERROR: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x20: "not authorised", 0x21: "wrong PIN", 0x25: "access disabled", 0x26: "remote access not allowed",
        0x27: "not allowed at this time", 0x28: "too many PIN attempts", 0x41: "position unknown",
        0x42: "motor blocked", 0x43: "clutch failure", 0x44: "motor time-out", 0x45: "busy",
        0x47: "not calibrated", 0x49: "motor voltage low", 0x4C: "voltage too low", 0xFD: "bad CRC",
    }
)  # fmt: skip

LOCK_ACTION: Final[Mapping[str, int]] = MappingProxyType({"unlock": 1, "lock": 2})


def number(payload: bytes, name: str, highest: int = 255) -> int:
    """A whole number in decimal. Raises DecodeError."""
    text = payload[:20].decode("ascii", "replace").strip()
    if not text.isascii() or not text.isdecimal() or int(text) > highest:
        raise DecodeError(f"{name} is a number from 0 to {highest}, not {text!r}")
    return int(text)


def truth(payload: bytes, name: str) -> bool:
    """`true` or `false`. Raises DecodeError."""
    text = payload[:20].decode("ascii", "replace").strip().lower()
    if text not in ("true", "false"):
        raise DecodeError(f"{name} is true or false, not {text!r}")
    return text == "true"


def action_event(payload: bytes) -> tuple[int, int, int]:
    """Action, trigger and authorisation of `lockActionEvent`. Raises DecodeError."""
    parts = payload[:100].split(b",")
    if len(parts) < 3:
        raise DecodeError(f"lockActionEvent has 5 numbers, not {payload[:60]!r}")
    return (
        number(parts[0], "lock action"),
        number(parts[1], "trigger"),
        number(parts[2], "authorisation", 2**32 - 1),
    )
