"""The OSDP device against an independent controller's bytes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.serial.osdp_device import ISTATR, NAK, POLL, RAW, OsdpDevice, check_of
from simulators.serial.osdp_secure import encrypt_block

PEER = json.loads((Path(__file__).parent / "osdp_peer.json").read_text("utf-8"))
KEY = bytes(range(16))


class Clock:
    """Seconds, by hand."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def command(code: int, data: bytes = b"", *, sequence: int = 1, address: int = 5, crc: bool = True) -> bytes:
    """A command in clear."""
    length = 6 + len(data) + (2 if crc else 1)
    raw = bytes([0x53, address, length, 0, sequence | (4 if crc else 0), code]) + data
    return raw + check_of(raw, crc=crc)


def reply_of(raw: bytes) -> tuple[int, bytes]:
    """Code and data of a plain reply with CRC."""
    return raw[5], raw[6:-2]


def test_it_answers_an_independent_controller_as_recorded() -> None:
    """Both handshakes, KEYSET, every status, an opening, card and contact: the peer accepted these very bytes."""
    clock = Clock()
    device = OsdpDevice(5, None, clock)
    for number, (asked, answered) in enumerate(PEER["exchanges"]):
        if str(number) in PEER["told_before"]:
            device.tell(RAW, bytes.fromhex("00011A0012345640"))
            device.inputs[0] = 1
            device.tell(ISTATR, b"\x01\x00")
        assert device.hear(bytes.fromhex(asked)).hex().upper() == answered, f"exchange {number}"
    assert device.secure
    assert device.told.unlocks == [3.0]
    assert device.told.controls == [5]


def test_the_key_it_was_given_is_the_diversified_one() -> None:
    """AES of the master key over the device's identity and its complement."""
    device = OsdpDevice(5, None, Clock())
    for asked, _ in PEER["exchanges"][:4]:
        device.hear(bytes.fromhex(asked))
    identity = device.cuid
    assert device.told.keys == [encrypt_block(KEY, identity + bytes(byte ^ 0xFF for byte in identity))]


def test_a_repeated_command_gets_the_same_reply_and_is_not_carried_out_twice() -> None:
    """A lost reply does not open the door again."""
    device = OsdpDevice(5, None, Clock())
    out = command(0x68, b"\x00\x05\x1e\x00", sequence=2)
    device.hear(command(POLL))
    first = device.hear(out)
    assert device.hear(out) == first
    assert device.told.unlocks == [3.0]


@pytest.mark.parametrize(
    ("raw", "why"),
    [(command(POLL, sequence=3), 4), (command(0x99, sequence=2), 3), (command(0x68, b"\x00", sequence=2), 2)],
    ids=["sequence", "unknown", "length"],
)
def test_what_it_refuses_it_refuses_with_its_reason(raw: bytes, why: int) -> None:
    """NAK with the standard's number."""
    device = OsdpDevice(5, None, Clock())
    device.hear(command(POLL))
    assert reply_of(device.hear(raw)) == (NAK, bytes([why]))


def test_with_a_key_it_does_no_business_in_clear() -> None:
    """An opening in clear is refused, and a card is not told to whoever asks."""
    device = OsdpDevice(5, KEY, Clock())
    device.tell(RAW, b"\x00\x01\x08\x00\x42")
    assert reply_of(device.hear(command(POLL)))[0] == 0x40
    assert reply_of(device.hear(command(0x68, b"\x00\x05\x1e\x00", sequence=2))) == (NAK, b"\x06")
    assert device.outputs == [0, 0]


def test_the_strike_falls_back_by_itself() -> None:
    """Control code 5 is on for a time."""
    clock = Clock()
    device = OsdpDevice(5, None, clock)
    device.hear(command(0x68, b"\x00\x05\x1e\x00"))
    assert device.outputs == [1, 0]
    clock.now = 3.1
    assert device.outputs == [0, 0]


def test_it_reads_checksums_too() -> None:
    """Where the controller does not use CRC, the reply does not either."""
    reply = OsdpDevice(5, None, Clock()).hear(command(POLL, crc=False))
    assert (len(reply), sum(reply) & 0xFF) == (7, 0)


@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.sampled_from([bytes.fromhex(a) for a, _ in PEER["exchanges"]]))
    )
)
def test_no_bytes_upset_it(parts: list[bytes]) -> None:
    """It takes anything in any order, opens for nobody without a command, and does not grow."""
    device = OsdpDevice(5, KEY, Clock())
    for part in parts:
        device.hear(part)
    assert device.told.unlocks == []
    assert len(device._held) <= 1_440
