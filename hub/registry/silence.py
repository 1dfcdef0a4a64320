"""How long an installed device may be quiet: its own setting `silent_after`, else what its type says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.device_settings import SILENT_AFTER
from drivers.device_type import DeviceType

NOT_WATCHED = (
    "a {type} sends nothing unless it is used, so nobody can tell that it is silent from that it is not used:"
    " silent_after cannot hold for it; try it out now and then instead"
)


def problem(type_: DeviceType, settings: Mapping[str, Any]) -> str:
    """Why a device cannot be watched as its settings ask, in a sentence; empty where it can or nothing is asked."""
    asked = settings.get("silent_after") is not None
    return NOT_WATCHED.format(type=type_.id) if asked and type_.only_when_used else ""


def silent_after(type_: DeviceType, settings: Mapping[str, Any]) -> int | None:
    """Seconds without a sign of life after which rules may call it silent; None where it only ever calls."""
    own = settings.get("silent_after")
    if type_.only_when_used or not isinstance(own, int) or not SILENT_AFTER.fits(own):
        return type_.silent_after
    return own
