"""Advertising data structures (Core Specification Supplement, part A), read leniently and without I/O.

A structure that lies about its length ends the reading; what came before it stands, as in BlueZ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

SHORT_NAME, FULL_NAME, TX_POWER, MANUFACTURER = 0x08, 0x09, 0x0A, 0xFF
SERVICE_LISTS = {0x02: 2, 0x03: 2, 0x04: 4, 0x05: 4, 0x06: 16, 0x07: 16}
"""Structure type → bytes of one service UUID in its list."""
SERVICE_DATA = {0x16: 2, 0x20: 4, 0x21: 16}
"""Structure type → bytes of the service UUID before its data."""
BASE = "{:08x}-0000-1000-8000-00805f9b34fb"


@dataclass
class Advertised:
    """What a device says of itself: the newest word on each subject, from advertisement and scan response."""

    name: str | None = None
    tx_power: int | None = None
    manufacturer: dict[int, bytes] = field(default_factory=dict)
    services: list[str] = field(default_factory=list)
    service_data: dict[str, bytes] = field(default_factory=dict)

    def update(self, data: bytes) -> None:
        """Take in the structures of one advertisement or scan response."""
        for kind, value in structures(data):
            self._take(kind, value)

    def _take(self, kind: int, value: bytes) -> None:
        if kind in {SHORT_NAME, FULL_NAME}:
            self.name = value.decode("utf-8", "replace")
        elif kind == TX_POWER and len(value) == 1:
            self.tx_power = int.from_bytes(value, "little", signed=True)
        elif kind == MANUFACTURER and len(value) >= 2:
            self.manufacturer[int.from_bytes(value[:2], "little")] = value[2:]
        elif kind in SERVICE_LISTS:
            self._list(value, SERVICE_LISTS[kind])
        elif kind in SERVICE_DATA and len(value) >= SERVICE_DATA[kind]:
            size = SERVICE_DATA[kind]
            self.service_data[uuid_text(value[:size])] = value[size:]

    def _list(self, value: bytes, size: int) -> None:
        for start in range(0, len(value) - size + 1, size):
            uuid = uuid_text(value[start : start + size])
            if uuid not in self.services:
                self.services.append(uuid)


def structures(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The (type, value) structures of an advertisement; padding or a wrong length ends them."""
    start = 0
    while start < len(data) and data[start]:
        end = start + 1 + data[start]
        if end > len(data):
            return
        yield data[start + 1], data[start + 2 : end]
        start = end


def uuid_text(little: bytes) -> str:
    """A UUID of 2, 4 or 16 bytes, least significant first, in full and in lower case."""
    if len(little) in {2, 4}:
        return BASE.format(int.from_bytes(little, "little"))
    text = little[::-1].hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
