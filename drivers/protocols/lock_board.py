"""RS-485 lock boards of medicine cabinets: unlock a compartment, read which are closed.

    unlock        8A board channel 11 xor          answer   8A board channel st xor
    read all      80 board 00 33 xor               answer   80 board s(k)…s(0) 33 xor

The last byte of every frame is the exclusive or of those before it. There is no framing byte: the length follows
from the first byte and the number of channels. What `st` and a status bit of 1 mean differs between boards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Any, Final

from drivers.events import DecodeError
from drivers.settings import Settings, one_of, taken

UNLOCK, READ = 0x8A, 0x80
UNLOCK_MARK, READ_MARK = 0x11, 0x33
CHANNELS: Final = (8, 12, 18, 24)
SETTINGS: Final[Settings] = {
    "channels": one_of(*CHANNELS, usual=24),
    "opened_st": one_of(0x11, 0x00, usual=0x11),
    "closed_bit": one_of(0, 1, usual=1),
}
"""In the order of Board's fields."""


@dataclass(frozen=True, slots=True)
class Board:
    """What is known of one kind of board. opened: the `st` of a compartment that opened. closed: the bit value."""

    channels: int = 24
    opened: int = 0x11
    closed: int = 1

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Board:
        """Read `channels`, `opened_st` and `closed_bit`. Raises ValueError with a sentence."""
        return cls(*(taken(SETTINGS, settings, name) for name in SETTINGS))

    @property
    def status_bytes(self) -> int:
        """Bytes of a whole status: one for eight locks."""
        return (self.channels + 7) // 8

    def length(self, first: int) -> int:
        """Bytes of an answer that begins so; 0 if no answer does."""
        return {UNLOCK: 5, READ: 4 + self.status_bytes}.get(first, 0)


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The answer to an unlock: whether the compartment opened."""

    board: int
    channel: int
    opened: bool


@dataclass(frozen=True, slots=True)
class Status:
    """Which compartments are open, of one board."""

    board: int
    open: tuple[int, ...]


def check(data: bytes) -> int:
    """Exclusive or of all bytes."""
    return reduce(xor, data, 0)


def write_unlock(board: int, channel: int) -> bytes:
    """The frame that opens one compartment."""
    return _frame(bytes([UNLOCK, board, channel, UNLOCK_MARK]))


def write_read(board: int) -> bytes:
    """The question which compartments are closed."""
    return _frame(bytes([READ, board, 0, READ_MARK]))


def read_answer(raw: bytes, kind: Board) -> Unlocked | Status:
    """Read one answer. Raises DecodeError."""
    if not raw or len(raw) != kind.length(raw[0]):
        expected = f"{kind.length(UNLOCK)} bytes from 8A or {kind.length(READ)} from 80"
        raise DecodeError(f"expected {expected}, got {len(raw)}: {raw[:20].hex()}")
    if check(raw[:-1]) != raw[-1]:
        raise DecodeError(f"expected check byte {check(raw[:-1]):02X}, got {raw[-1]:02X}")
    if not 1 <= raw[1] <= 31:
        raise DecodeError(f"a board's address is 1 to 31, not {raw[1]}")
    return _unlocked(raw, kind) if raw[0] == UNLOCK else _status(raw, kind)


def _unlocked(raw: bytes, kind: Board) -> Unlocked:
    if not 1 <= raw[2] <= kind.channels:
        raise DecodeError(f"this board has channels 1 to {kind.channels}, not {raw[2]}")
    if raw[3] not in (0x11, 0x00):
        raise DecodeError(f"the state of an unlock answer is 11 or 00, not {raw[3]:02X}")
    return Unlocked(raw[1], raw[2], raw[3] == kind.opened)


def _status(raw: bytes, kind: Board) -> Status:
    if raw[-2] != READ_MARK:
        raise DecodeError(f"expected 33 behind the status bytes, got {raw[-2]:02X}")
    bits = int.from_bytes(raw[2 : 2 + kind.status_bytes], "big")
    opened = (n for n in range(1, kind.channels + 1) if (bits >> (n - 1)) & 1 != kind.closed)
    return Status(raw[1], tuple(opened))


def _frame(body: bytes) -> bytes:
    return body + bytes([check(body)])
