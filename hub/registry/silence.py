"""How long an installed device may be quiet: its own setting `silent_after`, else what its type says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drivers.device_type import DeviceType

SHORTEST: Final = 60
LONGEST: Final = 30 * 86_400


def problem(type_: DeviceType, settings: Mapping[str, Any]) -> str:
    """What is wrong with the setting, in a sentence; empty for nothing. On serial lines it is the line's own."""
    own = settings.get("silent_after")
    if own is None or type_.link == "serial" or _is_span(own):
        return ""
    return f"silent_after is a whole number of seconds from {SHORTEST} to {LONGEST}, not {own!r:.40}"


def silent_after(type_: DeviceType, settings: Mapping[str, Any]) -> int | None:
    """Seconds without a sign of life after which rules may call it silent; None where it only ever calls."""
    own = settings.get("silent_after")
    return own if type_.link != "serial" and _is_span(own) else type_.silent_after


def _is_span(own: object) -> bool:
    return isinstance(own, int) and not isinstance(own, bool) and SHORTEST <= own <= LONGEST
