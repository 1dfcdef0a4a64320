"""OSDP (IEC 60839-11-5): packets on the line, replies of readers and locks, and the one command that opens.

    [FF] 53 address length(2, little-endian) control [security block] code data… [MAC] CRC(2) or checksum(1)

The conversation itself, with Secure Channel, is libosdp's (drivers.links.osdp). What it opens is handed up as
`code data…`, the form that stands in the packet, so that a recorded plain line reads the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from drivers.events import DecodeError
from drivers.settings import Settings, flag, number, one_of, whole

SOM: Final = 0x53
MAX_PACKET: Final = 1_440
CRC_BIT, SECURE_BIT, REPLY_BIT = 0x04, 0x08, 0x80
ENCRYPTED: Final = frozenset({0x17, 0x18})
"""Security blocks under which the data is encrypted; 15 and 16 only carry a MAC."""

OUT: Final = 0x68
LSTATR, ISTATR, OSTATR, RSTATR = 0x48, 0x49, 0x4A, 0x4B
RAW, FMT, KEYPAD = 0x50, 0x51, 0x53
NAK: Final = 0x41
STATUSES: Final = frozenset({LSTATR, ISTATR, OSTATR, RSTATR})
"""Replies that say how things are; cards and keys say what happened."""

COMPLETED, FAILED, OVER, STATUS, REPLY = "completed", "failed", "over", "status", "reply"
"""Channels: a command carried out or not, a strike's time over, on- or offline, a reply in clear."""

TEMPORARILY_ON: Final = 5
"""Control code of OUT: on for a time, then back to the permanent state. The only one for a strike: it fails closed."""
MAX_SECONDS: Final = 60

SETTINGS: Final[Settings] = {
    "output": whole(0, 63, usual=0),
    "contact": whole(0, 63, usual=0),
    "contact_open": one_of(0, 1, usual=1),
    "seconds": number(0.1, MAX_SECONDS, "seconds", usual=5),
    "status_every": number(1, 600, "seconds", usual=5),
    "install": flag(),
}
"""What a registry may say of a door: its outputs and inputs, how long it opens, how often it is asked."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet in clear. reply: from a device to the controller. data: without the code."""

    address: int
    reply: bool
    code: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Card:
    """A card was held to a reader. The number is hexadecimal; bits is its length."""

    reader: int
    bits: int
    number: str


@dataclass(frozen=True, slots=True)
class Keys:
    """So many keys were pressed. Which ones is nobody's business but the one who decides on access."""

    reader: int
    count: int


@dataclass(frozen=True, slots=True)
class Local:
    """The device's own state."""

    tamper: bool
    power_lost: bool


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which inputs are active, by number."""

    active: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Which outputs are active, by number."""

    active: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Readers:
    """What is wrong with each attached reader: empty, `not connected` or `tamper`."""

    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """A reply that says nothing about doors."""

    code: int


Reply: TypeAlias = Card | Keys | Local | Inputs | Outputs | Readers | Other


def crc16(data: bytes) -> int:
    """CRC-16, polynomial 1021, initial 1D0F, not reflected."""
    crc = 0x1D0F
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def read_packet(raw: bytes) -> Packet:
    """Read one packet from SOM to its last check byte. Raises DecodeError; encrypted ones cannot be read here."""
    if len(raw) < 7 or raw[0] != SOM:
        raise DecodeError(f"expected 53 and at least 7 bytes, got {len(raw)}: {raw[:20].hex()}")
    if int.from_bytes(raw[2:4], "little") != len(raw):
        raise DecodeError(f"expected {int.from_bytes(raw[2:4], 'little')} bytes, got {len(raw)}")
    body = _checked(raw)
    block = b""
    if raw[4] & SECURE_BIT:
        size = body[5] if len(body) > 5 else 0
        if size < 2 or 5 + size >= len(body):
            raise DecodeError(f"a security block of {size} bytes does not fit into this packet")
        block, body = body[5 : 5 + size], body[:5] + body[5 + size :]
        if block[1] in ENCRYPTED:
            raise DecodeError("this packet is encrypted; only the running link can open it")
        if block[1] in (0x15, 0x16):
            body = body[:-4]
    if len(body) < 6:
        raise DecodeError("this packet has no code")
    return Packet(raw[1] & 0x7F, bool(raw[1] & REPLY_BIT), body[5], body[6:])


