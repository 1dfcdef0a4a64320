"""EnOcean Serial Protocol 3: packets between a radio stick and its host, and the radio telegrams in them.

    55 | data length (2) | optional length (1) | type (1) | CRC8 of the four | data | optional | CRC8 of both

CRC8 has polynomial 07 and begins with 0. A 55 may also be noise or data, so the length counts for nothing
until the header's CRC is right; a wrong one costs one byte and the search goes on in the bytes already held.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from drivers.events import DecodeError

SYNC: Final = 0x55
RADIO_ERP1, RESPONSE, EVENT, COMMON_COMMAND = 0x01, 0x02, 0x04, 0x05
CO_WR_RESET, CO_RD_IDBASE = 0x02, 0x08
RPS, ONE_BYTE, FOUR_BYTES = 0xF6, 0xD5, 0xA5
"""RORG: which kind of radio telegram."""

MAX_DATA: Final = 512
"""Bytes of data a packet may have here; the longest radio telegram has some 40. More is a chance CRC match."""
MAX_OPTIONAL: Final = 64
HEADER: Final = 6


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. raw: all its bytes."""

    type: int
    data: bytes
    optional: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Telegram:
    """One radio telegram (ERP1). sender: eight hexadecimal digits. dbm: strength, None where not given."""

    rorg: int
    payload: bytes
    sender: str
    status: int
    dbm: int | None


def crc8(data: Iterable[int]) -> int:
    """Check byte: polynomial 07, initial 00, not reflected."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x07 if crc & 0x80 else crc << 1
            crc &= 0xFF
    return crc


def encode_packet(type_: int, data: bytes, optional: bytes = b"") -> bytes:
    """Write a packet."""
    header = len(data).to_bytes(2, "big") + bytes([len(optional), type_])
    body = data + optional
    return bytes([SYNC]) + header + bytes([crc8(header)]) + body + bytes([crc8(body)])


def decode_packet(raw: bytes) -> Packet:
    """Read exactly one packet. Raises DecodeError."""
    if len(raw) < HEADER + 1 or raw[0] != SYNC:
        raise DecodeError(f"expected 55 and at least 7 bytes, got {len(raw)}: {raw[:20].hex()}")
    if crc8(raw[1:5]) != raw[5]:
        raise DecodeError(f"expected header CRC {crc8(raw[1:5]):02X}, got {raw[5]:02X}")
    length, optional = int.from_bytes(raw[1:3], "big"), raw[3]
    if len(raw) != HEADER + length + optional + 1:
        raise DecodeError(f"expected {HEADER + length + optional + 1} bytes, got {len(raw)}")
    body = raw[HEADER:-1]
    if crc8(body) != raw[-1]:
        raise DecodeError(f"expected data CRC {crc8(body):02X}, got {raw[-1]:02X}")
    return Packet(raw[4], body[:length], body[length:], raw)


def telegram_of(packet: Packet) -> Telegram:
    """The radio telegram in a packet. Raises DecodeError for any other packet."""
    if packet.type != RADIO_ERP1:
        raise DecodeError(f"expected a radio telegram (packet type 01), got type {packet.type:02X}")
    data, optional = packet.data, packet.optional
    if len(data) < 7:
        raise DecodeError(f"a radio telegram has at least 7 bytes, this one has {len(data)}")
    dbm = -optional[5] if len(optional) >= 6 else None
    return Telegram(data[0], data[1:-5], data[-5:-1].hex(), data[-1], dbm)


class Scanner:
    """Finds packets in what the line delivers, a piece at a time."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.skipped = 0
        """Bytes that belonged to no packet."""
        self.bad = 0
        """Packets whose header was right and whose data was not."""

    @property
    def pending(self) -> bytes:
        """What may become a packet."""
        return bytes(self._held)

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes, give the packets that they complete."""
        self._held += data
        packets: list[Packet] = []
        while (packet := self._next()) is not None:
            packets.append(packet)
        return packets

    def stale(self) -> list[Packet]:
        """The rest of a packet did not come: its 55 was none, look behind it."""
        if self._held:
            self._skip(1)
        return self.feed(b"")

    def _next(self) -> Packet | None:
        while True:
            start = self._held.find(SYNC)
            self._skip(len(self._held) if start < 0 else start)
            if len(self._held) < HEADER:
                return None
            if not self._plausible():
                self._skip(1)
                continue
            end = HEADER + int.from_bytes(self._held[1:3], "big") + self._held[3] + 1
            if len(self._held) < end:
                return None
            raw = bytes(self._held[:end])
            try:
                packet = decode_packet(raw)
            except DecodeError:
                self.bad += 1
                self._skip(1)
                continue
            del self._held[:end]
            return packet

    def _plausible(self) -> bool:
        length, optional = int.from_bytes(self._held[1:3], "big"), self._held[3]
        return length <= MAX_DATA and optional <= MAX_OPTIONAL and crc8(self._held[1:5]) == self._held[5]

    def _skip(self, count: int) -> None:
        self.skipped += count
        del self._held[:count]
