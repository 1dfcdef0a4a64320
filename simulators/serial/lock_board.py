"""Lock boards of medicine cabinets on one RS-485 line, from their manuals: springs open, a hand closes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from simulators.serial.cable import Cable
from simulators.serial.ports import Port


@dataclass(slots=True)
class BoardFaults:
    """stuck: compartments that do not open. mute, wrong_checks, foreign: so many answers lost, damaged, of another."""

    stuck: set[int] = field(default_factory=set)
    mute: int = 0
    wrong_checks: int = 0
    foreign: int = 0


@dataclass(slots=True)
class LockBoard:
    """One board. opened_st: what it answers for a lock that opened. closed_bit: 1 if a set bit means closed."""

    address: int
    channels: int = 24
    opened_st: int = 0x11
    closed_bit: int = 1
    open: set[int] = field(default_factory=set)
    unlocks: list[int] = field(default_factory=list)
    faults: BoardFaults = field(default_factory=BoardFaults)

    def close(self, channel: int) -> None:
        """A hand pushes the compartment shut."""
        self.open.discard(channel)

    def answer(self, question: bytes) -> bytes:
        """What goes back on the line; empty for nothing."""
        body = self._unlock(question[2]) if question[0] == 0x8A else self._status()
        if self.faults.mute > 0:
            self.faults.mute -= 1
            return b""
        if self.faults.foreign > 0 and not self.faults.wrong_checks:
            self.faults.foreign -= 1
            body = bytes([body[0], body[1] % 31 + 1]) + body[2:]
        check = 0
        for byte in body:
            check ^= byte
        if self.faults.wrong_checks > 0:
            self.faults.wrong_checks -= 1
            check ^= 0x55
        return body + bytes([check])

    def _unlock(self, channel: int) -> bytes:
        self.unlocks.append(channel)
        stuck = channel in self.faults.stuck
        if not stuck:
            self.open.add(channel)
        state = self.opened_st if not stuck else 0x11 - self.opened_st
        return bytes([0x8A, self.address, channel, state])

    def _status(self) -> bytes:
        size = (self.channels + 7) // 8
        bits = 0
        for channel in range(1, self.channels + 1):
            closed = channel not in self.open
            if closed == bool(self.closed_bit):
                bits |= 1 << (channel - 1)
        return bytes([0x80, self.address]) + bits.to_bytes(size, "big") + b"\x33"


class LockBoards:
    """The line at one port, with its boards."""

    def __init__(self, *boards: LockBoard, cable: Cable | None = None) -> None:
        self.boards = {board.address: board for board in boards}
        self.cable = cable or Cable()
        self._port: Port | None = None
        self._held = bytearray()

    async def start(self, path: Path) -> None:
        """Plug in under this name."""
        self._port = Port(path, self._hear, cable=self.cable)
        self._port.plug()

    async def stop(self) -> None:
        """Unplug for good."""
        await self.unplug()
        self._port = None

    async def unplug(self) -> None:
        """Pull it out."""
        if self._port is not None:
            self._port.unplug()

    async def replug(self) -> None:
        """Plug it in again under the same name."""
        if self._port is not None:
            self._port.plug()

    def _hear(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= 5:
            question = bytes(self._held[:5])
            check = question[0] ^ question[1] ^ question[2] ^ question[3]
            if question[0] not in (0x80, 0x8A) or check != question[4]:
                del self._held[0]
                continue
            del self._held[:5]
            board = self.boards.get(question[1])
            if board is not None and self._port is not None:
                self._port.write(board.answer(question))
