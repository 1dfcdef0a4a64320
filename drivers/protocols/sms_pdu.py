"""Short messages as a modem hands them over in PDU mode (3GPP 23.040, 23.038): received and to be sent.

SMS-DELIVER and SMS-STATUS-REPORT are read, SMS-SUBMIT is written. Texts are GSM 7 bit where its alphabet holds
them, else UCS-2; long ones are cut into parts with a common reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from drivers.events import DecodeError, Millis

ALPHABET: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""GSM 7 bit default alphabet, 23.038 section 6.2.1."""
ESCAPED: Final = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]",
                  0x40: "|", 0x65: "€"}  # fmt: skip
_CODE: Final = {character: code for code, character in enumerate(ALPHABET)}
_ESCAPES: Final = {character: code for code, character in ESCAPED.items()}
ESCAPE: Final = 0x1B
REPORT: Final = "report"
"""Channel of what became of a message of ours: JSON with the command's `id` and the report's `pdu`."""
MAX_PDU: Final = 176
MAX_PARTS: Final = 6
"""Parts of one message; more is no alarm text."""


@dataclass(frozen=True, slots=True)
class Received:
    """One part of a message. sent: by the network's clock, ms UTC. part, parts: 1 of 1 for a short message."""

    sender: str
    text: str
    sent: Millis | None
    reference: int = 0
    part: int = 1
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one part that we sent. reference: the modem's number of it. state: 23.040, section 9.2.3.15."""

    reference: int
    number: str
    state: int

    @property
    def outcome(self) -> Literal["delivered", "trying", "failed"]:
        """Whether the telephone has it, the network still tries, or it has given up."""
        if self.state < 0x20:
            return "delivered"
        return "trying" if self.state < 0x40 else "failed"


def read_report(pdu: bytes) -> Report:
    """Read an SMS-STATUS-REPORT with its service-centre address before it. Raises DecodeError."""
    if len(pdu) > MAX_PDU:
        raise DecodeError(f"a short message has at most {MAX_PDU} bytes, this one has {len(pdu)}")
    reader = _Reader(pdu)
    reader.take(reader.byte("service centre length"), "service centre")
    first = reader.byte("first octet")
    if first & 0x03 != 0x02:
        raise DecodeError(f"expected a status report (type 2), got type {first & 3}")
    reference = reader.byte("reference")
    number = _address(reader)
    reader.take(14, "time stamps")
    return Report(reference, number, reader.byte("state"))


def read_deliver(pdu: bytes) -> Received:
    """Read an SMS-DELIVER with its service-centre address before it. Raises DecodeError."""
    if len(pdu) > MAX_PDU:
        raise DecodeError(f"a short message has at most {MAX_PDU} bytes, this one has {len(pdu)}")
    reader = _Reader(pdu)
    reader.take(reader.byte("service centre length"), "service centre")
    first = reader.byte("first octet")
    if first & 0x03:
        raise DecodeError(f"expected a received message (type 0), got type {first & 3}")
    sender = _address(reader)
    reader.byte("protocol id")
    scheme = reader.byte("coding scheme")
    sent = _time(reader.take(7, "time stamp"))
    length = reader.byte("text length")
    data = reader.rest()
    header, skip = _header(data) if first & 0x40 else ({}, 0)
    text = _text(data, length, skip, scheme)
    reference, parts, part = header.get("concat", (0, 1, 1))
    return Received(sender, text, sent, reference, part, parts)


def write_submit(to: str, text: str, reference: int = 0, *, report: bool = False) -> list[bytes]:
    """Write the SMS-SUBMITs of a text, without service-centre address. Raises ValueError with a sentence.

    report: have the network tell what became of each part.
    """
    if not re.fullmatch(r"\+?[0-9]{3,20}", to):
        raise ValueError(f"a phone number is digits with an optional +, not {to!r:.40}")
    if not text:
        raise ValueError("a message needs a text")
    plain = all(one in _CODE or one in _ESCAPES for one in text if one != "\x1b") and "\x1b" not in text
    pieces = _septet_pieces(text) if plain else _ucs2_pieces(text)
    if len(pieces) > MAX_PARTS:
        raise ValueError(f"a message has at most {MAX_PARTS} parts, this one needs {len(pieces)}")
    flags = 0x20 if report else 0x00
    return [
        _submit(to, piece, n, len(pieces), reference & 0xFF, flags, plain=plain)
        for n, piece in enumerate(pieces, 1)
    ]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def byte(self, what: str) -> int:
        return self.take(1, what)[0]

    def take(self, count: int, what: str) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise DecodeError(f"this short message ends in its {what}, after {len(self._data)} bytes")
        self._at += count
        return taken

    def rest(self) -> bytes:
        return self._data[self._at :]


