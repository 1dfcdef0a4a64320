"""A nurse-call system on an ESPA 4.4.4 line, written from the protocol's description.

As `station` (address 2) it waits to be polled, selects the control station and sends its call. As `control`
(address 1) it needs no poll: it names itself, then the pager system, and sends. A call stays in its memory
until the other side has acknowledged it, however often the line breaks. It takes pages too, tells what became of
them (header 2) by itself or when asked (header 3), and asks the same about its own calls.

    SOH header STX id US data RS id US data … ETX BCC        BCC: exclusive or from the header to ETX, 7 bits
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from simulators.serial.cable import Cable
from simulators.serial.ports import Port

Outcome = Literal["acknowledged", "refused"]


def espa_block(header: str, records: list[tuple[str, str]], *, wrong_check: bool = False) -> bytes:
    """Write one block."""
    body = header + "\x02" + "\x1e".join(f"{number}\x1f{text}" for number, text in records) + "\x03"
    check = 0
    for byte in body.encode("latin-1"):
        check ^= byte
    check &= 0x7F
    return b"\x01" + body.encode("latin-1") + bytes([check ^ 0x11 if wrong_check else check])


@dataclass(slots=True)
class EspaMessage:
    """One block that waits or has gone. sent: how often it went out. outcome: set when it is over."""

    header: str
    records: list[tuple[str, str]]
    sent: int = 0
    outcome: asyncio.Future[Outcome] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(slots=True)
class EspaFaults:
    """What is wrong with the unit: the next so many blocks with a wrong check, sent twice, or cut off by unplugging.

    mute: it answers nothing.
    """

    wrong_checks: int = 0
    doubled: int = 0
    unplug_at: int | None = None
    mute: bool = False


class EspaUnit:
    """The unit. wait: seconds it waits for an answer. repeats: how often it sends a block again at once.

    pages: blocks it took. asked: addresses it was asked about (header 3). told: address and status (record 7) that the
    other side told it. becomes: what becomes of a page, by address; `tells` it by itself, or only when asked.
    """

    def __init__(
        self,
        *,
        role: Literal["station", "control"] = "station",
        own: str = "",
        peer: str = "",
        wait: float = 2.5,
        repeats: int = 3,
        pause: float = 0.2,
        cable: Cable | None = None,
    ) -> None:
        self.role = role
        self.own = own or ("2" if role == "station" else "1")
        self.peer = peer or ("1" if role == "station" else "2")
        self.faults = EspaFaults()
        self.cable = cable or Cable()
        self.naks = 0
        self.polls = 0
        self.pages: list[bytes] = []
        self.asked: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.becomes: dict[str, str] = {}
        self.tells = True
        self._wait, self._repeats, self._pause = wait, repeats, pause
        self._queue: deque[EspaMessage] = deque()
        self._phase: Literal["idle", "selecting", "sent", "selected"] = "idle"
        self._tries = 0
        self._refused = 0
        self._before = b""
        self._after_eot = False
        self._incoming = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._port: Port | None = None

    # -- what a scenario does

    async def start(self, path: Path) -> None:
        """Plug in under this name."""
        self._port = Port(path, self._hear, cable=self.cable)
        self._port.plug()

    async def stop(self) -> None:
        """Unplug for good."""
        await self.unplug()
        self._port = None

    async def call(self, place: str, text: str, *, priority: str = "1", call_type: str = "3") -> EspaMessage:
        """Somebody presses a button: record 1 place, 2 text, 4 type, 6 priority."""
        return self._put(
            "1", [("1", place), ("2", text), ("3", "1"), ("4", call_type), ("5", "1"), ("6", priority)]
        )

    async def clear(self, place: str, text: str = "") -> EspaMessage:
        """Somebody resets the call at its place (call type 1)."""
        return self._put("1", [("1", place), ("2", text or "RESET"), ("4", "1")])

    async def speech(self, line: str, text: str = "") -> EspaMessage:
        """A call to a subscriber line (header 4): somebody wants to speak."""
        return self._put("4", [("1", line), ("2", text or "TALE"), ("4", "2")])

    async def ask(self, place: str, text: str) -> EspaMessage:
        """What became of a call? (header 3: the call's records again)"""
        return self._put("3", [("1", place), ("2", text)])

    async def fault(self) -> EspaMessage:
        """The system reports its transmitter as broken (status, record 8)."""
        return self._put("2", [("8", "1")])

    async def unplug(self) -> None:
        """Pull the plug, in the middle of whatever happens."""
        self._rest()
        if self._port is not None:
            self._port.unplug()

    async def replug(self) -> None:
        """Plug in again under the same name."""
        if self._port is not None:
            self._port.plug()
        if self._queue:
            self._later(self._pause, self._begin_direct)

    async def noise(self, size: int = 200) -> None:
        """Random bytes on the line."""
        self.cable.garbage(size)

    @property
    def waiting(self) -> int:
        """Calls that nobody has acknowledged."""
        return len(self._queue)

    # -- how it speaks

    def _put(self, header: str, records: list[tuple[str, str]]) -> EspaMessage:
        message = EspaMessage(header, records)
        self._queue.append(message)
        if self._phase == "idle":
            self._begin_direct()
        return message

    def _begin_direct(self) -> None:
        """A control station takes the line by naming itself, then the other."""
        if self.role == "control" and self._queue and self._phase == "idle":
            self._select(f"\x04{self.own}\x05{self.peer}\x05")

    def _select(self, opening: str) -> None:
        self._phase = "selecting"
        self._send(opening.encode())
        self._later(self._wait, self._give_up)

    def _hear(self, data: bytes) -> None:
        for byte in data:
            if self._incoming:
                self._collect(byte)
            elif byte == 0x01 and self._phase == "selected":
                self._incoming.append(byte)
            else:
                self._control(byte)
                self._before = bytes([byte])

    def _collect(self, byte: int) -> None:
        """A page for us: take it to its check character and acknowledge it if the check is right."""
        self._incoming.append(byte)
        if len(self._incoming) > 2 and self._incoming[-2] == 0x03:
            check = 0
            for covered in self._incoming[1:-1]:
                check ^= covered
            right = check & 0x7F == byte & 0x7F
            raw = bytes(self._incoming)
            self._incoming.clear()
            self._send(b"\x06" if right else b"1\x15")
            if right:
                self._read(raw)

    def _read(self, raw: bytes) -> None:
        """A block for us: a page, a question, or an answer."""
        header, records = chr(raw[1]), raw[3:-2].decode("latin-1").split("\x1e")
        field = dict(record.split("\x1f", 1) for record in records)
        address = field.get("1", "")
        if header in "14":
            self.pages.append(raw)
        elif header == "3":
            self.asked.append(address)
        elif header == "2":
            self.told.append((address, field.get("7", "")))
        if address in self.becomes and (header == "3" or (self.tells and header in "14")):
            self._queue.append(EspaMessage("2", [("1", address), ("7", self.becomes[address])]))

    def _control(self, byte: int) -> None:
        if self.faults.mute:
            return
        if byte == 0x05:
            self._enquired()
        elif byte == 0x06:
            self._acknowledged()
        elif byte == 0x15:
            self._not_acknowledged(self._before)
        self._eot(byte)

    def _eot(self, byte: int) -> None:
        if byte == 0x04:
            self._after_eot = True
            if self._phase != "idle":
                self._rest()
                self._later(self._pause, self._begin_direct)
        elif byte in (0x05, 0x06, 0x15):
            self._after_eot = False

    def _enquired(self) -> None:
        if self._before != self.own.encode():
            return
        if self._after_eot and self.role == "station":
            self.polls += 1
            if self._queue:
                self._select(f"{self.peer}\x05")
            else:
                self._send(b"\x04")
        elif self._phase == "idle" or (self._phase == "selecting" and self.role == "station"):
            self._rest()  # both asked at once: the control station goes first
            self._phase = "selected"
            self._send(b"\x06")

    def _acknowledged(self) -> None:
        if self._phase == "selecting":
            self._phase, self._tries, self._refused = "sent", 0, 0
            self._transmit()
        elif self._phase == "sent":
            self._finish("acknowledged")

    def _not_acknowledged(self, cause: bytes) -> None:
        if self._phase not in ("selecting", "sent"):
            return
        self.naks += 1
        self._refused += cause == b"3"
        if self._refused > 2:
            self._finish("refused")
        elif cause == b"2" or self._phase == "selecting":
            self._give_up()
        else:
            self._again()

    def _again(self) -> None:
        self._tries += 1
        if self._tries > self._repeats:
            self._give_up()
        else:
            self._transmit()

    def _transmit(self) -> None:
        message = self._queue[0]
        message.sent += 1
        wrong, self.faults.wrong_checks = self.faults.wrong_checks > 0, max(0, self.faults.wrong_checks - 1)
        raw = espa_block(message.header, message.records, wrong_check=wrong)
        if self.faults.unplug_at is not None:
            at, self.faults.unplug_at = self.faults.unplug_at, None
            self._send(raw[:at])
            self._rest()
            assert self._port is not None
            asyncio.get_running_loop().call_later(0.02, self._port.unplug)
            return
        self._send(raw * 2 if self.faults.doubled > 0 else raw)
        self.faults.doubled = max(0, self.faults.doubled - 1)
        self._later(self._wait, self._again)

    def _finish(self, outcome: Outcome) -> None:
        message = self._queue.popleft()
        if not message.outcome.done():
            message.outcome.set_result(outcome)
        self._send(b"\x04")
        self._rest()
        self._later(0.0, self._begin_direct)

    def _give_up(self) -> None:
        """End the attempt; the call stays and is tried again."""
        self._send(b"\x04")
        self._rest()
        self._later(self._pause, self._begin_direct)

    def _rest(self) -> None:
        self._phase = "idle"
        self._incoming.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _later(self, seconds: float, do: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        assert callable(do)
        self._timer = asyncio.get_running_loop().call_later(seconds, do)

    def _send(self, data: bytes) -> None:
        if self._port is not None and not self.faults.mute:
            self._port.write(data)
