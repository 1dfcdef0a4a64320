"""MQTT 3.1.1 on the wire, as far as a device needs it: bytes in, packets out, no I/O.

Source: OASIS MQTT Version 3.1.1, chapters 2 (fixed header) and 3 (packets). Written for crowds: one connection of a
town carries hundreds of devices, and a general client spends more on a message than a device does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
LARGEST = 1_048_576
"""Bytes of a packet from the broker; a larger one ends the connection."""


class WrongPacket(Exception):  # noqa: N818  it says what is so
    """Bytes that are no MQTT."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet from the broker. kind: its type; flags: the lower half of its first byte."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """A message from the broker. id: to be acknowledged; 0 at QoS 0."""

    topic: str
    payload: bytes
    id: int


def connect(client_id: str, user: str | None, password: str | None, keepalive: int) -> bytes:
    """CONNECT with a clean session."""
    flags = 0x02 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    body = b"\x00\x04MQTT\x04" + bytes([flags]) + struct.pack(">H", keepalive)
    body += b"".join(_text(one) for one in (client_id, user, password) if one is not None)
    return _packet(0x10, body)


def subscribe(number: int, topics: Sequence[tuple[str, int]]) -> bytes:
    """SUBSCRIBE to topic filters, each with its QoS."""
    body = struct.pack(">H", number) + b"".join(_text(topic) + bytes([qos]) for topic, qos in topics)
    return _packet(0x82, body)


def publish(topic: str, payload: bytes, *, number: int = 0, retain: bool = False) -> bytes:
    """PUBLISH: at QoS 1 under a number, else at QoS 0."""
    head = 0x30 | (0x02 if number else 0) | (0x01 if retain else 0)
    return _packet(head, _text(topic) + (struct.pack(">H", number) if number else b"") + payload)


def half(topic: str, payload: bytes) -> bytes:
    """The first half of a PUBLISH at QoS 1: what is on the wire when a connection breaks in the middle of it."""
    whole = publish(topic, payload, number=1)
    return whole[: max(2, len(whole) // 2)]


def puback(number: int) -> bytes:
    """PUBACK."""
    return b"\x40\x02" + struct.pack(">H", number)


def heard(packet: Packet) -> Heard:
    """The message in a PUBLISH. Raises WrongPacket."""
    try:
        size = struct.unpack_from(">H", packet.body)[0]
        topic = packet.body[2 : 2 + size].decode()
        at, number = 2 + size, 0
        if packet.flags & 0x06:
            number = struct.unpack_from(">H", packet.body, at)[0]
            at += 2
    except (struct.error, UnicodeDecodeError) as wrong:
        raise WrongPacket(f"a PUBLISH that cannot be read: {wrong}") from None
    return Heard(topic, packet.body[at:], number)


class Reader:
    """Cuts a stream of bytes into packets."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Every packet that is whole now. Raises WrongPacket."""
        self._rest += data
        at = 0
        while (found := self._whole(at)) is not None:
            begin, end = found
            yield Packet(self._rest[at] >> 4, self._rest[at] & 0x0F, bytes(self._rest[begin:end]))
            at = end
        del self._rest[:at]

    def _whole(self, at: int) -> tuple[int, int] | None:
        """Begin and end of the body of the packet at `at`, if all of it is there."""
        size = shift = 0
        for place in range(at + 1, min(at + 5, len(self._rest))):
            size |= (self._rest[place] & 0x7F) << shift
            shift += 7
            if not self._rest[place] & 0x80:
                if size > LARGEST:
                    raise WrongPacket(f"a packet of {size} bytes")
                end = place + 1 + size
                return (place + 1, end) if end <= len(self._rest) else None
        if len(self._rest) - at >= 5:
            raise WrongPacket("a length of more than four bytes")
        return None


def _packet(head: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, part = size >> 7, size & 0x7F
        length.append(part | (0x80 if size else 0))
        if not size:
            return bytes([head]) + bytes(length) + body


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw
