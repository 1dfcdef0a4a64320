"""EnOcean: packets in noise, copies that count once, and a stick that is asked whether it is there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.device_type import Outgoing, Unit
from drivers.devices import enocean_contact, enocean_pendant
from drivers.events import DecodeError, Frame
from drivers.links.link import LinkDown
from drivers.protocols.esp3 import Scanner, decode_packet, encode_packet, telegram_of
from drivers.protocols.esp3_line import ASK, EnoceanStick, enocean_machine
from drivers.protocols.line import Heard, Write
from simulators.serial.cable import Cable
from simulators.serial.enocean_stick import EnoceanRadio

OPEN = bytes.fromhex("55 00 07 07 01 7A D5 08 01 82 5D AB 00 01 FF FF FF FF 36 00 53")
LONG = bytes.fromhex("55 00 0F 07 01 2B D2 DD DD DD DD DD DD DD DD DD 00 80 35 C4 00 03 FF FF FF FF 4D 00 36")
PENDANT, DOOR = "0029aa79", "01825dab"


def test_the_question_for_the_base_id_is_the_published_one() -> None:
    """CO_RD_IDBASE, byte for byte."""
    assert bytes.fromhex("55 00 01 00 05 70 08 38") == ASK


def test_a_telegram_names_its_sender_and_strength() -> None:
    """The published example of a magnetic contact."""
    telegram = telegram_of(decode_packet(OPEN))
    assert (telegram.rorg, telegram.payload, telegram.sender, telegram.status) == (0xD5, b"\x08", DOOR, 0)
    assert telegram.dbm == -0x36


@given(st.integers(0, 255), st.binary(max_size=80), st.binary(max_size=20))
def test_a_written_packet_reads_back(type_: int, data: bytes, optional: bytes) -> None:
    """Whatever is in it, a packet arrives as it was sent."""
    packet = decode_packet(encode_packet(type_, data, optional))
    assert (packet.type, packet.data, packet.optional) == (type_, data, optional)


@given(st.lists(st.one_of(st.just(OPEN), st.just(LONG), st.binary(max_size=30))), st.data())
def test_however_the_bytes_are_cut_the_packets_are_the_same(parts: list[bytes], data: st.DataObject) -> None:
    """A line delivers pieces; where it cuts them changes nothing."""
    line = b"".join(parts)
    whole = Scanner().feed(line)
    scanner, pieces, at = Scanner(), [], 0
    while at < len(line):
        step = data.draw(st.integers(1, 9))
        pieces += scanner.feed(line[at : at + step])
        at += step
    assert pieces == whole


def test_a_thousand_telegrams_between_bursts_of_noise_are_all_found() -> None:
    """A stray 55 never swallows what follows it, once the line pauses."""
    draw, scanner, found = random.Random(7), Scanner(), 0
    for _ in range(1000):
        noise = bytes(draw.choice((0x55, 0x00, draw.randrange(256))) for _ in range(draw.randrange(12)))
        packets = scanner.feed(noise + OPEN)
        while scanner.pending:
            packets += scanner.stale()
        found += sum(packet.raw == OPEN for packet in packets)
    assert found == 1000


def test_copies_count_once_and_a_second_press_counts_again() -> None:
    """Three copies within a tenth of a second are one press; the next press is another."""
    stick = EnoceanStick()
    stick.start(0.0)
    heard = [out for at in (1.0, 1.02, 1.04, 1.9) for out in stick.feed(OPEN, at) if isinstance(out, Heard)]
    assert [out.unit for out in heard] == [DOOR, DOOR]
    assert stick.counters["copies"] == 2


def test_a_packet_that_stands_still_is_given_up_and_the_next_is_heard() -> None:
    """A 55 with a plausible header in noise waits a tenth of a second, no longer."""
    stick = EnoceanStick()
    stick.start(0.0)
    stick.feed(bytes.fromhex("55 00 05 00 02 CE 00 FF 80 00 00 DA"), 0.5)
    assert not [out for out in stick.feed(LONG[:6] + OPEN, 1.0) if isinstance(out, Heard)]
    assert stick.due() == pytest.approx(1.1)
    assert [out.payload for out in stick.tick(1.1) if isinstance(out, Heard)] == [OPEN]


def test_a_stick_is_asked_at_once_again_when_silent_and_then_every_minute() -> None:
    """Three unanswered questions are a dead stick; one answer ends it."""
    stick = EnoceanStick()
    assert Write(ASK) in stick.start(0.0)
    for at in (1.0, 2.0):
        assert Write(ASK) in stick.tick(at)
    assert "has not answered 3 questions" in stick.trouble(2.0)
    stick.feed(bytes.fromhex("55 00 05 00 02 CE 00 FF 80 00 00 DA"), 2.1)
    assert (stick.trouble(2.2), stick.base_id, stick.due()) == ("", "ff800000", pytest.approx(62.1))


def test_a_decoder_of_one_sender_leaves_others_alone() -> None:
    """Raw line bytes of a stick hold many devices; a unit reads only its own."""
    line = Frame("serial", f"stick#{PENDANT}", OPEN, 0)
    assert enocean_contact.DEVICE.decode(line, Unit(f"stick#{PENDANT}")) == []
    assert len(list(enocean_contact.DEVICE.decode(line, Unit(f"stick#{DOOR}")))) == 1


def test_a_contact_that_repeats_itself_is_a_sign_of_life() -> None:
    """Cyclic telegrams of an unchanged door are heartbeats."""
    unit = Unit("stick#" + DOOR)
    kinds = [
        fact.kind  # type: ignore[union-attr]
        for _ in range(3)
        for fact in enocean_contact.DEVICE.decode(Frame("serial", "", OPEN, 0, "block"), unit)
    ]
    assert kinds == ["door.opened", "door.heartbeat", "door.heartbeat"]


@pytest.mark.parametrize("value", [-1, 5, "x", True])
def test_a_copy_window_that_cannot_be_meant_is_refused(value: object) -> None:
    """Copies are copies within moments."""
    with pytest.raises(ValueError, match="copy_within"):
        enocean_machine({"copy_within": value})


def test_a_shortened_packet_is_refused() -> None:
    """Every truncation of a packet is an error of the one class."""
    for end in range(len(OPEN)):
        with pytest.raises(DecodeError):
            decode_packet(OPEN[:end])


@pytest.fixture
def radio_on(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[EnoceanRadio]]:
    """A stick plugged in at `port`."""

    @asynccontextmanager
    async def plugged(**options: Any) -> AsyncIterator[EnoceanRadio]:
        radio = EnoceanRadio(**options)
        await radio.start(tmp_path / "port")
        try:
            yield radio
        finally:
            await radio.stop()

    return plugged


async def test_a_press_in_three_copies_is_one_call(open_link: Any, radio_on: Any, make_ear: Any) -> None:
    """Astrid presses her pendant: one frame from its sender, read as one press."""
    ear = make_ear(enocean_pendant.DEVICE)
    async with radio_on() as radio, open_link(EnoceanStick(), ear, line="57600 8N1") as running:
        await running.until("up")
        radio.press(PENDANT)
        await ear.until(lambda: len(ear.frames) == 2)
        assert [frame.address for frame in ear.frames] == [f"port#{PENDANT}"] * 2
        assert [fact.kind for fact in ear.facts] == ["pendant.pressed"]


async def test_one_good_copy_is_enough(open_link: Any, radio_on: Any, make_ear: Any) -> None:
    """Two copies damaged, the third arrives, between noise."""
    ear = make_ear(enocean_pendant.DEVICE)
    async with (
        radio_on(cable=Cable(seed=3)) as radio,
        open_link(EnoceanStick(), ear, line="57600 8N1") as running,
    ):
        await running.until("up")
        radio.cable.garbage(300)
        radio.faults.bad = 2
        radio.press(PENDANT)
        await ear.until(lambda: bool(ear.of("pendant.pressed")))
        assert running.link.health().counters["check_errors"] >= 2


async def test_an_unplugged_stick_is_asked_again_when_it_is_back(
    open_link: Any, radio_on: Any, make_ear: Any
) -> None:
    """Unplug, replug: the first question tells that it is there, and presses are heard."""
    ear = make_ear(enocean_pendant.DEVICE)
    async with radio_on() as radio, open_link(EnoceanStick(), ear, line="57600 8N1") as running:
        await running.until("up")
        async with asyncio.timeout(30):
            while not radio.questions:
                await asyncio.sleep(0)
        await radio.unplug()
        await running.until("down")
        await radio.replug()
        await running.until("up")
        async with asyncio.timeout(30):
            while radio.questions < 2:
                await asyncio.sleep(0.01)
        radio.press(PENDANT)
        await ear.until(lambda: bool(ear.of("pendant.pressed")))
        with pytest.raises(LinkDown, match="take no commands"):
            await running.link.send(f"port#{PENDANT}", Outgoing("block", b""))
