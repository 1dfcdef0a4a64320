"""EnOcean equipment profiles: from a frame to its telegrams, and the bit fields the profiles share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from drivers.device_type import Unit
from drivers.events import DecodeError, Fact, Frame, Millis
from drivers.protocols.esp3 import RADIO_ERP1, RPS, Packet, Scanner, Telegram, decode_packet, telegram_of
from drivers.protocols.reports import alive
from drivers.protocols.streams import BLOCK, Read, read_stream

NU: Final = 0x10
"""Status bit 4 of an RPS telegram: one button is named; without it the payload counts buttons."""
ENERGY_BOW: Final = 0x10
"""Payload bit 4 of an RPS telegram: pressed."""
LEARN: Final = 0x08
"""Bit 3 of a 1BS or 4BS telegram: 0 while the device introduces itself (teach-in)."""

Profile = Callable[[Telegram, Unit], Read]


def profile(fault: str, read: Profile, *, watched: bool = False) -> Callable[[Frame, Unit], Read]:
    """A decoder for one profile. fault: the kind that an unreadable telegram among others becomes.

    watched: the device reports by itself, so its silence means something and every telegram is a sign of life.
    """

    def decode(frame: Frame, unit: Unit) -> Read:
        if frame.channel == BLOCK:
            said = read(telegram_of(decode_packet(frame.payload)), unit)
            return _living(fault.partition(".")[0], said, unit, frame.heard) if watched else said
        return read_stream(
            frame.payload, unit, scan=_scan, read=lambda packet: _one(packet, unit, read), fault=fault
        )

    return decode


def _living(device_class: str, said: Read, unit: Unit, heard: Millis) -> Read:
    """A heartbeat beside the news where the last one is old; a telegram that is a heartbeat itself is one."""
    if any(isinstance(fact, Fact) and fact.kind == f"{device_class}.heartbeat" for fact in said):
        unit.memory["life"] = heard
        return said
    return [*alive(device_class, said, unit, heard)] if said else said


def _scan(line: bytes) -> tuple[list[Packet | int], bytes]:
    """Packets, and how many bytes of a piece without any packet belonged to nothing."""
    scanner = Scanner()
    packets: list[Packet | int] = [*scanner.feed(line)]
    return packets or ([scanner.skipped] if scanner.skipped else []), scanner.pending


def _one(packet: Packet | int, unit: Unit, read: Profile) -> Read:
    if isinstance(packet, int):
        raise DecodeError(f"expected a packet that begins with 55, got {packet} bytes that belong to none")
    if packet.type != RADIO_ERP1:
        return []
    telegram = telegram_of(packet)
    wanted = unit.address.rpartition("#")[2] if "#" in unit.address else telegram.sender
    return read(telegram, unit) if telegram.sender == wanted else []


def expect(telegram: Telegram, rorg: int, size: int) -> bytes:
    """The payload of a telegram of the right kind and size. Raises DecodeError."""
    if telegram.rorg != rorg:
        raise DecodeError(f"expected a telegram of RORG {rorg:02X}, got {telegram.rorg:02X}")
    if len(telegram.payload) != size:
        raise DecodeError(f"expected {size} payload bytes, got {len(telegram.payload)}")
    return telegram.payload


def rps(telegram: Telegram) -> int:
    """The payload byte of a rocker-switch telegram (RORG F6)."""
    return expect(telegram, RPS, 1)[0]


def changed(unit: Unit, state: str, fact: Fact, heartbeat: str) -> Read:
    """The fact if the unit's state is new, a sign of life if it only says the same again."""
    same = unit.memory.get("state") == state
    unit.memory["state"] = state
    return [Fact(heartbeat)] if same else [fact]
