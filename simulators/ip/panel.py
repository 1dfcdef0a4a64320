"""An alarm panel that reports by SIA DC-09, written from the standard's description.

It keeps every event until it holds the ACK with its own number, sends it again after a while, and sets its
clock by the time in a NAK.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

CRC_TABLE = [0] * 256
for _value in range(256):
    _crc = _value
    for _ in range(8):
        _crc = (_crc >> 1) ^ (0xA001 if _crc & 1 else 0)
    CRC_TABLE[_value] = _crc


def frame(body: bytes) -> bytes:
    """LF, check, length, body, CR."""
    crc = 0
    for byte in body:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return b"\n%04X%04X" % (crc, len(body)) + body + b"\r"


@dataclass(slots=True)
class PanelFaults:
    """In numbers of frames: a wrong check, an answer that is lost. decimal: the length in decimal digits.

    split: byte by byte. joined: rubbish and the frame before in the same segment.
    """

    wrong_checks: int = 0
    lost_answers: int = 0
    decimal: bool = False
    split: bool = False
    joined: bytes = b""


class Panel:
    """A panel with an account. key: hexadecimal. clock: how far its clock is from the true one."""

    def __init__(
        self, account: str, receiver: tuple[str, int], *, key: str = "", wait: float = 2.0, seed: int = 0
    ) -> None:
        self.account = account
        self.receiver = receiver
        self.faults = PanelFaults()
        self.clock = timedelta(0)
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.answers: list[str] = []
        self.tries = 0
        self._key = bytes.fromhex(key)
        self._wait = wait
        self._draw = random.Random(seed)
        self._seq = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def start(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(*self.receiver)

    async def stop(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        self._reader = self._writer = None

    async def contact_id(
        self, event: str, *, qualifier: str = "1", group: str = "00", zone: str = "001"
    ) -> str:
        """Report a Contact ID event; the answer's name."""
        return await self.report("ADM-CID", f"#{self.account}|{qualifier}{event} {group} {zone}")

    async def letters(self, code: str, zone: str = "") -> str:
        """Report a SIA event; the answer's name."""
        return await self.report("SIA-DCS", f"#{self.account}|N{code}{zone}")

    async def poll(self) -> str:
        """The line is tested; the answer's name."""
        return await self.report("NULL", "")

    async def report(self, name: str, data: str, *, extra: str = "", tries: int = 5) -> str:
        """Send until an answer comes; a NAK sets the clock and is followed by another try."""
        self._seq = self._seq % 9999 + 1
        for _ in range(tries):
            self.tries += 1
            answer = await self._attempt(name, data, extra)
            if answer == "NAK":
                continue
            if answer:
                return answer
        return self.answers[-1] if self.answers else ""

    def compose(self, name: str, data: str, extra: str = "") -> bytes:
        """One frame as it goes out now."""
        stamp = f"{self.now() + self.clock:_%H:%M:%S,%m-%d-%Y}"
        head = f'"{"*" if self._key else ""}{name}"{self._seq:04d}L0#{self.account}['
        body = head + (self._sealed(data, extra, stamp) if self._key else f"{data}]{extra}{stamp}")
        raw = frame(body.encode())
        if self.faults.wrong_checks > 0:
            self.faults.wrong_checks -= 1
            raw = b"\n0000" + raw[5:]
        if self.faults.decimal:
            raw = raw[:5] + b"%04d" % len(body.encode()) + raw[9:]
        return raw

    async def send(self, raw: bytes) -> None:
        """Put bytes on the line."""
        assert self._writer is not None
        for piece in [raw[at : at + 1] for at in range(len(raw))] if self.faults.split else [raw]:
            self._writer.write(piece)
            await self._writer.drain()

    async def answer(self) -> str:
        """The next frame from the receiver, opened; empty if none comes in time."""
        assert self._reader is not None
        try:
            async with asyncio.timeout(self._wait):
                raw = await self._reader.readuntil(b"\r")
        except (TimeoutError, asyncio.IncompleteReadError):
            return ""
        return self._read(raw)

    async def _attempt(self, name: str, data: str, extra: str) -> str:
        joined, self.faults.joined = self.faults.joined, b""
        await self.send(joined + self.compose(name, data, extra))
        text = await self.answer()
        if self.faults.lost_answers > 0:
            self.faults.lost_answers -= 1
            return ""
        found = re.search(r'"\*?([A-Z]+)"(\d{4})', text)
        if not found:
            return ""
        self.answers.append(found.group(1))
        if found.group(1) == "NAK":
            self._set_clock(text)
            return "NAK"
        return found.group(1) if found.group(2) == f"{self._seq:04d}" else ""

    def _set_clock(self, text: str) -> None:
        stamp = re.search(r"_(\d\d:\d\d:\d\d,\d\d-\d\d-\d{4})", text)
        if stamp:
            told = datetime.strptime(stamp.group(1), "%H:%M:%S,%m-%d-%Y").replace(tzinfo=UTC)
            self.clock = told - self.now()

    def _sealed(self, data: str, extra: str, stamp: str) -> str:
        tail = (f"|{data}" if data else "") + f"]{extra}{stamp}"
        length = len(tail.encode())
        pad = "".join(
            self._draw.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") for _ in range(16 + (-length) % 16)
        )
        seal = Cipher(algorithms.AES(self._key), modes.CBC(bytes(16))).encryptor()
        return (seal.update((pad + tail).encode()) + seal.finalize()).hex()

    def _read(self, raw: bytes) -> str:
        text = raw[9:-1].decode()
        head, _, sealed = text.partition("[")
        if '"*' not in head or not self._key:
            return text
        seal = Cipher(algorithms.AES(self._key), modes.CBC(bytes(16))).decryptor()
        return head + "[" + (seal.update(bytes.fromhex(sealed)) + seal.finalize()).decode("utf-8", "replace")
