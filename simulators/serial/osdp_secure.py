"""OSDP Secure Channel, the device's half (IEC 60839-11-5, annex on Secure Channel): keys, cryptograms, MACs.

    S-ENC  = AES(SCBK, 01 82 RND.A[0..5] 00…)       S-MAC1 … 01 01 …       S-MAC2 … 01 02 …
    client cryptogram = AES(S-ENC, RND.A RND.B)     server cryptogram = AES(S-ENC, RND.B RND.A)
    first R-MAC = AES(S-MAC2, AES(S-MAC1, server cryptogram))

A MAC is the last block of a CBC chain whose vector is the last MAC of the other direction: all blocks under S-MAC1,
the last one under S-MAC2. Data is encrypted in CBC under S-ENC; its vector is that MAC with every bit turned.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

DEFAULT_KEY = bytes(range(0x30, 0x40))
"""SCBK-D: everybody's key, for installing only."""
BLOCK = 16
MAC_SENT = 4
"""Bytes of a MAC that travel."""


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """One block of AES (or several, each for itself)."""
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  the standard's key derivation
    return cipher.update(block) + cipher.finalize()


def padded(data: bytes) -> bytes:
    """80, then zeros, to whole blocks."""
    data += b"\x80"
    return data + bytes(-len(data) % BLOCK)


class Session:
    """One handshake and what follows. random_b: the device's eight random bytes."""

    def __init__(self, key: bytes, random_a: bytes, random_b: bytes) -> None:
        def derived(code: int) -> bytes:
            return encrypt_block(key, bytes([0x01, code]) + random_a[:6] + bytes(8))

        self._enc, self._mac1, self._mac2 = derived(0x82), derived(0x01), derived(0x02)
        self.random_b = random_b
        self.client_cryptogram = encrypt_block(self._enc, random_a + random_b)
        self._server_cryptogram = encrypt_block(self._enc, random_b + random_a)
        self._last_command = self._last_reply = bytes(BLOCK)
        self.established = False

    def verify(self, server_cryptogram: bytes) -> bytes:
        """The controller proves that it has the key: the first R-MAC; empty if it has not."""
        if server_cryptogram != self._server_cryptogram:
            return b""
        self._last_reply = encrypt_block(self._mac2, encrypt_block(self._mac1, server_cryptogram))
        self.established = True
        return self._last_reply

    def command_is_right(self, message: bytes, mac: bytes) -> bool:
        """Check a command's MAC; a right one becomes the vector of the reply."""
        right = self._mac(message, self._last_reply)
        if right[:MAC_SENT] != mac:
            return False
        self._last_command = right
        return True

    def reply_mac(self, message: bytes) -> bytes:
        """The MAC of a reply, which becomes the vector of the next command."""
        self._last_reply = self._mac(message, self._last_command)
        return self._last_reply[:MAC_SENT]

    def decrypt(self, data: bytes) -> bytes:
        """A command's data. Raises ValueError for what is no padded whole of blocks."""
        vector = bytes(0xFF - byte for byte in self._last_reply)
        cipher = Cipher(algorithms.AES(self._enc), modes.CBC(vector)).decryptor()
        plain = (cipher.update(data) + cipher.finalize()).rstrip(b"\x00")
        if not plain.endswith(b"\x80"):
            raise ValueError("the data is not padded with 80")
        return plain[:-1]

    def encrypt(self, data: bytes) -> bytes:
        """A reply's data."""
        vector = bytes(0xFF - byte for byte in self._last_command)
        cipher = Cipher(algorithms.AES(self._enc), modes.CBC(vector)).encryptor()
        return cipher.update(padded(data)) + cipher.finalize()

    def _mac(self, message: bytes, vector: bytes) -> bytes:
        whole = padded(message) if len(message) % BLOCK else message
        for at in range(0, len(whole), BLOCK):
            key = self._mac2 if at + BLOCK == len(whole) else self._mac1
            mixed = bytes(a ^ b for a, b in zip(whole[at : at + BLOCK], vector, strict=True))
            vector = encrypt_block(key, mixed)
        return vector
