"""Keys of simulated devices: files that the hub and the device both read."""

from __future__ import annotations

from pathlib import Path

from simulators.scenario.model import Device


class KeyMissing(Exception):  # noqa: N818  it says what is so
    """A device's key file is not there or holds no key."""


def key_of(device: Device, secrets: Path) -> bytes | None:
    """The device's key, None where it has none. Raises KeyMissing."""
    if "key" not in device.settings:
        return None
    return read_key(secrets / device.settings["key"], device.kind.key_bytes)


def read_key(path: Path, length: int = 16) -> bytes:
    """A key file holds hexadecimal digits. Raises KeyMissing with a sentence."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as wrong:
        why = getattr(wrong, "strerror", None) or wrong
        raise KeyMissing(f"the key {path} cannot be read: {why}") from None
    if len(key) != length:
        raise KeyMissing(f"the key {path} has {len(key)} bytes, {length} are expected")
    return key
