"""SIA DC-09 against pysiaalarm: our panel reports to its receiver, and both read the same in every frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drivers.device_type import Unit
from drivers.devices.dc09_panel import DEVICE
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import dc09
from simulators.ip.panel import Panel

pysiaalarm = pytest.importorskip("pysiaalarm", reason="pysiaalarm is not installed (make test installs it)")

KEY = "0123456789ABCDEF"
"""As that receiver takes it: sixteen characters, whose bytes are the key."""


@asynccontextmanager
async def receiver(key: str | None) -> AsyncIterator[tuple[int, list[Any], Any]]:
    """The peer's receiver on loopback: its port, the events it took, and itself."""
    from pysiaalarm.aio import client as peer

    events: list[Any] = []

    async def take(event: Any) -> None:
        events.append(event)

    account = pysiaalarm.SIAAccount("1234", key)
    make: Any = peer.SIAClient  # it makes an object of another class
    client = make("127.0.0.1", 0, [account], take)
    await client.async_start()
    try:
        yield client.server.sockets[0].getsockname()[1], events, client
    finally:
        await client.async_stop()


@asynccontextmanager
async def panel_at(port: int, key: str | None) -> AsyncIterator[Panel]:
    """Our panel."""
    panel = Panel("1234", ("127.0.0.1", port), key=key.encode().hex() if key else "", wait=5)
    await panel.start()
    try:
        yield panel
    finally:
        await panel.stop()


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
async def test_an_independent_receiver_takes_our_panels_reports(key: str | None) -> None:
    """Contact ID, letters and polls are acknowledged, and mean there what they mean here."""
    async with receiver(key) as (port, events, _), panel_at(port, key) as panel:
        assert await panel.contact_id("101", group="02", zone="007") == "ACK"
        assert await panel.letters("MA", "2") == "ACK"
        assert await panel.poll() == "ACK"
    assert [one.message_type.value for one in events][:2] == ["ADM-CID", "SIA-DCS"]
    contact, letters = events[:2]
    assert (contact.account, contact.event_type, contact.partition, contact.ri) == (
        "1234",
        "101",
        "02",
        "007",
    )
    assert (letters.code, letters.message) == ("MA", "2")


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
@pytest.mark.parametrize(("wrong", "answer"), [(0, "ACK"), (35, "ACK"), (45, "NAK"), (-25, "NAK")])
async def test_both_draw_the_line_at_the_same_second(key: str | None, wrong: int, answer: str) -> None:
    """Forty seconds late, twenty early: what one refuses for its time, the other refuses."""
    async with receiver(key) as (port, _, _client), panel_at(port, key) as panel:
        panel.clock = timedelta(seconds=-wrong)
        raw = panel.compose("ADM-CID", "#1234|1101 00 001")
        await panel.send(raw)
        assert f'"{answer}"' in (await panel.answer()).replace('"*', '"')
    message = dc09.read_frame(raw, key.encode() if key else None)
    verdict = dc09.judge(message, int(datetime.now(UTC).timestamp() * 1000))
    assert (verdict == "event") is (answer == "ACK")


async def test_the_time_in_its_nak_sets_the_panels_clock() -> None:
    """A clock that is five hours wrong costs one attempt."""
    async with receiver(None) as (port, events, _), panel_at(port, None) as panel:
        panel.clock = timedelta(hours=5)
        assert await panel.contact_id("101") == "ACK"
        assert panel.answers == ["NAK", "ACK"]
        async with asyncio.timeout(30):
            while not events:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("ADM-CID", "#1234|1101 00 001", "101"),
        ("ADM-CID", "#1234|3301 00 000", "301"),
        ("SIA-DCS", "#1234|NFA3", "FA"),
    ],
)
def test_both_read_the_same_in_a_frame(name: str, data: str, code: str) -> None:
    """Account, number, code and time of one frame."""
    from pysiaalarm.event import SIAEvent

    raw = Panel("1234", ("", 0)).compose(name, data)
    theirs = SIAEvent.from_line(raw.decode().strip(), {"1234": pysiaalarm.SIAAccount("1234")})
    ours = dc09.read_frame(raw, None)
    assert theirs.valid_message
    assert (theirs.account, int(theirs.sequence or -1)) == (ours.head.account, int(ours.head.seq))
    assert code in (theirs.event_type, theirs.code)
    facts = DEVICE.decode(Frame("tcp", "1234", raw, 0, "block"), Unit("1234"))
    assert any(isinstance(one, Fact) for one in facts)


def test_what_it_refuses_for_its_check_we_refuse() -> None:
    """One wrong character in the frame."""
    from pysiaalarm.event import SIAEvent

    raw = Panel("1234", ("", 0)).compose("ADM-CID", "#1234|1101 00 001").replace(b"1101", b"1102")
    theirs = SIAEvent.from_line(raw.decode().strip(), {"1234": pysiaalarm.SIAAccount("1234")})
    assert not theirs.valid_message
    with pytest.raises(DecodeError):
        dc09.read_frame(raw, None)
