"""OSDP doors: packets read from the specification, and real lines with Secure Channel through libosdp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.device_type import Command, Outgoing, Unit
from drivers.devices.osdp_door import DEVICE
from drivers.events import DecodeError, Fact, Frame
from drivers.links.back_off import BackOff
from drivers.links.link import LinkDown
from drivers.links.serial_settings import LineSettings
from drivers.protocols import osdp
from hub.clock import ManualClock

pytest.importorskip("osdp", reason="libosdp is not installed (extra osdp)")

from drivers.links.osdp import OsdpLink, reader_of
from drivers.links.osdp_bus import Reader
from simulators.serial.osdp_reader import OsdpReader

KEY = bytes(range(16))


def packet(code: int, data: bytes, address: int = 0x81) -> bytes:
    """A plain reply with CRC."""
    body = bytes([0x53, address]) + (8 + len(data)).to_bytes(2, "little") + bytes([0x04, code]) + data
    return body + osdp.crc16(body).to_bytes(2, "little")


def test_a_packet_is_read_with_crc_and_with_checksum() -> None:
    """Both checks of the standard."""
    body = bytes([0x53, 0x81, 0x07, 0x00, 0x00, 0x40])
    assert osdp.read_packet(body + bytes([-sum(body) & 0xFF])).code == 0x40
    assert osdp.read_packet(packet(0x40, b"")) == osdp.Packet(1, True, 0x40, b"")


@given(st.binary(max_size=40), st.integers(0, 200), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(data: bytes, at: int, bit: int) -> None:
    """The CRC sees any single wrong bit."""
    raw = bytearray(packet(osdp.ISTATR, data))
    raw[at % len(raw)] ^= 1 << bit
    with pytest.raises(DecodeError):
        osdp.read_packet(bytes(raw))


def test_an_encrypted_packet_says_so() -> None:
    """What only the running link can open is not guessed at."""
    body = bytes([0x53, 0x81, 0x0E, 0x00, 0x0C, 0x02, 0x18, 0x40, 1, 2, 3, 4])
    raw = body + osdp.crc16(body).to_bytes(2, "little")
    with pytest.raises(DecodeError, match="encrypted"):
        osdp.read_packet(raw)


@given(
    st.lists(
        st.one_of(st.just(packet(0x49, b"\x01\x00")), st.just(b"\xff"), st.binary(max_size=9)), max_size=6
    )
)
def test_packets_are_found_between_anything(parts: list[bytes]) -> None:
    """Every packet is found, unless noise before it claims its bytes as its own."""
    packets, _ = osdp.scan(b"".join(part for part in parts if 0x53 not in part or len(part) == 10))
    assert len(packets) == sum(part == packet(0x49, b"\x01\x00") for part in parts)


@pytest.mark.parametrize(
    "payload", [b"", b"\x68\x00\x02\x05\x00", b"\x68\x00\x05\x00\x00", b"\x68\x00\x05\xff\xff"]
)
def test_nothing_but_a_timed_output_may_be_sent(payload: bytes) -> None:
    """An output that stays on would leave a door open."""
    with pytest.raises(DecodeError):
        osdp.read_unlock(payload)


def test_the_strike_is_locked_after_its_time_only_if_the_door_is_closed() -> None:
    """Without a bolt sensor, closed and time over is as sure as it gets; otherwise it is unknown."""
    out = osdp.write_unlock(0, 5)
    kinds = []
    for door in ("closed", "opened", None):
        unit = Unit("p#1", memory={"strike": "unlocked", **({"door": door} if door else {})})
        [fact] = DEVICE.decode(Frame("serial", "p#1", out, 0, "over"), unit)
        assert isinstance(fact, Fact)
        kinds.append(fact.kind)
    assert kinds == ["lock.locked", "lock.unknown", "lock.unknown"]


@pytest.mark.parametrize("seconds", ["x", None, 0, 61, True, False, "5", float("nan"), [5]])
def test_a_time_that_cannot_be_meant_is_refused(seconds: object) -> None:
    """A door opens for a while, not for ever."""
    with pytest.raises(ValueError, match=r"the setting seconds is a number of seconds from 0\.1 to 60"):
        DEVICE.encode(Command("c", "unlock", {"seconds": seconds}, 0), Unit("p#1"))
    with pytest.raises(ValueError, match=r"the setting seconds is a number of seconds from 0\.1 to 60"):
        DEVICE.encode(Command("c", "unlock", {}, 0), Unit("p#1", settings={"seconds": seconds}))


@pytest.mark.parametrize(
    ("address", "key", "settings", "says"),
    [("p", KEY, {}, "like port#1"), ("p#200", KEY, {}, "0 to 126"), ("p#1", b"x", {}, "16 bytes"),
     ("p#1", None, {}, "needs its Secure Channel key")],
)  # fmt: skip
def test_a_reader_without_address_or_key_is_refused(
    address: str, key: bytes | None, settings: dict[str, Any], says: str
) -> None:
    """No door is driven in clear by accident."""
    with pytest.raises(ValueError, match=says):
        reader_of(address, settings, key)


class Running:
    """A line that runs, and what the gateway heard of it."""

    def __init__(self, link: OsdpLink, ear: Any) -> None:
        self.link, self.ear = link, ear

    async def until(self, state: str, within: float = 30.0) -> str:
        """Wait until the line is in this state."""
        async with asyncio.timeout(within):
            while self.link.health().state != state:
                await asyncio.sleep(0.02)
        return self.link.health().reason


@pytest.fixture
def line(
    tmp_path: Path, make_ear: Any
) -> Callable[..., AbstractAsyncContextManager[tuple[OsdpReader, Running]]]:
    """A reader with its line, at address 5."""

    @asynccontextmanager
    async def opened(
        reader_key: bytes | None = KEY, key: bytes = KEY
    ) -> AsyncIterator[tuple[OsdpReader, Running]]:
        reader = OsdpReader(5, reader_key)
        await reader.start(tmp_path / "port")
        ear = make_ear(DEVICE)
        settings = LineSettings.parse("9600 8N1")
        readers = (Reader(5, key),)
        url = str(tmp_path / "port")
        link = OsdpLink("port", url, readers, settings, ManualClock().now, back_off=BackOff(0.01, 0.05))
        task = asyncio.create_task(link.run(ear))
        try:
            yield reader, Running(link, ear)
        finally:
            task.cancel()
            await asyncio.wait({task})
            await reader.stop()

    return opened


async def test_a_door_opens_for_a_while_under_secure_channel(line: Any) -> None:
    """Unlock, done, time over; the contact and a card are heard on the way."""
    async with line() as (reader, running):
        await running.until("up")
        assert running.link._snapshot.secure == {5}
        reader.door(opened=False)
        await running.ear.until(lambda: bool(running.ear.of("door.closed")))
        await running.link.send("port#5", Outgoing("out", osdp.write_unlock(0, 0.3)))
        assert reader.told.controls == [5]
        await running.ear.until(lambda: bool(running.ear.of("lock.locked")))
        assert [fact.kind for fact in running.ear.facts if fact.kind.startswith("lock.u")] == [
            "lock.unlocked"
        ]


async def test_cards_and_keys_are_heard_and_digits_never_leave_the_link(line: Any) -> None:
    """A code that somebody typed is not in the journal."""
    async with line() as (reader, running):
        await running.until("up")
        reader.card(b"\x12\x34\x56\x40", 26)
        reader.keys(b"1234")
        await running.ear.until(lambda: len(running.ear.of("lock.refused")) == 2)
        assert running.ear.of("lock.refused")[0].data["by"] == "card 12345640 (26 bits)"
        assert not [frame for frame in running.ear.frames if b"1234" in frame.payload]


async def test_another_key_opens_nothing(line: Any) -> None:
    """A reader with a foreign key never comes online, and no door is opened."""
    async with line(reader_key=bytes(16)) as (reader, running):
        assert "no reader answers" in await running.until("down")
        async with asyncio.timeout(30):
            while "address and key" not in running.link.health().reason:
                await asyncio.sleep(0.02)
        with pytest.raises(LinkDown, match="offline"):
            await running.link.send("port#5", Outgoing("out", osdp.write_unlock(0, 1)))
        assert reader.told.unlocks == []


async def test_a_reader_that_went_aside_is_brought_back_in_seconds(line: Any) -> None:
    """The cable is cut until libosdp gives the reader up for 300 seconds; healed, it is back long before."""
    async with line() as (reader, running):
        await running.until("up")
        reader.cable.to_unit.cut = True
        await running.until("down", within=60)
        reader.cable.heal()
        await running.until("up", within=60)
        assert running.link.health().counters["brought_back"] >= 1
        assert running.ear.of("lock.fault")
        assert running.ear.of("lock.recovered")
        await running.link.send("port#5", Outgoing("out", osdp.write_unlock(0, 1)))


async def test_unplugged_and_replugged_the_reader_is_heard_again(line: Any) -> None:
    """A fresh handshake after every opening of the port."""
    async with line() as (reader, running):
        await running.until("up")
        await reader.unplug()
        await running.until("down")
        with pytest.raises(LinkDown):
            await running.link.send("port#5", Outgoing("out", osdp.write_unlock(0, 1)))
        await reader.replug()
        await running.until("up")
        await running.link.send("port#5", Outgoing("out", osdp.write_unlock(0, 1)))
        assert reader.told.unlocks == [1.0]


@pytest.mark.parametrize("payload", [b"\x68\x00\x02\x05\x00", b""])
async def test_an_output_without_time_is_never_sent(line: Any, payload: bytes) -> None:
    """The link refuses what would leave a door open."""
    async with line() as (reader, running):
        await running.until("up")
        with pytest.raises(LinkDown, match="control code 5"):
            await running.link.send("port#5", Outgoing("out", payload))
        assert reader.told.controls == []
