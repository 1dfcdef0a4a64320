"""A social-alarm unit that speaks SCAIP (SS 91100), with every detector behind it.

One unit is one device at the address of its controller id (`cid`, digits without `+`); what its detectors say
are facts of their own classes. An alarm nobody here knows is shown raw as a call; it is never dropped.
Settings: `language` (nb or en) for place names, `places` to name location codes of this home, `wrapped: true`
for units that put the request inside a root `scaip`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drivers.catalogue import CATALOGUE
from drivers.device_type import DeviceType, Unit
from drivers.events import DecodeError, Fact, Frame, Value
from drivers.protocols.scaip import Request, read_request
from drivers.protocols.scaip_codes import CLASSES, CLEARING, ENURESIS, FACTS, FALL, GENERIC, HELP, PLACES
from drivers.settings import one_of, table, text

ALARMS: Final = frozenset({9, 10})
OWN_CLASSES: Final = frozenset({*CLASSES.values(), "call"})
NEEDS_DOSE: Final = frozenset({"dispenser.missed", "dispenser.reminded", "dispenser.taken"})


def decode(frame: Frame, unit: Unit) -> list[Fact]:
    """Read one `mrq`, alone or as the body of a whole SIP message."""
    body = frame.payload
    if body[:8].upper() == b"MESSAGE ":
        _, separator, body = body.partition(b"\r\n\r\n")
        if not separator:
            raise DecodeError("this SIP message ends before its body")
    request = read_request(body, wrapped=bool(unit.settings.get("wrapped", False)))
    return [_fact(request, unit)]


def _fact(request: Request, unit: Unit) -> Fact:
    device_class = CLASSES.get(request.dty, "call")
    kind, code = _kind(device_class, request)
    return Fact(kind, _data(kind, code, request, unit))


def _kind(device_class: str, request: Request) -> tuple[str, str]:
    """The fact, and a code for those that carry one."""
    raw = f"SCAIP {request.mty} dty {request.dty:04d} stc {request.stc:04d}"
    if request.mty == "PI":
        return f"{device_class}.heartbeat", ""
    if request.mty == "RE" or request.stc in CLEARING:
        return _cleared(device_class, request.stc), raw
    if special := _special(device_class, request):
        return special, ""
    if own := FACTS.get((device_class, request.stc)):
        return own.replace("room.absence", "room.presence"), ""
    if request.stc in GENERIC:
        half, code = GENERIC[request.stc]
        return f"{device_class}.{half}", code
    if request.mty == "IN":
        return f"{device_class}.fault", raw
    return HELP.get(device_class, "call.raised"), raw


def _special(device_class: str, request: Request) -> str:
    """An alarm of a fall or wetness sensor, and the plain alarm of any class that can call for help."""
    if request.stc not in ALARMS:
        return ""
    if request.dty == FALL:
        return "pendant.fall"
    return "bed.wet" if request.dty == ENURESIS else HELP.get(device_class, "")


def _cleared(device_class: str, stc: int) -> str:
    own = FACTS.get((device_class, stc)) or FACTS.get((device_class, 93))
    if own:
        return own
    cleared = f"{device_class}.cleared"
    return cleared if cleared in CATALOGUE.facts else f"{device_class}.recovered"


def _data(kind: str, code: str, request: Request, unit: Unit) -> dict[str, Value]:
    """Only what the catalogue knows of this kind."""
    spec = CATALOGUE.spec(kind)
    offered: dict[str, Value] = {
        "place": _place(request.lco, unit.settings),
        "text": " ".join(text for text in (request.text, code if kind == "call.raised" else "") if text),
        "code": code or request.text,
        "reason": request.text,
        "dose": request.text or request.ref if kind in NEEDS_DOSE else request.text,
    }
    data = {name: value for name, value in offered.items() if value and spec.field(name)}
    if kind == "room.presence":
        data["value"] = FACTS[("room", request.stc)] != "room.absence"
    return data


def _place(lco: int, settings: Mapping[str, object]) -> str:
    own = settings.get("places")
    if isinstance(own, Mapping) and f"{lco:03d}" in own:
        return str(own[f"{lco:03d}"])[:100]
    words = PLACES.get(lco)
    return words[1 if settings.get("language") == "en" else 0] if words else ""


EMITS: Final = frozenset(spec.kind for spec in CATALOGUE.facts.values() if spec.device_class in OWN_CLASSES)

SETTINGS: Final = {
    "places": table(text(100), keys=text(form="three digits", pattern=r"[0-9]{3}")),
    "language": one_of("nb", "en", usual="nb"),
}

DEVICE = DeviceType(
    id="scaip_unit",
    vendor="any",
    product="social-alarm unit, SCAIP (SS 91100, CLC/TS 50134-9)",
    name=MappingProxyType({"nb": "Trygghetsalarm (SCAIP)", "en": "Social-alarm unit (SCAIP)"}),
    link="sip",
    device_class="call",
    emits=EMITS,
    decode=decode,
    signature="SIP MESSAGE with content type application/scaip+xml and a root mrq",
    silent_after=100_000,
    answers=True,
    settings=SETTINGS,
    source="SS 91100:2014 as implemented by published gateways",
)
