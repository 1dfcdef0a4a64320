"""Nuki Smart Lock Bluetooth API: messages and encryption.

As published by the maker (Smart Lock API 2.2). A message is a command, its payload and a CRC; on the
user-specific characteristic it is sealed with XSalsa20-Poly1305 under the key of the pairing, and arrives in
pieces of 20 bytes. Every lock action carries a challenge of the lock that is good for one action only.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drivers.events import DecodeError

if TYPE_CHECKING:
    from nacl.secret import SecretBox

USER_DATA: Final = "a92ee202-5501-11e4-916c-0800200c9a66"
SERVICE: Final = bytes.fromhex("a92ee200550111e4916c0800200c9a66")
APPLE: Final = 0x004C
IBEACON: Final = bytes([0x02, 0x15])

REQUEST_DATA, CHALLENGE, STATES, LOCK_ACTION, STATUS, ERROR = 0x01, 0x04, 0x0C, 0x0D, 0x0E, 0x12
BATTERY_REPORT, REQUEST_CONFIG, CONFIG, VERIFY_PIN = 0x11, 0x14, 0x15, 0x20
COMPLETE, ACCEPTED = 0x00, 0x01
UNLOCK, LOCK = 0x01, 0x02

SECRET: Final = 36
"""Bytes of a registered secret: the shared key (32), then our authorisation id (4, least significant first)."""
HEAD: Final = 30  # nonce (24), authorisation id (4), length (2), in the clear before each sealed message
NONCE: Final = 24
SEAL: Final = 16  # bytes of the integrity check
LONGEST: Final = 512  # bytes of one message; the longest published one has 190
CHALLENGE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Message:
    """One command of the lock or to it."""

    command: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Secret:
    """What pairing left: the shared key, and under which id the lock knows us."""

    key: bytes
    authorisation: int

    @classmethod
    def read(cls, raw: bytes | None) -> Secret:
        """From a registered key. Raises ValueError with a sentence that does not repeat it."""
        if raw is None:
            raise ValueError("no key is registered for this lock; pair it first")
        if len(raw) != SECRET:
            raise ValueError(
                f"a Nuki lock's key has {SECRET} bytes (key and authorisation id), not {len(raw)}"
            )
        return cls(raw[:32], int.from_bytes(raw[32:], "little"))


def crc(data: bytes) -> bytes:
    """CRC-CCITT, polynomial 0x1021, initial remainder 0xFFFF, least significant byte first."""
    return binascii.crc_hqx(data, 0xFFFF).to_bytes(2, "little")


def plain(command: int, payload: bytes = b"") -> bytes:
    """An unencrypted message, as pairing uses them."""
    body = command.to_bytes(2, "little") + payload
    return body + crc(body)


def read_plain(data: bytes) -> Message:
    """Read an unencrypted message. Raises DecodeError."""
    if len(data) < 4:
        raise DecodeError(f"a Nuki message has at least 4 bytes (command, CRC), not {len(data)}")
    if crc(data[:-2]) != data[-2:]:
        raise DecodeError(f"the CRC of a Nuki message is {data[-2:].hex()}, expected {crc(data[:-2]).hex()}")
    return Message(int.from_bytes(data[:2], "little"), data[2:-2])


def seal(secret: Secret, command: int, payload: bytes, nonce: bytes) -> bytes:
    """An encrypted message. nonce: 24 bytes that were never used before with this key."""
    body = secret.authorisation.to_bytes(4, "little") + command.to_bytes(2, "little") + payload
    sealed = _box(secret).encrypt(body + crc(body), nonce).ciphertext
    return nonce + body[:4] + len(sealed).to_bytes(2, "little") + sealed


def whole_length(data: bytes) -> int | None:
    """How long the sealed message that begins here is; None while its head is not complete.

    Raises DecodeError for a length that no message has.
    """
    if len(data) < HEAD:
        return None
    length = int.from_bytes(data[28:HEAD], "little")
    if not SEAL + 8 <= length <= LONGEST:
        raise DecodeError(f"a sealed Nuki message has {SEAL + 8} to {LONGEST} bytes, not {length}")
    return HEAD + length


def unseal(secret: Secret, data: bytes) -> Message:
    """Open a whole sealed message. Raises DecodeError."""
    box = _box(secret)
    try:
        body = box.decrypt(data[HEAD:], data[:NONCE])
    except Exception:  # PyNaCl's CryptoError, which is imported only where there are Nuki locks
        raise DecodeError("the message does not fit the registered key, or was changed on the way") from None
    if len(body) < 8:
        raise DecodeError(f"a Nuki message has at least 8 bytes under its seal, not {len(body)}")
    if crc(body[:-2]) != body[-2:]:
        raise DecodeError(f"the CRC of a Nuki message is {body[-2:].hex()}, expected {crc(body[:-2]).hex()}")
    return Message(int.from_bytes(body[4:6], "little"), body[6:-2])


def _box(secret: Secret) -> SecretBox:
    """The cipher. Raises DecodeError where PyNaCl is not installed: it is an extra of this package."""
    try:
        from nacl.secret import SecretBox as Box  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise DecodeError("Nuki locks need PyNaCl; install trygghub[nuki]") from None
    return Box(secret.key)


def calls(manufacturer: dict[int, bytes]) -> bool:
    """Whether the lock's beacon says that its state has changed since somebody last asked (lowest bit)."""
    beacon = manufacturer.get(APPLE, b"")
    return len(beacon) == 23 and beacon[:2] == IBEACON and beacon[2:18] == SERVICE and bool(beacon[22] & 1)
