"""SIA DC-09: frames against an independent codec, and the receiver on real sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from siadc09 import message as peer_message

from drivers.device_type import Outgoing, Unit
from drivers.devices.dc09_panel import DEVICE
from drivers.events import DecodeError, Fact, Frame
from drivers.links.dc09 import Dc09Link
from drivers.links.link import LinkDown, Receipt
from drivers.protocols import dc09
from drivers.protocols.dc09 import Framer, Head
from hub.clock import ManualClock
from simulators.ip.panel import Panel
from tests.ports import free_port

KEY = "850cba22f7dd4f033405da83e4c5bae9"
NOW = ManualClock().now()
SEALED = "5ECE"
"""An account with a key."""
CID = b'\nF0160027"ADM-CID"0001L0#1234[#1234|1101 00 001]\r'

datas = st.from_regex(r"#[0-9A-F]{4}\|[13][0-9]{3} [0-9]{2} [0-9]{3}", fullmatch=True)
keys = st.sampled_from([16, 24, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size))


@given(datas, st.one_of(st.none(), keys), st.integers(0, 9999))
def test_a_written_frame_reads_back_encrypted_or_not(data: str, key: bytes | None, seq: int) -> None:
    """Whatever is in it, a frame arrives as it was sent."""
    head = Head("ADM-CID", key is not None, f"{seq:04d}", "", "0", "1234")
    stamp = NOW // 1000 * 1000
    message = dc09.read_frame(dc09.write_frame(head, data, stamp=stamp, key=key), key)
    assert (message.head, message.data, message.stamp) == (head, data, stamp)


@pytest.mark.parametrize("key", [None, KEY])
def test_an_independent_codec_reads_our_acknowledgement(key: str | None) -> None:
    """What we write is what the standard's other implementation reads."""
    head = Head("ADM-CID", key is not None, "0042", "", "0", "1234")
    ack = dc09.write_ack(head, NOW, bytes.fromhex(key) if key else None)
    read = peer_message.parse_frame(ack, bytes.fromhex(key) if key else None)
    assert isinstance(read, peer_message.AckMessage)
    assert (read.account.acct, read.seq, read.encrypted) == (0x1234, 42, key is not None)


def test_the_answers_have_the_standards_form() -> None:
    """ACK echoes the number, NAK has none and tells the time, DUH is never encrypted."""
    head = Head("ADM-CID", False, "0042", "", "0", "1234")
    assert dc09.write_ack(head, NOW, None)[9:] == b'"ACK"0042L0#1234[]\r'
    assert re.fullmatch(rb'"NAK"0000R0L0A0\[\]_\d\d:\d\d:\d\d,\d\d-\d\d-\d{4}\r', dc09.write_nak(NOW)[9:])
    assert dc09.write_duh(Head("XYZ", True, "0042", "", "0", "1234"))[9:] == b'"DUH"0042L0#1234[]\r'


@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_the_one_error(raw: bytes) -> None:
    """Noise is refused in a sentence."""
    with pytest.raises(DecodeError):
        dc09.read_frame(raw, None)


@given(st.lists(st.one_of(st.just(CID), st.binary(max_size=30)), max_size=6), st.integers(1, 20))
def test_however_a_stream_is_cut_the_frames_are_the_same(parts: list[bytes], step: int) -> None:
    """Split and joined segments are the same frames."""
    stream = b"".join(parts)
    framer, pieces = Framer(), []
    for at in range(0, len(stream), step):
        pieces += framer.feed(stream[at : at + step])
    assert pieces == Framer().feed(stream)


def test_a_stream_without_end_is_bounded() -> None:
    """A megabyte without CR leaves nothing behind."""
    framer = Framer()
    for _ in range(256):
        framer.feed(b"\n" + b"x" * 4095)
    assert len(framer.pending) <= dc09.MAX_FRAME + 1