def _checked(raw: bytes) -> bytes:
    """The packet without its check bytes, which must be right."""
    if raw[4] & CRC_BIT:
        right, got = crc16(raw[:-2]), int.from_bytes(raw[-2:], "little")
        if right != got:
            raise DecodeError(f"expected CRC {right:04X}, got {got:04X}")
        return raw[:-2]
    if sum(raw) & 0xFF:
        raise DecodeError(f"expected checksum {-sum(raw[:-1]) & 0xFF:02X}, got {raw[-1]:02X}")
    return raw[:-1]


def scan(line: bytes) -> tuple[list[bytes], bytes]:
    """Packets in a piece of line, and what is unfinished. Bytes between packets are skipped."""
    packets: list[bytes] = []
    at = line.find(bytes([SOM]))
    while 0 <= at <= len(line) - 4:
        length = int.from_bytes(line[at + 2 : at + 4], "little")
        whole = line[at : at + length]
        if 7 <= length <= MAX_PACKET and len(whole) < length:
            return packets, line[at:]
        if 7 <= length <= MAX_PACKET and _right(whole):
            packets.append(whole)
            at += length - 1
        at = line.find(bytes([SOM]), at + 1)
    return packets, line[at:] if at >= 0 else b""


def _right(raw: bytes) -> bool:
    try:
        _checked(raw)
    except DecodeError:
        return False
    return True


def read_reply(code: int, data: bytes) -> Reply:
    """What a device says. Raises DecodeError where its data does not fit its code."""
    if code == RAW:
        return _card(data)
    if code == KEYPAD:
        _sized(data, 2, "a keypad reply")
        return Keys(data[0], data[1])
    if code == LSTATR:
        _sized(data, 2, "a local status")
        return Local(data[0] != 0, data[1] != 0)
    if code in (ISTATR, OSTATR):
        _sized(data, 1, "an input or output status")
        active = tuple(_flag(byte) for byte in data)
        return Inputs(active) if code == ISTATR else Outputs(active)
    if code == RSTATR:
        _sized(data, 1, "a reader status")
        return Readers(tuple(_reader_state(byte) for byte in data))
    return Other(code)


READER_STATES: Final = {0: "", 1: "not connected", 2: "tamper"}


def _reader_state(byte: int) -> str:
    if byte not in READER_STATES:
        raise DecodeError(f"a reader status is 0, 1 or 2, not {byte:02X}")
    return READER_STATES[byte]


def _flag(byte: int) -> bool:
    if byte not in (0, 1):
        raise DecodeError(f"an input or output is 0 or 1, not {byte:02X}")
    return byte == 1


def _card(data: bytes) -> Card:
    _sized(data, 4, "a card read")
    bits = int.from_bytes(data[2:4], "little")
    number = data[4:]
    if len(number) != (bits + 7) // 8:
        raise DecodeError(f"a card of {bits} bits has {(bits + 7) // 8} bytes, this one has {len(number)}")
    return Card(data[0], bits, number.hex())


def _sized(data: bytes, least: int, what: str) -> None:
    if len(data) < least:
        raise DecodeError(f"{what} has at least {least} bytes, this one has {len(data)}")


def write_unlock(output: int, seconds: float) -> bytes:
    """OUT with control code 5: open for a time. Raises ValueError outside 0.1 to 60 seconds."""
    if not 0.1 <= seconds <= MAX_SECONDS:
        raise ValueError(f"a door opens for 0.1 to {MAX_SECONDS} seconds, not {seconds:g}")
    if not 0 <= output <= 255:
        raise ValueError(f"an output has a number from 0 to 255, not {output}")
    return bytes([OUT, output, TEMPORARILY_ON]) + round(seconds * 10).to_bytes(2, "little")


def read_unlock(payload: bytes) -> tuple[int, float]:
    """Output and seconds of an unlock; nothing else may be sent. Raises DecodeError."""
    if len(payload) != 5 or payload[0] != OUT or payload[2] != TEMPORARILY_ON:
        raise DecodeError(f"expected OUT with control code 5, got {payload[:20].hex()}")
    seconds = int.from_bytes(payload[3:5], "little") / 10
    if not 0.1 <= seconds <= MAX_SECONDS:
        raise DecodeError(f"a door opens for 0.1 to {MAX_SECONDS} seconds, not {seconds:g}")
    return payload[1], seconds
