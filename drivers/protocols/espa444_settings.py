"""How an ESPA 4.4.4 line is run: role, addresses, times and counts, as a device's settings name them.

All times are configurable; the values of the specification itself are unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from drivers.protocols.espa444 import CHARSETS
from drivers.settings import Settings, flag, listing, number, one_of, table, taken, text, whole


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
    line_silent_after: float = 10.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> EspaLine:
        """Read a device's settings. Raises ValueError with a sentence for what cannot be meant."""
        said = {name: taken(SETTINGS, settings, name) for name in SETTINGS}
        own, stations = _addresses(said["role"], settings)
        return cls(
            role=said["role"],
            own=own,
            stations=stations,
            bits=said["bits"],
            charset=said["charset"],
            polled=said["polled"],
            named=len(stations) > 1 or bool(settings.get("unit")),
            resets=_resets(said["call_types"]),
            confirms=said["confirms"],
            **{name: said[name] for name in _TIMES},
        )


_USUAL: Final = EspaLine()
_TIMES: Final[Settings] = {
    "repeats": whole(0, 10, "times", usual=_USUAL.repeats),
    "refusals": whole(0, 10, "times", usual=_USUAL.refusals),
    "asks": whole(0, 10, "times", usual=_USUAL.asks),
    "ask_after": number(0.1, 60, "seconds", usual=_USUAL.ask_after),
    "poll_every": number(0.01, 60, "seconds", usual=_USUAL.poll_every),
    "poll_wait": number(0.01, 60, "seconds", usual=_USUAL.poll_wait),
    "answer_wait": number(0.05, 60, "seconds", usual=_USUAL.answer_wait),
    "block_wait": number(0.1, 120, "seconds", usual=_USUAL.block_wait),
    "regain_after": number(0.1, 120, "seconds", usual=_USUAL.regain_after),
    "line_silent_after": number(0.5, 600, "seconds", usual=_USUAL.line_silent_after),
}
_ADDRESS: Final = text(1, form="one character in quotes", pattern=r"[!-~]")

SETTINGS: Final[Settings] = {
    "role": one_of("control", "station", usual="control"),
    "own": _ADDRESS,
    "stations": listing(_ADDRESS, most=32),
    "bits": one_of(7, 8, usual=8),
    "charset": one_of(*CHARSETS, usual="latin-1"),
    "polled": flag(usual=True),
    "confirms": flag(),
    "call_types": table(one_of("raised", "cleared")),
    "places": table(text(500)),
    **_TIMES,
}
"""What a registry may say of an ESPA line and the system behind it."""


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
