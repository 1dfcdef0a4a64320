"""A GSM modem with a card and a network, from 27.005 and 27.007: it echoes, interrupts, and keeps messages.

Texts are packed and unpacked here by hand, bit by bit, so that nothing is shared with the program under test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from simulators.serial.cable import Cable
from simulators.serial.ports import Port

BASIC = {"@": 0, "Å": 14, "å": 15, "Ø": 11, "ø": 12, "Æ": 28, "æ": 29, " ": 32}


def code_of(character: str) -> int:
    """One character in the GSM alphabet, as far as alarms need it."""
    if character in BASIC:
        return BASIC[character]
    if re.fullmatch(r"[A-Za-z0-9!\"#%&'()*+,./:;<=>?\-]", character):
        return ord(character)
    raise ValueError(f"this modem cannot write {character!r}")


def pack(text: str) -> bytes:
    """Seven bits a character, least significant first."""
    bits = "".join(format(code_of(one), "07b")[::-1] for one in text)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


def unpack(data: bytes, count: int, skip: int = 0) -> str:
    """The other way, for messages that the program sends."""
    known = {code: one for one, code in BASIC.items()}
    bits = "".join(format(byte, "08b")[::-1] for byte in data)
    codes = [int(bits[7 * at : 7 * at + 7][::-1], 2) for at in range(skip, count)]
    return "".join(known.get(code, chr(code)) for code in codes)


def stamp_of(at: datetime) -> str:
    """A moment with its offset as the network stamps it: swapped digits of date, time and quarters of an hour."""
    quarters = round((at.utcoffset() or timedelta(0)) / timedelta(minutes=15))
    fields = (*(int(one) for one in f"{at:%y %m %d %H %M %S}".split()), abs(quarters))
    swapped = [f"{one % 10}{one // 10}" for one in fields]
    if quarters < 0:  # the sign is bit 3 of the first half written
        swapped[6] = f"{int(swapped[6], 16) | 0x08:02X}"
    return "".join(swapped)


def status_report(reference: int, number: str, state: int) -> bytes:
    """An SMS-STATUS-REPORT: what became of a message that was sent."""
    digits = number.lstrip("+")
    padded = digits + "F" * (len(digits) % 2)
    half = bytes.fromhex("".join(padded[at + 1] + padded[at] for at in range(0, len(padded), 2)))
    times = bytes.fromhex("62101120000040") * 2
    return b"\x00\x06" + bytes([reference, len(digits), 0x91]) + half + times + bytes([state])


def deliver_parts(sender: str, text: str, size: int = 60) -> list[bytes]:
    """A long text in UCS-2, as the network hands it over: one SMS-DELIVER a part, with a common reference."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    digits = sender.lstrip("+")
    padded = digits + "F" * (len(digits) % 2)
    number = bytes.fromhex("".join(padded[at + 1] + padded[at] for at in range(0, len(padded), 2)))
    parts = []
    for part, piece in enumerate(pieces, 1):
        body = bytes([5, 0, 3, 0x2A, len(pieces), part]) + piece.encode("utf-16-be")
        head = (
            b"\x00\x44" + bytes([len(digits), 0x91]) + number + b"\x00\x08" + bytes.fromhex("62101120000040")
        )
        parts.append(head + bytes([len(body)]) + body)
    return parts


def deliver(sender: str, text: str, stamp: str = "62101120000040") -> bytes:
    """An SMS-DELIVER as the network hands it over. stamp: seven swapped bytes, 2026-01-11 02:00:00 +1 h."""
    digits = sender.lstrip("+")
    padded = digits + "F" * (len(digits) % 2)
    number = bytes.fromhex("".join(padded[at + 1] + padded[at] for at in range(0, len(padded), 2)))
    kind = b"\x91" if sender.startswith("+") else b"\x81"
    body = pack(text)
    head = b"\x00\x04" + bytes([len(digits)]) + kind + number + b"\x00\x00" + bytes.fromhex(stamp)
    return head + bytes([len(text)]) + body


@dataclass(slots=True)
class ModemFaults:
    """mute: it says nothing. refuse: so many messages are refused. ring: RING before each answer. network: on it.

    card: it is in. report: state that the network reports of each message (0 delivered), None for no reports.
    """

    mute: bool = False
    refuse: int = 0
    ring: bool = False
    network: bool = True
    card: bool = True
    report: int | None = 0


