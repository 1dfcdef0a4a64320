"""How a municipality answers SCAIP units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SipSettings:
    """How alarms are answered. tnu: whom the unit calls for speech, empty for no voice. hbi: heartbeat code.

    wrapped: accept requests inside a root `scaip` (some units). mrs_in_answer: accept an `mrs` in the body of a
    200 (some receivers). user: our own name towards units.
    """

    tnu: str = ""
    hbi: int | None = None
    wrapped: bool = False
    mrs_in_answer: bool = False
    user: str = "trygghub"

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> SipSettings:
        """Read settings. Raises ValueError with a sentence."""
        hbi = settings.get("hbi")
        if hbi is not None and (isinstance(hbi, bool) or not isinstance(hbi, int) or not 0 <= hbi <= 4):
            raise ValueError(f"the heartbeat code hbi is 0 to 4, not {hbi!r:.40}")
        tnu = str(settings.get("tnu", ""))
        if len(tnu) > 256:
            raise ValueError("tnu has at most 256 characters")
        return cls(
            tnu=tnu,
            hbi=hbi,
            wrapped=bool(settings.get("wrapped", False)),
            mrs_in_answer=bool(settings.get("mrs_in_answer", False)),
            user=str(settings.get("user", "trygghub")),
        )
