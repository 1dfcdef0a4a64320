"""An alarm panel or social-alarm unit that reports by SIA DC-09, as SIA-DCS or ADM-CID, encrypted or not.

Its address is its account (hexadecimal, capitals). Settings: `codes` for what this maker's codes mean
(`{"120": "pendant.fall"}`; sources differ on falls), `places` for zones (`{"001": "Bad"}`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drivers.catalogue import CATALOGUE
from drivers.device_type import DeviceType, Result, Unit
from drivers.events import DecodeError, Fact, Frame, Value
from drivers.protocols.alarm_codes import KINDS, Code, contact_id, kind_of, sia_letters
from drivers.protocols.dc09 import POLL, Framer, Message, occurred, read_frame
from drivers.protocols.streams import BLOCK, read_stream
from drivers.settings import one_of, table, text

READ: Final = MappingProxyType({"ADM-CID": contact_id, "SIA-DCS": sia_letters})
ANSWERS: Final = frozenset({"ACK", "NAK", "DUH", "RSP"})

CLASSES: Final = frozenset({kind.partition(".")[0] for kind, _ in KINDS.values()})
EMITS: Final = frozenset(spec.kind for spec in CATALOGUE.facts.values() if spec.device_class in CLASSES)


def decode(frame: Frame, unit: Unit) -> list[Fact | Result]:
    """Read one frame (`channel` block), or a stream of frames LF … CR cut anywhere."""
    if frame.channel == BLOCK:
        return _facts(read_frame(frame.payload, unit.key), unit)
    return read_stream(
        frame.payload,
        unit,
        scan=_scan,
        read=lambda one: _facts(read_frame(one, unit.key), unit),
        fault="call.fault",
    )


def _scan(line: bytes) -> tuple[list[bytes], bytes]:
    """Frames, or one frame that came without its LF and CR."""
    if line[:1].isalnum() and b'"' in line[:12]:
        return [line], b""
    framer = Framer()
    frames = framer.feed(line)
    return frames or ([line] if framer.noise else []), framer.pending


def _facts(message: Message, unit: Unit) -> list[Fact | Result]:
    if message.head.id == POLL:
        return [Fact("call.heartbeat")]
    if message.head.id in ANSWERS:
        return []
    if message.head.id not in READ:
        raise DecodeError(f"expected ADM-CID, SIA-DCS or NULL, got {message.head.id!r}")
    codes = READ[message.head.id](message.data)
    id_ = f"{message.head.seq}@{message.stamp}" if message.stamp is not None else None
    return [_fact(code, message, unit, id_) for code in codes]


def _fact(code: Code, message: Message, unit: Unit, id_: str | None) -> Fact:
    kind, words = kind_of(code, _own(unit))
    spec = CATALOGUE.spec(kind)
    text = " ".join(part for part in (words, message.extra.get("I", "")) if part)[:500]
    offered: dict[str, Value] = {"place": _place(code.zone, unit), "text": text, "code": words}
    data = {name: value for name, value in offered.items() if value and spec.field(name)}
    return Fact(kind, data, at=occurred(message), id=id_)


def _own(unit: Unit) -> dict[str, str]:
    codes = unit.settings.get("codes", {})
    if not isinstance(codes, Mapping):
        return {}
    return {str(code): str(kind) for code, kind in codes.items() if kind in EMITS}


def _place(zone: str, unit: Unit) -> str:
    places = unit.settings.get("places", {})
    if isinstance(places, Mapping) and zone in places:
        return str(places[zone])[:100]
    return f"zone {zone.lstrip('0')}" if zone.strip("0") else ""


SETTINGS: Final = {"codes": table(one_of(*sorted(EMITS))), "places": table(text(100))}

DEVICE = DeviceType(
    id="dc09_panel",
    vendor="any",
    product="alarm panel, SIA DC-09 (SIA-DCS, ADM-CID)",
    name=MappingProxyType({"nb": "Alarmsentral (SIA DC-09)", "en": "Alarm panel (SIA DC-09)"}),
    link="tcp",
    device_class="call",
    emits=EMITS,
    decode=decode,
    signature='LF, CRC, length, then "SIA-DCS", "ADM-CID" or "NULL" in quotation marks',
    silent_after=3_600,
    own_clock=True,
    answers=True,
    settings=SETTINGS,
    source="ANSI/SIA DC-09, DC-05 (Contact ID), DC-03 (SIA letters)",
)
