"""An OSDP device (reader, strike, contact) without I/O, from the specification IEC 60839-11-5; bytes in, bytes out.

    [FF] 53 address length(2) control [security block] code data… [MAC(4)] CRC(2) or checksum(1)

control: bits 0-1 sequence, bit 2 CRC, bit 3 security block. Sequence 0 begins anew; the same sequence again asks for
the same reply; any other than the next is refused. A device with a key talks business only under Secure Channel.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.serial.osdp_secure import DEFAULT_KEY, MAC_SENT, Session

POLL, ID, CAP, LSTAT, ISTAT, OSTAT, RSTAT = 0x60, 0x61, 0x62, 0x64, 0x65, 0x66, 0x67
OUT, LED, BUZ, TEXT, COMSET, KEYSET, CHLNG, SCRYPT = 0x68, 0x69, 0x6A, 0x6B, 0x6E, 0x75, 0x76, 0x77
SIZE, KEEP_ACTIVE = 0x7B, 0xA7
ACK, NAK, PDID, PDCAP, LSTATR, ISTATR, OSTATR, RSTATR = 0x40, 0x41, 0x45, 0x46, 0x48, 0x49, 0x4A, 0x4B
RAW, KEYPAD, COM, CCRYPT, RMAC_I, BUSY = 0x50, 0x53, 0x54, 0x76, 0x78, 0x79
BAD_LENGTH, UNKNOWN, BAD_SEQUENCE, NO_SECURITY, INSECURE = 2, 3, 4, 5, 6
"""Why a command is refused (NAK)."""

WITHOUT_SECURITY = frozenset({POLL, ID, CAP, CHLNG, SCRYPT, COMSET, SIZE, KEEP_ACTIVE})
CAPABILITIES = ((1, 1, 2), (2, 1, 2), (3, 1, 1), (4, 1, 1), (5, 1, 1), (8, 1, 0), (9, 1, 1), (13, 0, 1))
"""Contacts, outputs, card format, LED, buzzer, CRC, Secure Channel, readers: function, compliance, number."""
MAX_PACKET = 1_440
TEMPORARILY_ON = (5, 6)
SEALED = b""
"""Instead of a security block: MAC, and encryption where there is data."""


def crc16(data: bytes) -> int:
    """CRC-16, polynomial 1021, initial 1D0F."""
    crc = 0x1D0F
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def check_of(raw: bytes, *, crc: bool) -> bytes:
    """What ends a packet."""
    return crc16(raw).to_bytes(2, "little") if crc else bytes([-sum(raw) & 0xFF])


@dataclass(slots=True)
class DeviceFaults:
    """What is wrong with the device.

    mute: it answers nothing. busy: so many commands are put off (BUSY). wrong_checks: so many replies with a wrong
    CRC. wrong_macs: so many with a wrong MAC. stuck: it says ACK to an opening and does not open.
    silent_status: it does not tell by itself what changed, only when asked.
    """

    mute: bool = False
    busy: int = 0
    wrong_checks: int = 0
    wrong_macs: int = 0
    stuck: bool = False
    silent_status: bool = False


@dataclass(slots=True)
class Told:
    """What the controller told the device, as it came: openings in seconds, control codes, keys, codes of commands."""

    unlocks: list[float] = field(default_factory=list)
    controls: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    commands: list[int] = field(default_factory=list)
    naks: list[int] = field(default_factory=list)


class OsdpDevice:
    """One device on the line. key: its Secure Channel key; without one it takes SCBK-D, as for installing.

    now: seconds, for the strike's time. cuid: its eight-byte identity.
    """

    def __init__(
        self,
        address: int,
        key: bytes | None,
        now: Callable[[], float],
        *,
        seed: int = 0,
        cuid: bytes = b"\x00\x06\x8e\x01\x01\x2a\x00\x00",
    ) -> None:
        self.address, self.key, self.cuid = address, key, cuid
        self.faults = DeviceFaults()
        self.told = Told()
        self.inputs = [0, 0]
        self.tampered = self.power_lost = self.reader_tampered = False
        self._now = now
        self._draw = random.Random(f"osdp {address} {seed}")
        self._until = [0.0, 0.0]
        self._held = bytearray()
        self._events: deque[tuple[int, bytes]] = deque(maxlen=64)
        self._sequence: int | None = None
        self._last: tuple[bytes, bytes] = (b"", b"")
        self._session: Session | None = None
        self._answers: dict[int, Callable[[bytes], tuple[int, bytes]]] = {
            ID: self._identity,
            CAP: self._capabilities,
            LSTAT: self._local,
            ISTAT: self._inputs,
            OSTAT: self._outputs,
            RSTAT: self._readers,
            OUT: self._output,
            KEYSET: self._set_key,
            COMSET: self._line,
            **dict.fromkeys((LED, BUZ, TEXT, SIZE, KEEP_ACTIVE), self._agreed),
        }

    # -- what happens at the door

    @property
    def outputs(self) -> list[int]:
        """Which outputs are on."""
        return [int(self._now() < until) for until in self._until]

    @property
    def secure(self) -> bool:
        """Whether there is a Secure Channel."""
        return self._session is not None and self._session.established

    def tell(self, code: int, data: bytes) -> None:
        """Something to say at the next poll."""
        if self.faults.silent_status and code in (LSTATR, ISTATR, OSTATR, RSTATR):
            return
        self._events.append((code, data))

    def open_by_itself(self, seconds: float) -> None:
        """The strike is opened from inside."""
        self._until[0] = self._now() + seconds

    def restart(self) -> None:
        """It lost power: session, sequence and whatever it wanted to say are gone."""
        self._held.clear()
        self._events.clear()
        self._sequence, self._session, self._last = None, None, (b"", b"")
        self._until = [0.0, 0.0]

    # -- the line

    def hear(self, data: bytes) -> bytes:
        """Bytes came; what goes back."""
        self._held += data
        answers = b""
        while (packet := self._next()) is not None:
            if packet[1] == self.address and self._checked(packet):
                answers += self._spoilt(self._answer(packet))
        return b"" if self.faults.mute else answers

    def hush(self) -> None:
        """The line was quiet for a while: half a packet is noise."""
        self._held.clear()

    def _next(self) -> bytes | None:
        while self._held:
            if self._held[0] != 0x53:
                del self._held[0]
                continue
            if len(self._held) < 4:
                return None
            length = int.from_bytes(self._held[2:4], "little")
            if not 7 <= length <= MAX_PACKET or self._held[1] & 0x80:
                del self._held[0]
                continue
            if len(self._held) < length:
                return None
            packet = bytes(self._held[:length])
            del self._held[: length if self._checked(packet) else 1]
            return packet
        return None

    def _checked(self, packet: bytes) -> bool:
        if packet[4] & 0x04:
            return crc16(packet[:-2]) == int.from_bytes(packet[-2:], "little")
        return sum(packet) & 0xFF == 0

    def _answer(self, packet: bytes) -> bytes:
        """One command for us, whole. Its repetition gets the same reply and is not carried out again."""
        sequence = packet[4] & 0x03
        if packet == self._last[0] and sequence:
            return self._last[1]
        if self.faults.busy > 0 and sequence:
            self.faults.busy -= 1
            return self._packet(packet[4] & 0x04, BUSY, b"", None)
        if sequence == 0:
            self._session = None
        elif self._sequence is not None and sequence != self._sequence % 3 + 1:
            return self._packet(packet[4] & 0x07, NAK, self._nak(BAD_SEQUENCE), None)
        self._sequence = sequence
        reply = self._opened(packet)
        self._last = (packet, reply)
        return reply

    def _opened(self, packet: bytes) -> bytes:
        """Take the security off, carry out, put the security on."""
        control, block, body = packet[4], b"", packet[5 : -2 if packet[4] & 0x04 else -1]
        if control & 0x08:
            size = body[0] if body else 0
            if size < 2 or size >= len(body):
                return self._packet(control & 0x07, NAK, self._nak(BAD_LENGTH), None)
            block, body = body[:size], body[size:]
        secured = bool(block) and block[1] in (0x15, 0x17)
        if secured:
            body = self._unsealed(packet, block, body)
            if not body:
                return self._packet(control & 0x07, NAK, self._nak(INSECURE), None)
        elif self._session is not None and self._session.established:
            self._session = None  # a command in clear ends the channel
        code, data = body[0], body[1:]
        self.told.commands.append(code)
        answer, reply, tail = self._obey(code, data, block, secured=secured)
        return self._packet(control & 0x07, answer, reply, tail)

    def _unsealed(self, packet: bytes, block: bytes, body: bytes) -> bytes:
        """Code and data in clear; empty where there is no channel or the MAC is wrong, which ends the channel."""
        session, check = self._session, 2 if packet[4] & 0x04 else 1
        if session is None or not session.established or len(body) <= MAC_SENT:
            return b""
        body, mac = body[:-MAC_SENT], body[-MAC_SENT:]
        sealed = body
        try:
            if block[1] == 0x17:
                sealed = body[:1] + session.decrypt(body[1:])
        except ValueError:
            sealed = b""
        if not session.command_is_right(packet[: -check - MAC_SENT], mac):
            sealed = b""
        if not sealed:
            self._session = None
        return sealed

    def _packet(self, control: int, code: int, data: bytes, block: bytes | None) -> bytes:
        """Write a reply. block: its security block, None for none, SEALED for what an established channel puts on."""
        session = self._session if block == SEALED else None
        crc = bool(control & 0x04)
        if session is not None:
            block = bytes([2, 0x18 if data else 0x16])
            data = session.encrypt(data) if data else data
        body = (block or b"") + bytes([code]) + data
        length = 5 + len(body) + (MAC_SENT if session is not None else 0) + (2 if crc else 1)
        head = bytes([0x53, self.address | 0x80]) + length.to_bytes(2, "little")
        raw = head + bytes([control | (0x08 if block else 0)]) + body
        raw += session.reply_mac(raw) if session is not None else b""
        return raw + check_of(raw, crc=crc)

    def _spoilt(self, reply: bytes) -> bytes:
        """What of a right reply goes out with faults."""
        crc = bool(reply[4] & 0x04)
        end = len(reply) - (2 if crc else 1)
        if self.faults.wrong_macs > 0 and reply[4] & 0x08 and reply[6] in (0x16, 0x18):
            self.faults.wrong_macs -= 1
            spoilt = reply[: end - MAC_SENT] + bytes(byte ^ 0xFF for byte in reply[end - MAC_SENT : end])
            reply = spoilt + check_of(spoilt, crc=crc)
        if self.faults.wrong_checks > 0:
            self.faults.wrong_checks -= 1
            reply = reply[:end] + bytes(byte ^ 0x55 for byte in reply[end:])
        return reply

    # -- what it is told

    def _obey(
        self, code: int, data: bytes, block: bytes, *, secured: bool
    ) -> tuple[int, bytes, bytes | None]:
        """Reply code, data, and its security block."""
        if code == CHLNG:
            return self._challenged(data, block)
        if code == SCRYPT:
            return self._proved(data)
        seal = SEALED if secured else None
        if self.key is not None and not secured and code not in WITHOUT_SECURITY:
            return NAK, self._nak(INSECURE), None
        if code == POLL:
            business = self._events and (secured or self.key is None)
            return (*(self._events.popleft() if business else (ACK, b"")), seal)
        answer = self._answers.get(code)
        return (*(answer(data) if answer else (NAK, self._nak(UNKNOWN))), seal)

    def _challenged(self, data: bytes, block: bytes) -> tuple[int, bytes, bytes | None]:
        """CHLNG: our half of the proof. A device with a key of its own uses no other, and says so in its answer."""
        wants_own = len(block) > 2 and block[2] == 1
        if len(data) != 8 or (wants_own and self.key is None):
            return NAK, self._nak(NO_SECURITY), None
        self._session = Session(self.key or DEFAULT_KEY, data, self._draw.randbytes(8))
        proof = self.cuid + self._session.random_b + self._session.client_cryptogram
        return CCRYPT, proof, bytes([3, 0x12, int(self.key is not None)])

    def _proved(self, data: bytes) -> tuple[int, bytes, bytes | None]:
        """SCRYPT: the controller's half; a wrong one ends the attempt."""
        first = self._session.verify(data) if self._session is not None else b""
        if not first:
            self._session = None
            return NAK, self._nak(INSECURE), None
        return RMAC_I, first, bytes([3, 0x14, 1])

    def _nak(self, why: int) -> bytes:
        self.told.naks.append(why)
        return bytes([why])

    def _identity(self, _data: bytes) -> tuple[int, bytes]:
        return PDID, self.cuid[:3] + b"\x01\x01" + self.cuid[4:8] + b"\x01\x02\x03"

    def _capabilities(self, _data: bytes) -> tuple[int, bytes]:
        return PDCAP, b"".join(bytes(one) for one in CAPABILITIES)

    def _local(self, _data: bytes = b"") -> tuple[int, bytes]:
        return LSTATR, bytes([self.tampered, self.power_lost])

    def _inputs(self, _data: bytes = b"") -> tuple[int, bytes]:
        return ISTATR, bytes(self.inputs)

    def _outputs(self, _data: bytes = b"") -> tuple[int, bytes]:
        return OSTATR, bytes(self.outputs)

    def _readers(self, _data: bytes = b"") -> tuple[int, bytes]:
        return RSTATR, bytes([2 if self.reader_tampered else 0])

    def _output(self, data: bytes) -> tuple[int, bytes]:
        """OUT: number, control code, time in tenths of a second, for each output."""
        if not data or len(data) % 4:
            return NAK, self._nak(BAD_LENGTH)
        for at in range(0, len(data), 4):
            number, control, seconds = (
                data[at],
                data[at + 1],
                int.from_bytes(data[at + 2 : at + 4], "little") / 10,
            )
            self.told.controls.append(control)
            self.told.unlocks.append(seconds)
            if control in TEMPORARILY_ON and number < len(self._until) and not self.faults.stuck:
                self._until[number] = self._now() + seconds
        return ACK, b""

    def _set_key(self, data: bytes) -> tuple[int, bytes]:
        """KEYSET: from the next handshake on."""
        if len(data) != 18 or data[0] != 1 or data[1] != 16 or not self.secure:
            return NAK, self._nak(BAD_LENGTH)
        self.key = data[2:]
        self.told.keys.append(self.key)
        return ACK, b""

    def _line(self, data: bytes) -> tuple[int, bytes]:
        return COM, data[:5]

    def _agreed(self, _data: bytes) -> tuple[int, bytes]:
        return ACK, b""
