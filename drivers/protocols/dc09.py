"""SIA DC-09: alarm panels over IP. Frames, check values, encryption and answers, without I/O.

    LF CRC 0LLL "ID" seq [Rrcvr] Lpref #acct [data] [x-data]… [_HH:MM:SS,MM-DD-YYYY] CR

CRC (CRC-16/ARC) and length cover everything from the first quotation mark to before CR. `"*ID"` marks an
encrypted frame: AES-CBC with a zero vector over `pad | data ] x-data _timestamp`, written in hexadecimal.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from drivers.events import DecodeError, Millis

LF, CR = b"\n", b"\r"
MAX_FRAME: Final = 4_096
EVENTS: Final = ("SIA-DCS", "ADM-CID")
POLL: Final = "NULL"
TOO_OLD, TOO_NEW = 40_000, 20_000
"""Milliseconds a time stamp may lie behind and before our clock (DC-09, 5.5.1.9)."""

_HEAD: Final = re.compile(
    rb'"(\*?)([A-Z0-9-]{1,12})"([0-9]{4})(?:R([0-9A-Fa-f]{1,6}))?L([0-9A-Fa-f]{1,6})#([0-9A-Fa-f]{1,16})\['
)
_STAMP: Final = re.compile(r"_(\d\d):(\d\d):(\d\d),(\d\d)-(\d\d)-(\d{4})$")
_PAD: Final = bytes(byte for byte in range(0x21, 0x7F) if byte not in b"[]|")


class CheckError(DecodeError):
    """The frame was damaged on its way; a repeat may help."""


class KeyError_(DecodeError):  # noqa: N801, N818  the built-in name is taken
    """The frame is encrypted and cannot be opened with the key we have, or we have none."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands in clear before the data: who sends, and what."""

    id: str
    encrypted: bool
    seq: str
    receiver: str
    prefix: str
    account: str


@dataclass(frozen=True, slots=True)
class Message:
    """One frame, opened. data: between the first brackets. extra: letter → x-data. stamp: ms UTC."""

    head: Head
    data: str
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stamp: Millis | None = None
    decimal_length: bool = False


Verdict: TypeAlias = Literal["event", "poll", "NAK", "DUH"]