@dataclass(slots=True)
class GsmModem:
    """A modem at a port. pin: what its card wants, empty for none. sent: (number, text) of messages that went out."""

    pin: str = ""
    cable: Cable = field(default_factory=Cable)
    faults: ModemFaults = field(default_factory=ModemFaults)
    card: dict[int, bytes] = field(default_factory=dict)
    sent: list[tuple[str, str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    _port: Port | None = None
    _held: bytearray = field(default_factory=bytearray)
    _echo: bool = True
    _unlocked: bool = False
    _pdu: bool = False
    _tells: bool = False
    _reports: bool = False

    async def start(self, path: Path) -> None:
        """Plug in under this name."""
        self._unlocked = not self.pin
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
        """Plug it in again; its card has kept everything, it has forgotten the rest."""
        self._forget()
        if self._port is not None:
            self._port.plug()

    def restart(self) -> None:
        """It starts anew by itself, and says so in its maker's words."""
        self._forget()
        for line in ("RDY", "+CFUN: 1", "+CPIN: READY" if self._unlocked else "+CPIN: SIM PIN", "Call Ready"):
            self._say(line)

    def _forget(self) -> None:
        self._echo, self._pdu, self._unlocked = True, False, not self.pin
        self._tells = self._reports = False
        self._held.clear()

    def arrive(self, sender: str, text: str, at: datetime | None = None) -> int:
        """A message comes from the network and is kept on the card. at: the network's stamp."""
        return self.keep(deliver(sender, text, stamp_of(at)) if at else deliver(sender, text))

    def keep(self, pdu: bytes) -> int:
        """Any bytes come as a message."""
        index = max(self.card, default=0) + 1
        self.card[index] = pdu
        if self._tells:
            self._say(f'+CMTI: "SM",{index}')
        return index

    def _hear(self, data: bytes) -> None:
        self._held += data
        while self._held:
            if self._pdu:
                end = self._held.find(0x1A)
                if 0x1B in self._held:
                    self._held.clear()
                    self._pdu = False
                    return
                if end < 0:
                    return
                pdu, self._pdu = bytes(self._held[:end]), False
                del self._held[: end + 1]
                self._send(pdu)
                continue
            end = self._held.find(0x0D)
            if end < 0:
                return
            line = bytes(self._held[:end]).decode("latin-1").strip()
            del self._held[: end + 1]
            self._told(line)

    def _told(self, line: str) -> None:
        self.commands.append(line)
        if self._echo:
            self._raw(f"{line}\r")
        if self.faults.ring:
            self._say("RING")
        name, _, value = line.partition("=")
        if line == "ATE0":
            self._echo = False
        elif name == "AT+CPIN?" and not self.faults.card:
            self._say("+CME ERROR: 10")
            return
        elif name == "AT+CNMI":
            asked = value.split(",")
            self._tells, self._reports = asked[1] == "1", asked[3] == "1"
        elif name == "AT+CPIN?":
            self._say("+CPIN: READY" if self._unlocked else "+CPIN: SIM PIN")
        elif name == "AT+CPIN":
            self._unlocked = value == self.pin
            if not self._unlocked:
                self._say("+CME ERROR: 16")
                return
        elif name == "AT+CREG?":
            self._say(f"+CREG: 0,{1 if self.faults.network else 2}")
        elif name == "AT+CMGL":
            for index, pdu in self.card.items():
                self._say(f"+CMGL: {index},0,,{len(pdu) - 1}\r\n{pdu.hex().upper()}")
        elif name == "AT+CMGR" and int(value) in self.card:
            pdu = self.card[int(value)]
            self._say(f"+CMGR: 0,,{len(pdu) - 1}\r\n{pdu.hex().upper()}")
        elif name == "AT+CMGD":
            self.card.pop(int(value), None)
        elif name == "AT+CMGS":
            self._pdu = True
            self._raw("\r\n> ")
            return
        self._say("OK")

    def _send(self, text: bytes) -> None:
        raw = bytes.fromhex(text.decode("ascii"))
        if self.faults.refuse > 0:
            self.faults.refuse -= 1
            self._say("+CMS ERROR: 38")
            return
        pdu = raw[1 + raw[0] :]
        digits = pdu[2]
        size = (digits + 1) // 2
        number = "".join(f"{byte & 15:X}{byte >> 4:X}" for byte in pdu[4 : 4 + size])[:digits]
        scheme, length, body = pdu[5 + size], pdu[6 + size], pdu[7 + size :]
        header = body[0] + 1 if pdu[0] & 0x40 else 0
        wide = scheme == 0x08
        skip = (header * 8 + 6) // 7
        said = body[header:length].decode("utf-16-be") if wide else unpack(body, length, skip)
        self.sent.append((("+" if pdu[3] == 0x91 else "") + number, said))
        reference = len(self.sent) % 256
        self._say(f"+CMGS: {reference}")
        self._say("OK")
        if pdu[0] & 0x20 and self._reports and self.faults.report is not None:
            report = status_report(reference, self.sent[-1][0], self.faults.report)
            self._say(f"+CDS: {len(report) - 1}\r\n{report.hex().upper()}")

    def _say(self, line: str) -> None:
        self._raw(f"\r\n{line}\r\n")

    def _raw(self, text: str) -> None:
        if self._port is not None and not self.faults.mute:
            self._port.write(text.encode("latin-1"))
