"""Event codes of alarm panels: Contact ID (ADM-CID, SIA DC-05) and SIA letters (SIA-DCS, SIA DC-03)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from drivers.events import DecodeError

NEW, RESTORE, STILL = "1", "3", "6"
"""Contact ID qualifiers on the wire."""


@dataclass(frozen=True, slots=True)
class Code:
    """One event of a panel. code: `101` or `MA`. zone: as sent, empty if none. over: it ended."""

    code: str
    zone: str
    over: bool


KINDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "100": ("call.raised", "medical"), "101": ("pendant.pressed", ""), "102": ("call.fault", "no report"),
        "110": ("smoke.detected", ""), "111": ("smoke.detected", ""), "114": ("heat.detected", ""),
        "120": ("pendant.pressed", ""), "121": ("pendant.pressed", ""), "122": ("pendant.pressed", ""),
        "151": ("gas.detected", ""), "154": ("water.detected", ""), "162": ("co.detected", ""),
        "158": ("call.fault", "high temperature"), "159": ("call.fault", "low temperature"),
        "301": ("call.fault", "mains lost"), "302": ("call.battery_low", ""),
        "309": ("call.fault", "battery test failed"), "311": ("call.fault", "battery missing"),
        "344": ("call.fault", "radio jamming"), "350": ("call.fault", "communication trouble"),
        "351": ("call.fault", "communication trouble"), "352": ("call.fault", "communication trouble"),
        "353": ("call.fault", "communication trouble"), "354": ("call.fault", "communication trouble"),
        "380": ("call.fault", "sensor trouble"), "381": ("call.fault", "sensor not heard"),
        "383": ("call.tamper", ""), "384": ("pendant.battery_low", ""), "406": ("call.cleared", ""),
        "423": ("door.opened", ""), "426": ("door.opened", ""), "601": ("call.heartbeat", ""),
        "602": ("call.heartbeat", ""), "641": ("call.raised", "inactivity"),
        "MA": ("call.raised", "medical"), "QA": ("pendant.pressed", ""), "PA": ("pendant.pressed", ""),
        "FA": ("smoke.detected", ""), "GA": ("gas.detected", ""), "KA": ("heat.detected", ""),
        "WA": ("water.detected", ""), "ZA": ("call.fault", "freeze"), "TA": ("call.tamper", ""),
        "AT": ("call.fault", "mains lost"), "YT": ("call.battery_low", ""), "XT": ("pendant.battery_low", ""),
        "YC": ("call.fault", "communication trouble"), "RP": ("call.heartbeat", ""),
        "RX": ("call.heartbeat", ""),
    }
)  # fmt: skip
"""Code → what its beginning is, and words for those that carry some."""

ENDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AR": "AT", "YR": "YT", "XR": "XT", "YK": "YC", "TR": "TA", "ZR": "ZA", "ZH": "ZA",
        **{f"{letter}{end}": f"{letter}A" for letter in "MQPFGKW" for end in "RH"},
    }
)  # fmt: skip
"""SIA code of an end → the code that began it."""

OVER: Final[Mapping[str, str]] = MappingProxyType(
    {"detected": "cleared", "raised": "cleared", "opened": "closed", "pressed": "heartbeat",
     "heartbeat": "heartbeat", "cleared": "cleared"}
)  # fmt: skip
"""The half of a kind → what its end is. A pendant let go says nothing new; everything else has recovered."""


def kind_of(code: Code, own: Mapping[str, str]) -> tuple[str, str]:
    """The fact and its words. own: codes of this panel that mean something else (`120: pendant.fall`)."""
    kind, words = (own[code.code], "") if code.code in own else KINDS.get(code.code, ("", ""))
    if not kind:
        return (
            "call.recovered" if code.over else "call.raised"
        ), f"panel code {code.code} zone {code.zone or '-'}"
    if not code.over:
        return kind, words
    device_class, _, half = kind.partition(".")
    return f"{device_class}.{OVER.get(half, 'recovered')}", words or half.replace("_", " ")


def contact_id(data: str) -> list[Code]:
    """Read `#acct|QEEE GG ZZZ`. Raises DecodeError."""
    found = re.search(r"\|([136])([0-9A-F]{3}) ([0-9A-F]{2}) ([0-9A-F]{3})$", data.upper())
    if not found:
        raise DecodeError(f"expected #acct|QEEE GG ZZZ, got {data!r:.60}")
    qualifier, code, _, zone = found.groups()
    return [Code(code, zone, qualifier == RESTORE)]


def sia_letters(data: str) -> list[Code]:
    """Read `#acct|Nri1/FA129`: modifiers in small letters, events in two capitals and a zone. Raises DecodeError."""
    codes = []
    for part in data.split("|")[1:]:
        for token in part.split("/"):
            found = re.fullmatch(r"[NO]?([A-Z]{2})([0-9A-F]{0,6})(?:\*.*|\^.*)?", token.strip())
            if found:
                code, zone = found.groups()
                codes.append(Code(ENDS.get(code, code), zone, code in ENDS))
    if not codes:
        raise DecodeError(f"expected #acct|N and an event code, got {data!r:.60}")
    return codes