def crc16(data: bytes) -> int:
    """CRC-16/ARC: reflected polynomial A001, initial 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def read_head(frame: bytes) -> Head:
    """Check a frame and read what stands in clear. Raises CheckError or DecodeError."""
    return _split(frame)[0]


def read_frame(frame: bytes, key: bytes | None) -> Message:
    """Read a frame (LF and CR may be missing). Raises DecodeError.

    An account that has a key is believed only under it: in clear anybody could restore its alarms or poll in its name.
    """
    head, content, decimal = _split(frame)
    if head.encrypted:
        content = _opened(content, key)
    elif key is not None and head.id in (*EVENTS, POLL):
        raise KeyError_("the frames of this account come encrypted, and this one is in clear")
    data, separator, rest = content.partition("]")
    if not separator:
        raise DecodeError("the data of this frame has no closing bracket")
    stamp = _stamp(rest)
    if head.encrypted and stamp is None:
        raise DecodeError("an encrypted frame needs a time stamp, and has none")
    return Message(head, data, MappingProxyType(_extra(rest)), stamp, decimal)


def judge(message: Message, now: Millis) -> Verdict:
    """What a receiver makes of a frame that it could read: its time must be right, its content known."""
    if message.stamp is not None and not -TOO_OLD <= message.stamp - now <= TOO_NEW:
        return "NAK"
    if message.head.id == POLL:
        return "poll"
    return "event" if message.head.id in EVENTS else "DUH"


def write_frame(head: Head, data: str, *, stamp: Millis | None = None, key: bytes | None = None) -> bytes:
    """Write a frame; encrypted with `key` where the head says so."""
    receiver = f"R{head.receiver}" if head.receiver else ""
    star = "*" if head.encrypted else ""
    begin = f'"{star}{head.id}"{head.seq}{receiver}L{head.prefix}#{head.account}['
    time = _time(stamp) if stamp is not None else ""
    if head.encrypted:
        assert key is not None
        return _framed(begin + _closed(data, time, key))
    return _framed(f"{begin}{data}]{time}")


def write_ack(head: Head, now: Millis, key: bytes | None) -> bytes:
    """The frame is written down."""
    ack = Head("ACK", head.encrypted, head.seq, head.receiver, head.prefix, head.account)
    return write_frame(ack, "", stamp=now if head.encrypted else None, key=key)


def write_duh(head: Head) -> bytes:
    """The frame is understood, its content not."""
    return write_frame(Head("DUH", False, head.seq, head.receiver, head.prefix, head.account), "")


def write_nak(now: Millis) -> bytes:
    """The frame is not accepted; our time lets the sender set its clock."""
    return _framed(f'"NAK"0000R0L0A0[]{_time(now)}')


class Framer:
    """Cuts a stream into frames LF … CR, however it is split or joined."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.noise = 0

    @property
    def pending(self) -> bytes:
        """What may become a frame."""
        return bytes(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, give whole frames with their LF and CR."""
        self._held += data
        frames: list[bytes] = []
        while True:
            begin = self._held.find(LF)
            self._drop(len(self._held) if begin < 0 else begin)
            end = self._held.find(CR)
            again = self._held.find(LF, 1, end if end >= 0 else len(self._held))
            if again > 0:
                self._drop(again)
                continue
            if end < 0:
                if len(self._held) > MAX_FRAME:
                    self._drop(len(self._held))
                return frames
            frames.append(bytes(self._held[: end + 1]))
            del self._held[: end + 1]

    def _drop(self, count: int) -> None:
        self.noise += count
        del self._held[:count]


def _split(frame: bytes) -> tuple[Head, str, bool]:
    """Head, the text after the opening bracket, and whether the length was written in decimal."""
    if len(frame) > MAX_FRAME:
        raise CheckError(f"a frame has at most {MAX_FRAME} bytes, this one has {len(frame)}")
    body = frame.strip(b"\r\n")
    begin = body.find(b'"')
    if begin not in (8, 9):
        raise CheckError(f"expected a CRC and a length before the first quotation mark, got {body[:20]!r}")
    decimal = _checked(body[:begin], body[begin:])
    found = _HEAD.match(body[begin:])
    if not found:
        raise DecodeError(f'expected "ID" seq Lpref #acct [, got {body[begin : begin + 40]!r}')
    star, id_, seq, receiver, prefix, account = (part.decode() if part else "" for part in found.groups())
    rest = body[begin + found.end() :].decode("utf-8", "replace")
    return Head(id_, bool(star), seq, receiver.upper(), prefix.upper(), account.upper()), rest, decimal


def _checked(marks: bytes, body: bytes) -> bool:
    """Check CRC and length; whether the length was written in decimal, as one maker does."""
    try:
        crc, length = int(marks[:4], 16), marks[4:].decode("ascii")
    except (ValueError, UnicodeDecodeError):
        raise CheckError(f"expected CRC and length in hexadecimal, got {marks!r}") from None
    right = crc16(body)
    if crc != right:
        raise CheckError(f"expected CRC {right:04X}, got {crc:04X}")
    if not re.fullmatch(r"[0-9A-Fa-f]{4}", length):
        raise CheckError(f"expected a length like 0027, got {length!r}")
    if int(length, 16) == len(body):
        return False
    if length.isdigit() and int(length) == len(body):
        return True
    raise CheckError(f"expected length {len(body):04X}, got {length}")


def _opened(content: str, key: bytes | None) -> str:
    """Decrypt; what comes back begins with the data, behind the pad."""
    if key is None:
        raise KeyError_("this frame is encrypted and no key is known for its account")
    try:
        sealed = bytes.fromhex(content)
    except ValueError:
        raise KeyError_("the encrypted part of this frame is no hexadecimal text") from None
    if not sealed or len(sealed) % 16:
        raise KeyError_(f"the encrypted part has whole blocks of 16 bytes, this one has {len(sealed)}")
    decryptor = _cipher(key).decryptor()
    plain = (decryptor.update(sealed) + decryptor.finalize()).decode("utf-8", "replace")
    bar, bracket = plain.find("|"), plain.find("]")
    if bracket < 0:
        raise KeyError_("this frame does not open with the key of its account")
    return plain[bar + 1 :] if 0 <= bar < bracket else plain[bracket:]


def _closed(data: str, time: str, key: bytes) -> str:
    plain = f"|{data}]{time}".encode()
    pad = bytes(secrets.choice(_PAD) for _ in range(16 + -len(plain) % 16))
    encryptor = _cipher(key).encryptor()
    return (encryptor.update(pad + plain) + encryptor.finalize()).hex().upper()


def _cipher(key: bytes) -> Cipher[CBC]:
    if len(key) not in (16, 24, 32):
        raise KeyError_(f"a key has 16, 24 or 32 bytes, this one has {len(key)}")
    return Cipher(AES(key), CBC(bytes(16)))


def _framed(body: str) -> bytes:
    raw = body.encode()
    return LF + f"{crc16(raw):04X}{len(raw):04X}".encode() + raw + CR


def _time(at: Millis) -> str:
    return f"{datetime.fromtimestamp(at // 1000, UTC):_%H:%M:%S,%m-%d-%Y}"


def _stamp(rest: str) -> Millis | None:
    found = _STAMP.search(rest)
    return _instant(found.groups()) if found else None


def _instant(parts: tuple[str, ...]) -> Millis:
    hour, minute, second, month, day, year = map(int, parts)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return max(0, int(moment.timestamp()) * 1000)
    except (ValueError, OverflowError):
        raise DecodeError(f"{':'.join(parts[:3])} {'-'.join(parts[3:])} is no time") from None


def occurred(message: Message) -> Millis | None:
    """When it happened, as the panel says: x-data H, else the time stamp."""
    found = re.fullmatch(r"_?(\d\d):(\d\d):(\d\d),(\d\d)-(\d\d)-(\d{4})", message.extra.get("H", ""))
    return _instant(found.groups()) if found else message.stamp


def _extra(rest: str) -> dict[str, str]:
    return {one[0]: one[1:] for one in re.findall(r"\[([A-Z][^\]]{0,500})\]", rest)}