def _address(reader: _Reader) -> str:
    digits, kind = reader.byte("sender length"), reader.byte("sender type")
    if digits > 20:
        raise DecodeError(f"a sender has at most 20 digits, this one has {digits}")
    raw = reader.take((digits + 1) // 2, "sender")
    if kind & 0x70 == 0x50:
        return _septets(raw, digits * 4 // 7)
    number = "".join("0123456789*#abc?"[nibble] for byte in raw for nibble in (byte & 15, byte >> 4))[:digits]
    return ("+" if kind & 0x70 == 0x10 else "") + number


def _time(raw: bytes) -> Millis | None:
    """The service centre's time stamp; None for one that is no time."""
    year, month, day, hour, minute, second, zone = ((byte & 15) * 10 + (byte >> 4) for byte in raw)
    quarters = (raw[6] & 7) * 10 + (raw[6] >> 4)
    offset = timedelta(minutes=15 * (-quarters if raw[6] & 8 else quarters))
    del zone
    try:
        moment = (
            datetime(year + (1900 if year >= 90 else 2000), month, day, hour, minute, second, tzinfo=UTC)
            - offset
        )
    except (ValueError, OverflowError):
        return None
    return int(moment.timestamp()) * 1000


def _header(data: bytes) -> tuple[dict[str, tuple[int, int, int]], int]:
    """Information elements before the text: only concatenation (00, 08) matters here."""
    size = data[0] + 1 if data else 1
    if len(data) < size:
        raise DecodeError(f"a message header of {size} bytes does not fit into {len(data)}")
    found: dict[str, tuple[int, int, int]] = {}
    at = 1
    while at + 2 <= size:
        kind, length = data[at], data[at + 1]
        body = data[at + 2 : min(size, at + 2 + length)]
        at += 2 + length
        if kind in (0x00, 0x08) and len(body) == (3 if kind == 0 else 4):
            reference = int.from_bytes(body[:-2], "big")
            if not 1 <= body[-1] <= body[-2] <= 255:
                raise DecodeError(f"part {body[-1]} of {body[-2]} is no part of a message")
            found["concat"] = (reference, body[-2], body[-1])
    return found, size


def _text(data: bytes, length: int, skip: int, scheme: int) -> str:
    coding = scheme & 0x0C if scheme & 0x80 == 0 else (0x04 if scheme & 0xF4 == 0xF4 else scheme & 0x0C)
    if coding == 0x08:
        raw = data[skip:length]
        if len(data) < length or len(raw) % 2:
            raise DecodeError(f"expected {length} bytes of UCS-2 text, got {len(data)}")
        return raw.decode("utf-16-be", "replace")
    if coding == 0x04:
        if len(data) < length:
            raise DecodeError(f"expected {length} bytes of data, got {len(data)}")
        return data[skip:length].decode("latin-1")
    if len(data) < (length * 7 + 7) // 8:
        raise DecodeError(f"expected {(length * 7 + 7) // 8} bytes of 7-bit text, got {len(data)}")
    first = (skip * 8 + 6) // 7
    return _septets(data, length, first)


def _septets(data: bytes, count: int, first: int = 0) -> str:
    bits = int.from_bytes(data, "little")
    text, escaped = "", False
    for number in range(first, count):
        code = bits >> (7 * number) & 0x7F
        if escaped:
            text, escaped = text + ESCAPED.get(code, " "), False
        elif code == ESCAPE:
            escaped = True
        else:
            text += ALPHABET[code]
    return text


def _septet_pieces(text: str) -> list[bytes]:
    """Codes, one byte each, cut so that no escape is torn from its character."""
    coded = [bytes([ESCAPE, _ESCAPES[one]]) if one in _ESCAPES else bytes([_CODE[one]]) for one in text]
    limit = 160 if sum(map(len, coded)) <= 160 else 153
    return _cut(coded, limit)


def _ucs2_pieces(text: str) -> list[bytes]:
    coded = [one.encode("utf-16-be") for one in text]
    limit = 140 if sum(map(len, coded)) <= 140 else 134
    return _cut(coded, limit)


def _cut(coded: list[bytes], limit: int) -> list[bytes]:
    pieces = [b""]
    for one in coded:
        if len(pieces[-1]) + len(one) > limit:
            pieces.append(b"")
        pieces[-1] += one
    return pieces


def _submit(
    to: str, piece: bytes, part: int, parts: int, reference: int, flags: int, *, plain: bool
) -> bytes:
    header = bytes([5, 0, 3, reference, parts, part]) if parts > 1 else b""
    digits = to.lstrip("+")
    padded = digits + "F" * (len(digits) % 2)
    number = bytes(int(padded[at + 1] + padded[at], 16) for at in range(0, len(padded), 2))
    kind = 0x91 if to.startswith("+") else 0x81
    if plain:
        skip = (len(header) * 8 + 6) // 7
        length, body = skip + len(piece), _packed(header, piece, skip)
    else:
        length, body = len(header) + len(piece), header + piece
    first = (0x41 if header else 0x01) | flags
    scheme = 0x00 if plain else 0x08
    return bytes([first, 0, len(digits), kind]) + number + bytes([0, scheme, length]) + body


def _packed(header: bytes, codes: bytes, skip: int) -> bytes:
    bits = int.from_bytes(header, "little")
    for number, code in enumerate(codes):
        bits |= code << (7 * (skip + number))
    return bits.to_bytes(((skip + len(codes)) * 7 + 7) // 8, "little")