@pytest.mark.parametrize(
    ("late", "verdict"), [(0, "event"), (39, "event"), (41, "NAK"), (-19, "event"), (-21, "NAK")]
)
def test_a_time_too_far_from_ours_is_not_accepted(late: int, verdict: str) -> None:
    """Forty seconds late or twenty early are accepted, no more."""
    head = Head("ADM-CID", False, "0001", "", "0", "1234")
    raw = dc09.write_frame(head, "#1234|1101 00 001", stamp=NOW // 1000 * 1000 - late * 1000)
    assert dc09.judge(dc09.read_frame(raw, None), NOW // 1000 * 1000) == verdict


class Journal:
    """What the gateway's ear would do."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.facts: list[Fact] = []
        self.refuse = 0
        self.error = ""

    async def __call__(self, frame: Frame) -> Receipt:
        """Take a frame and read it."""
        await asyncio.sleep(0)
        if self.refuse:
            self.refuse -= 1
            return Receipt(accepted=False)
        self.frames.append(frame)
        unit = Unit(frame.address, key=bytes.fromhex(KEY) if frame.address == SEALED else None)
        try:
            self.facts += [one for one in DEVICE.decode(frame, unit) if isinstance(one, Fact)]
        except DecodeError as wrong:
            return Receipt(accepted=True, error=str(wrong))
        return Receipt(accepted=True, error=self.error)


@pytest.fixture
def journal() -> Journal:
    """An empty journal."""
    return Journal()


@pytest.fixture
def listening(journal: Journal) -> Callable[..., AbstractAsyncContextManager[Dc09Link]]:
    """Run a receiver on loopback, in a world whose clock stands."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Dc09Link]:
        keys = {SEALED: bytes.fromhex(KEY)}
        link = Dc09Link("127.0.0.1", free_port(), ManualClock().now, keys.get)
        task = asyncio.create_task(link.run(journal))
        await asyncio.wait_for(link.listening.wait(), 30)
        try:
            yield link
        finally:
            task.cancel()
            await asyncio.wait({task})

    return opened


@asynccontextmanager
async def panel_at(link: Dc09Link, account: str = "1234", **options: Any) -> AsyncIterator[Panel]:
    """A panel whose clock is right."""
    panel = Panel(account, ("127.0.0.1", link.port), **{"wait": 30.0} | options)
    panel.now = lambda: datetime.fromtimestamp(NOW / 1000, UTC)
    await panel.start()
    try:
        yield panel
    finally:
        await panel.stop()


async def test_an_event_is_written_down_and_acknowledged(listening: Any, journal: Journal) -> None:
    """A press becomes a fact with the panel's time and number."""
    async with listening() as link, panel_at(link) as panel:
        assert await panel.contact_id("101") == "ACK"
    [fact] = journal.facts
    assert (fact.kind, fact.at, fact.id) == (
        "pendant.pressed",
        NOW // 1000 * 1000,
        f"0001@{NOW // 1000 * 1000}",
    )
    assert journal.frames[0].address == "1234"


async def test_an_encrypted_event_is_answered_encrypted(listening: Any, journal: Journal) -> None:
    """Both ways are sealed with the account's key."""
    async with listening() as link, panel_at(link, SEALED, key=KEY) as panel:
        assert await panel.letters("MA", "2") == "ACK"
    assert journal.facts[0].kind == "call.raised"


async def test_an_encrypted_event_without_a_key_is_refused_and_recorded(
    listening: Any, journal: Journal
) -> None:
    """NAK, and the bytes are in the journal."""
    async with listening() as link, panel_at(link, "1234", key=KEY) as panel:
        assert await panel.report("ADM-CID", "#1234|1101 00 001", tries=1) == "NAK"
    assert [frame.channel for frame in journal.frames] == ["unreadable"]


async def test_a_panel_with_a_key_is_not_believed_in_clear(listening: Any, journal: Journal) -> None:
    """Without the key anybody could end its alarms or poll in its name: NAK, in the journal, and never a fact."""
    async with listening() as link, panel_at(link, SEALED) as panel:
        assert await panel.report("ADM-CID", f"#{SEALED}|3101 00 001", tries=1) == "NAK"
        assert await panel.report("NULL", "", tries=1) == "NAK"
    assert [frame.channel for frame in journal.frames] == ["unreadable"] * 2
    assert journal.facts == []


async def test_an_account_that_nobody_knows_is_not_acknowledged(listening: Any, journal: Journal) -> None:
    """It is in the journal, and DUH lets the panel try its other receiver; so is a poll."""
    journal.error = "no device is registered at tcp '1234'"
    async with listening() as link, panel_at(link) as panel:
        assert await panel.report("ADM-CID", "#1234|1101 00 001", tries=1) == "DUH"
        assert await panel.report("NULL", "", tries=1) == "DUH"
        journal.error = ""
        assert await panel.report("NULL", "", tries=1) == "ACK"
    assert len(journal.frames) == 3


@pytest.mark.parametrize("hours", [5, -5])
async def test_a_panel_with_a_wrong_clock_is_told_the_time_and_heard(
    listening: Any, journal: Journal, hours: int
) -> None:
    """NAK carries our clock; the second attempt is right."""
    async with listening() as link, panel_at(link) as panel:
        panel.clock = timedelta(hours=hours)
        assert await panel.contact_id("101") == "ACK"
        assert panel.answers == ["NAK", "ACK"]
    assert [fact.kind for fact in journal.facts] == ["pendant.pressed"] * len(journal.facts)


async def test_a_lost_acknowledgement_does_not_double_the_event(listening: Any, journal: Journal) -> None:
    """The same number and bytes again are the same event."""
    async with listening() as link, panel_at(link) as panel:
        panel.faults.lost_answers = 2
        assert await panel.contact_id("101") == "ACK"
        assert link.health().counters["repeated"] == 2
    assert len(journal.facts) == 1


async def test_what_could_not_be_written_down_is_not_acknowledged(listening: Any, journal: Journal) -> None:
    """A full disk says nothing; the panel tries again."""
    journal.refuse = 1
    async with listening() as link, panel_at(link, wait=0.5) as panel:
        assert await panel.contact_id("101") == "ACK"
        assert panel.tries >= 2
    assert len(journal.facts) == 1


async def test_a_damaged_frame_is_refused_recorded_and_repeated(listening: Any, journal: Journal) -> None:
    """A wrong check costs one repeat."""
    async with listening() as link, panel_at(link) as panel:
        panel.faults.wrong_checks = 1
        assert await panel.contact_id("101") == "ACK"
        assert link.health().counters["check_errors"] == 1
    assert [frame.channel for frame in journal.frames] == ["unreadable", "block"]


async def test_split_and_joined_segments_are_the_same_frames(listening: Any, journal: Journal) -> None:
    """Byte by byte, and behind the frame before and some rubbish."""
    async with listening() as link, panel_at(link) as panel:
        panel.faults.split = True
        assert await panel.contact_id("101") == "ACK"
        panel.faults.split = False
        await panel.send(b"rubbish" + panel.compose("NULL", "") + panel.compose("SIA-DCS", "#1234|NGA1"))
        assert '"ACK"' in await panel.answer()
        assert '"ACK"' in await panel.answer()
    assert [fact.kind for fact in journal.facts] == ["pendant.pressed", "call.heartbeat", "gas.detected"]


async def test_a_length_in_decimal_is_accepted_and_counted(listening: Any) -> None:
    """One maker writes it so; its check is right."""
    async with listening() as link, panel_at(link) as panel:
        panel.faults.decimal = True
        assert await panel.contact_id("101") == "ACK"
        assert link.health().counters["decimal_lengths"] == 1


async def test_polls_are_answered_and_thinned_out(listening: Any, journal: Journal) -> None:
    """Every poll gets its ACK; one a minute is written down."""
    async with listening() as link, panel_at(link) as panel:
        assert [await panel.poll() for _ in range(5)] == ["ACK"] * 5
    assert [fact.kind for fact in journal.facts] == ["call.heartbeat"]


async def test_a_frame_of_another_kind_is_answered_duh(listening: Any, journal: Journal) -> None:
    """Understood as a frame, not as content; recorded."""
    async with listening() as link, panel_at(link) as panel:
        assert await panel.report("ADM-XYZ", "#1234|x", tries=1) == "DUH"
    assert len(journal.frames) == 1


async def test_datagrams_are_answered_too(listening: Any, journal: Journal) -> None:
    """The same frames over UDP."""
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            answered.set_result(data)

    async with listening() as link:
        socket, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            Client, remote_addr=("127.0.0.1", link.port)
        )
        socket.sendto(CID)
        assert b'"ACK"0001' in await asyncio.wait_for(answered, 30)
        socket.close()
    assert [fact.kind for fact in journal.facts] == ["pendant.pressed"]


async def test_fifty_panels_at_once_are_all_acknowledged(listening: Any, journal: Journal) -> None:
    """A storm of reports leaves nothing out."""
    async with listening() as link:
        panels = [Panel(f"{0x2000 + n:X}", ("127.0.0.1", link.port), wait=30) for n in range(50)]
        for panel in panels:
            panel.now = lambda: datetime.fromtimestamp(NOW / 1000, UTC)
            await panel.start()
        answers = await asyncio.gather(*(panel.contact_id("301", zone="000") for panel in panels))
        for panel in panels:
            await panel.stop()
    assert answers == ["ACK"] * 50
    assert len({frame.address for frame in journal.frames}) == 50


async def test_a_panel_takes_no_commands(listening: Any) -> None:
    """Said in a sentence."""
    async with listening() as link:
        with pytest.raises(LinkDown, match="takes no commands"):
            await link.send("1234", Outgoing("", b""))
