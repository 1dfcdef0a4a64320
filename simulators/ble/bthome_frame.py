"""BTHome v2 service data as a device builds it (bthome.io/format and bthome.io/encryption)."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

UUID = bytes.fromhex("d2fc")  # 0xFCD2, least significant byte first
VERSION_2 = 0b010 << 5
TRIGGER_BASED = 1 << 2
ENCRYPTED = 1 << 0
FLAGS = bytes.fromhex("020106")  # LE general discoverable, BR/EDR not supported

PRESSES = {
    "none": 0x00,
    "press": 0x01,
    "double_press": 0x02,
    "triple_press": 0x03,
    "long_press": 0x04,
    "long_double_press": 0x05,
    "long_triple_press": 0x06,
    "hold_press": 0x80,
}


def plain(objects: bytes, *, trigger_based: bool = True) -> bytes:
    """Service data without encryption, after the UUID."""
    return bytes([VERSION_2 | (TRIGGER_BASED if trigger_based else 0)]) + objects


def encrypted(objects: bytes, *, key: bytes, address: str, counter: int, trigger_based: bool = True) -> bytes:
    """Service data with AES-CCM: device information, ciphertext, counter, four bytes of integrity check."""
    device = bytes([VERSION_2 | ENCRYPTED | (TRIGGER_BASED if trigger_based else 0)])
    count = counter.to_bytes(4, "little")
    nonce = bytes.fromhex(address.replace(":", "")) + UUID + device + count
    sealed = AESCCM(key, tag_length=4).encrypt(nonce, objects, None)
    return device + sealed[:-4] + count + sealed[-4:]


def advertisement(service_data: bytes) -> bytes:
    """The whole advertisement: flags and service data."""
    body = bytes([0x16]) + UUID + service_data
    return FLAGS + bytes([len(body)]) + body


def scan_response(name: str) -> bytes:
    """The complete local name."""
    text = name.encode()[:29]
    return bytes([len(text) + 1, 0x09]) + text
