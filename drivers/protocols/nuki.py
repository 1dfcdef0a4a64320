"""Nuki Smart Lock Bluetooth API: messages, encryption, and the conversation that locks and unlocks.

As published by the maker (Smart Lock API 2.2). A message is a command, its payload and a CRC; on the
user-specific characteristic it is sealed with XSalsa20-Poly1305 under the key of the pairing, and arrives in
pieces of 20 bytes. Every lock action carries a challenge of the lock that is good for one action only.
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drivers.device_type import Outgoing
from drivers.events import DecodeError
from drivers.protocols.conversation import Act, Failed, Sent, Tell, Write

if TYPE_CHECKING:
    from nacl.secret import SecretBox

USER_DATA: Final = "a92ee202-5501-11e4-916c-0800200c9a66"
SERVICE: Final = bytes.fromhex("a92ee200550111e4916c0800200c9a66")
APPLE: Final = 0x004C
IBEACON: Final = bytes([0x02, 0x15])

REQUEST_DATA, CHALLENGE, STATES, LOCK_ACTION, STATUS, ERROR = 0x01, 0x04, 0x0C, 0x0D, 0x0E, 0x12
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


class Talk:
    """One connection's conversation: ask for the state, and carry out one action at a time.

    An action is written at most once, and never after its answer was lost: who asked is told that it is not
    known whether the bolt moved, and the next connection asks for the state.
    """

    def __init__(self, raw: bytes | None, nonce: Callable[[int], bytes] = os.urandom) -> None:
        self._secret = Secret.read(raw)
        self._nonce = nonce
        self._pieces = b""
        self._ticket: int | None = None
        self._action = 0
        self._acting = False
        self._asking = False

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._ticket is not None or self._asking

    def begin(self) -> list[Act]:
        """Ask for the state first."""
        return [self._ask()]

    def send(self, ticket: int, outgoing: Outgoing) -> list[Act]:
        """Begin an action (one byte: unlock or lock) by asking for a challenge, once the lock is free for it."""
        if self._ticket is not None:
            return [Failed(ticket, "the lock is still busy with another command")]
        if outgoing.payload not in {bytes([UNLOCK]), bytes([LOCK])}:
            return [Failed(ticket, f"the lock knows no action {outgoing.payload.hex()!r:.20}")]
        self._ticket, self._action, self._acting = ticket, outgoing.payload[0], False
        return [] if self._asking else [self._ask_challenge()]

    def cancel(self, ticket: int) -> None:
        """Nobody waits any more: a challenge that comes late is not answered."""
        if self._ticket == ticket:
            self._ticket = None

    def heard(self, channel: str, payload: bytes) -> list[Act]:
        """Collect pieces; act on every whole message."""
        if channel != USER_DATA:
            return [Tell(channel, payload)]
        self._pieces += payload
        acts: list[Act] = []
        try:
            while (length := whole_length(self._pieces)) is not None and len(self._pieces) >= length:
                whole, self._pieces = self._pieces[:length], self._pieces[length:]
                acts += self._message(whole)
        except DecodeError:
            # What cannot be read is for the journal; the next message begins with the next piece.
            acts.append(Tell(channel, self._pieces))
            self._pieces = b""
        return acts

    def lost(self) -> list[Act]:
        """End what is under way, and say honestly how far it had come."""
        ticket, self._ticket = self._ticket, None
        if ticket is None:
            return []
        if self._acting:
            return [
                Failed(
                    ticket,
                    "the link was lost after the command was sent; whether the bolt moved is not known",
                )
            ]
        return [Failed(ticket, "the link was lost before the command was sent; nothing was done")]

    def _message(self, whole: bytes) -> list[Act]:
        try:
            message = unseal(self._secret, whole)
        except DecodeError:
            return [Tell(USER_DATA, whole)]
        match message.command:
            case c if c == CHALLENGE:
                return self._challenged(message.payload)
            case c if c == STATES and self._asking:
                self._asking = False
                waiting = self._ticket is not None and not self._acting
                return [Tell(USER_DATA, whole), *([self._ask_challenge()] if waiting else [])]
            case c if c == STATUS and message.payload[:1] == bytes([COMPLETE]):
                return [Tell(USER_DATA, whole), *self._answered(), self._ask()]
            case c if c == ERROR:
                return [Tell(USER_DATA, whole), *self._answered()]
        return [Tell(USER_DATA, whole)]

    def _challenged(self, challenge: bytes) -> list[Act]:
        if self._ticket is None or self._acting or len(challenge) != CHALLENGE_BYTES:
            return []
        self._acting = True
        us = self._secret.authorisation.to_bytes(4, "little")
        return [self._write(LOCK_ACTION, bytes([self._action]) + us + bytes([0]) + challenge)]

    def _answered(self) -> list[Act]:
        ticket, self._ticket = self._ticket, None
        return [] if ticket is None else [Sent(ticket)]

    def _ask_challenge(self) -> Write:
        return self._write(REQUEST_DATA, CHALLENGE.to_bytes(2, "little"))

    def _ask(self) -> Write:
        self._asking = True
        return self._write(REQUEST_DATA, STATES.to_bytes(2, "little"))

    def _write(self, command: int, payload: bytes) -> Write:
        return Write(USER_DATA, seal(self._secret, command, payload, self._nonce(NONCE)))
