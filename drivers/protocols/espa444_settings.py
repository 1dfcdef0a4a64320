"""How an ESPA 4.4.4 line is run: role, addresses, times and counts, as a device's settings name them.

All times are configurable; the values of the specification itself are unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from drivers.protocols.espa444 import CHARSETS


@dataclass(frozen=True, slots=True)
class EspaLine:
    """How one line is run. Times in seconds; texts name stations by their one-character address.

    role: what we are. polled: whether a control station polls us (else its silence means nothing).
    named: frames carry the station's address (`line#2`). repeats: how often a block without answer goes out again.
    refusals: how often one answered with "invalid message" does, since noise can look like that answer.
    resets: call types (record 4) that end a call. confirms: the other side reports what became of a page; where
    it has not within ask_after, it is asked (header 3), `asks` times at most.
    """

    role: Literal["control", "station"] = "control"
    own: str = "1"
    stations: tuple[str, ...] = ("2",)
    bits: int = 8
    charset: str = "latin-1"
    polled: bool = True
    named: bool = False
    repeats: int = 3
    refusals: int = 2
    resets: frozenset[str] = frozenset({"1"})
    confirms: bool = False
    asks: int = 3
    ask_after: float = 12.0
    poll_every: float = 0.15
    poll_wait: float = 0.5
    answer_wait: float = 2.5
    block_wait: float = 15.0
    regain_after: float = 10.0
    silent_after: float = 10.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> EspaLine:
        """Read a device's settings. Raises ValueError with a sentence for what cannot be meant."""
        role = settings.get("role", "control")
        if role not in ("control", "station"):
            raise ValueError(f"the ESPA role is control or station, not {role!r}")
        charset = settings.get("charset", "latin-1")
        if charset not in CHARSETS:
            raise ValueError(f"the ESPA charset is one of {', '.join(CHARSETS)}, not {charset!r}")
        bits = settings.get("bits", 8)
        if bits not in (7, 8):
            raise ValueError(f"an ESPA line has 7 or 8 data bits, not {bits!r}")
        own, stations = _addresses(role, settings)
        return cls(
            role=role,
            own=own,
            stations=stations,
            bits=bits,
            charset=charset,
            polled=bool(settings.get("polled", True)),
            named=len(stations) > 1 or bool(settings.get("unit")),
            resets=_resets(settings.get("call_types")),
            confirms=bool(settings.get("confirms")),
            **_numbers(settings),
        )


def _addresses(role: str, settings: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The recommended addresses: control station 1, paging system 2."""
    own = str(settings.get("own", "1" if role == "control" else "2"))
    others = settings.get("units", "2") if role == "control" else "1"
    given = settings.get("stations", others)
    stations = tuple(str(one) for one in (given if isinstance(given, list | tuple) else [given]))
    for one in (own, *stations):
        if len(one) != 1 or not " " < one < "\x7f":
            raise ValueError(f"an ESPA address is one character, not {one!r}")
    if not stations or own in stations:
        raise ValueError(f"an ESPA line needs stations other than its own address {own!r}")
    return own, stations


def _resets(call_types: object) -> frozenset[str]:
    """The call types that a site says clear a call; 1 by the specification."""
    if not isinstance(call_types, Mapping):
        return frozenset({"1"})
    return frozenset(str(one) for one, meaning in call_types.items() if meaning == "cleared")


_LIMITS: Final[Mapping[str, tuple[type[int | float], float, float]]] = {
    "repeats": (int, 0, 10),
    "refusals": (int, 0, 10),
    "asks": (int, 0, 10),
    "ask_after": (float, 0.1, 60),
    "poll_every": (float, 0.01, 60),
    "poll_wait": (float, 0.01, 60),
    "answer_wait": (float, 0.05, 60),
    "block_wait": (float, 0.1, 120),
    "regain_after": (float, 0.1, 120),
    "silent_after": (float, 0.5, 600),
}


def _numbers(settings: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (kind, low, high) in _LIMITS.items():
        if name not in settings:
            continue
        value = settings[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"the ESPA setting {name} is a number from {low:g} to {high:g}, not {value!r}")
        found[name] = kind(value)
    return found
