"""How a municipality answers SCAIP units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from drivers.protocols.sip_digest import HASHES
from drivers.settings import Settings, file_of_secret, flag, one_of, taken, text, whole

SETTINGS: Final[Settings] = {
    "tnu": text(256, usual=""),
    "hbi": whole(0, 4),
    "wrapped": flag(),
    "mrs_in_answer": flag(),
    "user": text(64, usual="trygghub"),
    "digest": one_of(*HASHES, usual="MD5"),
    "password_secret": file_of_secret(),
}


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
        said = {name: taken(SETTINGS, settings, name) for name in SETTINGS if name != "password_secret"}
        return cls(**said)
