"""How a municipality answers SCAIP units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.protocols.sip_digest import HASHES


@dataclass(frozen=True, slots=True)
class SipSettings:
    """How alarms are answered. tnu: whom the unit calls for speech, empty for no voice. hbi: heartbeat code.

    wrapped: accept requests inside a root `scaip` (some units). mrs_in_answer: accept an `mrs` in the body of a
    200 (some receivers). user: our own name towards units. own_password: where a receiver asks us for one.
    digest: the algorithm by which units with a password prove it.
    """

    tnu: str = ""
    hbi: int | None = None
    wrapped: bool = False
    mrs_in_answer: bool = False
    user: str = "trygghub"
    own_password: str = field(default="", repr=False)
    digest: str = "MD5"

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> SipSettings:
        """Read settings. Raises ValueError with a sentence."""
        hbi = settings.get("hbi")
        if hbi is not None and (isinstance(hbi, bool) or not isinstance(hbi, int) or not 0 <= hbi <= 4):
            raise ValueError(f"the heartbeat code hbi is 0 to 4, not {hbi!r:.40}")
        tnu = str(settings.get("tnu", ""))
        if len(tnu) > 256:
            raise ValueError("tnu has at most 256 characters")
        digest = settings.get("digest", "MD5")
        if digest not in HASHES:
            raise ValueError(f"the setting digest is one of {', '.join(HASHES)}, not {digest!r:.40}")
        return cls(
            tnu=tnu,
            hbi=hbi,
            wrapped=bool(settings.get("wrapped", False)),
            mrs_in_answer=bool(settings.get("mrs_in_answer", False)),
            user=str(settings.get("user", "trygghub")),
            digest=digest,
        )
