"""The log of a simulated Nuki Smart Lock, by the maker's Bluetooth API 2.2: entries, pages, the security PIN."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime

LOGGING, ACTION, CALIBRATION, KEYPAD, DOOR = 1, 2, 3, 5, 6
OPENED, CLOSED = 0, 1
SUCCESS, BLOCKED, INVALID_CODE = 0x00, 0x01, 0xE0
ASCENDING, DESCENDING = 0, 1

START = datetime(2026, 1, 15, 7, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry. at: by the lock's clock."""

    index: int
    at: datetime
    authorisation: int
    name: str
    type: int
    data: bytes

    def as_bytes(self) -> bytes:
        """The payload of Log Entry (0x0032)."""
        when = struct.pack(
            "<HBBBBB",
            self.at.year,
            self.at.month,
            self.at.day,
            self.at.hour,
            self.at.minute,
            self.at.second,
        )
        name = self.name.encode()[:32].ljust(32, b"\0")
        return (
            struct.pack("<I", self.index)
            + when
            + struct.pack("<I", self.authorisation)
            + name
            + bytes([self.type])
            + self.data
        )


@dataclass(slots=True)
class LockLog:
    """The log. enabled: whether anything is written down. pin: what a reader must know. now: the lock's clock."""

    pin: int = 1234
    enabled: bool = True
    now: datetime = START
    entries: list[LogEntry] = field(default_factory=list)
    wrong_pins: int = 0
    newest: int = 0

    def write(self, kind: int, data: bytes, *, authorisation: int = 0, name: str = "") -> None:
        """Write an entry down, if the log is kept."""
        if self.enabled:
            self.newest += 1
            self.entries.append(LogEntry(self.newest, self.now, authorisation, name, kind, data))

    def action(
        self, action: int, trigger: int, *, completion: int = SUCCESS, authorisation: int = 0, name: str = ""
    ) -> None:
        """A lock action by somebody or something."""
        self.write(ACTION, bytes([action, trigger, 0, completion]), authorisation=authorisation, name=name)

    def keypad(
        self, action: int, source: int, *, completion: int = SUCCESS, code: int = 0, name: str = ""
    ) -> None:
        """Somebody at the keypad. source: 0 back key, 1 code, 2 fingerprint."""
        self.write(KEYPAD, bytes([action, source, completion]) + struct.pack("<H", code), name=name)

    def door(self, *, is_open: bool) -> None:
        """The door sensor saw the leaf move."""
        self.write(DOOR, bytes([OPENED if is_open else CLOSED]))

    def reset(self) -> None:
        """Begin anew, as after a reset to factory settings."""
        self.entries, self.newest = [], 0

    def page(self, payload: bytes) -> list[LogEntry]:
        """The entries that Request Log Entries (0x0031) means."""
        start, count, order = struct.unpack("<IHB", payload[:7])
        ordered = sorted(self.entries, key=lambda one: one.index, reverse=order == DESCENDING)
        if start and order == DESCENDING:
            ordered = [one for one in ordered if one.index <= start]
        elif start:
            ordered = [one for one in ordered if one.index >= start]
        return ordered[:count]

    def count(self) -> bytes:
        """The payload of Log Entry Count (0x0033)."""
        return struct.pack("<BHBB", int(self.enabled), len(self.entries), 1, 1)
