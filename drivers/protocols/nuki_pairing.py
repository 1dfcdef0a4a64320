"""Pairing with a Nuki Smart Lock: a key agreed on while its button is held, as a machine without I/O.

Curve25519 agrees on a key, HSalsa20 derives ours from it, HMAC-SHA256 proves to each side that the other has
it (Smart Lock API 2.2, authorise app).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from nacl.bindings import crypto_box_beforenm
from nacl.public import PrivateKey

from drivers.events import DecodeError
from drivers.protocols.conversation import Write
from drivers.protocols.nuki import CHALLENGE, ERROR, REQUEST_DATA, STATUS, Message, plain, read_plain

PAIRING: Final = "a92ee101-5501-11e4-916c-0800200c9a66"
PUBLIC_KEY, AUTHENTICATOR, AUTHORISATION, AUTHORISATION_ID, CONFIRMATION = 0x03, 0x05, 0x06, 0x07, 0x1E
BRIDGE: Final = 1  # id type: we are a bridge, not a person's phone
NAME: Final = 32
LENGTHS: Final = {PUBLIC_KEY: 36, CHALLENGE: 36, AUTHORISATION_ID: 88, STATUS: 5, ERROR: 7}
"""Bytes of each message the lock sends while pairing, CRC included: pieces of 20 bytes carry no length."""
REFUSED: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x10: "it is not in pairing mode; hold its button for five seconds, until its ring lights up",
        0x11: "it could not follow our proof of the key; try again",
        0x12: "it did not take what we said of ourselves",
        0x13: "it knows as many users as it can; remove one in the maker's app",
    }
)


class PairingError(Exception):
    """The lock did not pair; the sentence says why."""


class Pairing:
    """One pairing. secret: what to register when `done`; name: what the lock's owner will see."""

    def __init__(
        self,
        name: str,
        app_id: int,
        private: PrivateKey | None = None,
        nonce: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.done = False
        self._name = name.encode()[:NAME].ljust(NAME, b"\0")
        self._app = app_id.to_bytes(4, "little")
        self._private = private or PrivateKey.generate()
        self._nonce = nonce
        self._pieces = b""
        self._key = b""
        self._theirs = b""
        self._ours = b""
        self._id = b""
        self._challenges = 0

    @property
    def secret(self) -> bytes:
        """Shared key and authorisation id, as the registry keeps them."""
        if not self.done:
            raise PairingError("the pairing is not finished")
        return self._key + self._id

    def begin(self) -> list[Write]:
        """Ask for the lock's public key."""
        return [self._write(REQUEST_DATA, PUBLIC_KEY.to_bytes(2, "little"))]

    def heard(self, payload: bytes) -> list[Write]:
        """Take in a piece; returns what to write. Raises PairingError."""
        self._pieces += payload
        if len(self._pieces) < 2:
            return []
        command = int.from_bytes(self._pieces[:2], "little")
        length = LENGTHS.get(command)
        if length is None:
            raise PairingError(f"the lock answered with the unexpected command 0x{command:04x}")
        if len(self._pieces) < length:
            return []
        whole, self._pieces = self._pieces[:length], self._pieces[length:]
        try:
            return self._answer(read_plain(whole))
        except DecodeError as wrong:
            raise PairingError(str(wrong)) from None

    def _answer(self, message: Message) -> list[Write]:
        match message.command:
            case 0x03:
                return self._agree(message.payload)
            case 0x04:
                return self._prove(message.payload)
            case 0x07:
                return self._confirm(message.payload)
            case 0x0E:
                self.done = bool(self._id)
                return []
        code = message.payload[0]
        raise PairingError(f"the lock refused to pair: {REFUSED.get(code, f'error 0x{code:02x}')}")

    def _agree(self, theirs: bytes) -> list[Write]:
        self._theirs = theirs
        # crypto_box_beforenm is the published derivation: HSalsa20 of the Curve25519 product.
        self._key = crypto_box_beforenm(theirs, bytes(self._private))
        return [self._write(PUBLIC_KEY, bytes(self._private.public_key))]

    def _prove(self, challenge: bytes) -> list[Write]:
        if not self._key:
            raise PairingError("the lock sent a challenge before its public key")
        self._challenges += 1
        if self._challenges == 1:
            proof = self._sign(bytes(self._private.public_key) + self._theirs + challenge)
            return [self._write(AUTHENTICATOR, proof)]
        self._ours = self._nonce(32)
        body = bytes([BRIDGE]) + self._app + self._name + self._ours
        return [self._write(AUTHORISATION, self._sign(body + challenge) + body)]

    def _confirm(self, payload: bytes) -> list[Write]:
        proof, self._id, rest, challenge = payload[:32], payload[32:36], payload[36:52], payload[52:84]
        if not hmac.compare_digest(proof, self._sign(self._id + rest + challenge + self._ours)):
            self._id = b""
            raise PairingError("the lock could not prove that it has the key; it may be another device")
        return [self._write(CONFIRMATION, self._sign(self._id + challenge) + self._id)]

    def _sign(self, data: bytes) -> bytes:
        return hmac.new(self._key, data, hashlib.sha256).digest()

    def _write(self, command: int, payload: bytes) -> Write:
        return Write(PAIRING, plain(command, payload))
