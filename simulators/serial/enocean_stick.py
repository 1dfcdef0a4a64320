"""An EnOcean radio stick with battery-free devices around it, from the ESP3 and EEP descriptions.

Every telegram comes in copies, as radio makes them; the stick answers questions for its base id.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from simulators.serial.cable import Cable
from simulators.serial.ports import Port

ROCKERS = {"AI": 0x10, "A0": 0x30, "BI": 0x50, "B0": 0x70}


def _table() -> list[int]:
    """CRC8, polynomial x8 + x2 + x + 1, one entry a byte."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value << 1 & 0xFF) ^ (0x07 if value & 0x80 else 0)  # noqa: PLW2901
        table.append(value)
    return table


CRC8 = _table()


def check(data: bytes) -> int:
    """Check byte of a packet's header or body."""
    crc = 0
    for byte in data:
        crc = CRC8[crc ^ byte]
    return crc


def packet(kind: int, data: bytes, optional: bytes = b"") -> bytes:
    """One packet from the stick to its host."""
    header = bytes([len(data) >> 8, len(data) & 255, len(optional), kind])
    return b"\x55" + header + bytes([check(header)]) + data + optional + bytes([check(data + optional)])


@dataclass(slots=True)
class StickFaults:
    """mute: it answers no question. copies: how often each telegram is heard. bad: so many have a wrong CRC."""

    mute: bool = False
    copies: int = 3
    bad: int = 0


class EnoceanRadio:
    """The stick at one port, and what its devices do. Senders are eight hexadecimal digits."""

    def __init__(self, *, base_id: str = "ff800000", cable: Cable | None = None, seed: int = 0) -> None:
        self.base_id = bytes.fromhex(base_id)
        self.cable = cable or Cable(seed)
        self.faults = StickFaults()
        self.questions = 0
        self._draw = random.Random(seed)
        self._port: Port | None = None
        self._asked = bytearray()

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

    def press(self, sender: str, button: Literal["AI", "A0", "BI", "B0"] = "A0") -> None:
        """F6-02: a rocker or pendant is pressed and let go."""
        self.telegram(sender, 0xF6, bytes([ROCKERS[button]]), 0x30)
        self.telegram(sender, 0xF6, b"\x00", 0x20)

    def push(self, sender: str) -> None:
        """F6-01-01: a push button is pressed and let go."""
        self.telegram(sender, 0xF6, b"\x10", 0x30)
        self.telegram(sender, 0xF6, b"\x00", 0x20)

    def key_card(self, sender: str, *, inserted: bool) -> None:
        """F6-04-01: a card in its holder."""
        self.telegram(sender, 0xF6, b"\x70" if inserted else b"\x00", 0x30 if inserted else 0x20)

    def leak(self, sender: str) -> None:
        """F6-05-01: water."""
        self.telegram(sender, 0xF6, b"\x11", 0x30)

    def smoke(self, sender: str, state: Literal["alarm", "quiet", "energy low"]) -> None:
        """F6-05-02: what a smoke detector says."""
        self.telegram(sender, 0xF6, {"alarm": b"\x10", "quiet": b"\x00", "energy low": b"\x30"}[state], 0x30)

    def contact(self, sender: str, *, closed: bool, teach_in: bool = False) -> None:
        """D5-00-01: a door or window contact."""
        self.telegram(sender, 0xD5, bytes([(0x01 if closed else 0) | (0 if teach_in else 0x08)]), 0x00)

    def motion(self, sender: str, *, moved: bool = True, volts: float = 3.0) -> None:
        """A5-07-01: occupancy, with the voltage of the supply."""
        payload = bytes([min(250, round(volts * 50)), 0x00, 0xC8 if moved else 0x00, 0x09])
        self.telegram(sender, 0xA5, payload, 0x00)

    def telegram(self, sender: str, rorg: int, payload: bytes, status: int) -> None:
        """Anything on the radio, in its copies."""
        data = bytes([rorg]) + payload + bytes.fromhex(sender) + bytes([status])
        for number in range(self.faults.copies):
            dbm = 60 + self._draw.randrange(30)
            raw = packet(0x01, data, bytes([self.faults.copies - number, 0xFF, 0xFF, 0xFF, 0xFF, dbm, 0x00]))
            if self.faults.bad > 0:
                self.faults.bad -= 1
                raw = raw[:-1] + bytes([raw[-1] ^ 0x40])
            self._write(raw)

    def _hear(self, data: bytes) -> None:
        self._asked += data
        question = packet(0x05, b"\x08")
        while question in self._asked:
            at = self._asked.index(question) + len(question)
            del self._asked[:at]
            self.questions += 1
            if not self.faults.mute:
                self._write(packet(0x02, b"\x00" + self.base_id, b"\x0a"))
        del self._asked[:-64]

    def _write(self, raw: bytes) -> None:
        if self._port is not None:
            self._port.write(raw)
