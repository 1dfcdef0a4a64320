"""SCAIP on real sockets: alarms are written down, then acknowledged by an mrs, whatever the network does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from drivers.device_type import Outgoing
from drivers.events import Frame
from drivers.links.link import LinkDown, Receipt
from drivers.links.sip import SipLink
from drivers.links.sip_settings import SipSettings
from drivers.protocols.scaip import CONTENT_TYPE, Request, write_request
from hub.clock import ManualClock
from simulators.ip.scaip import ScaipReceiver, ScaipUnit, element
from tests.ports import free_port

CID = "1000200030"
PATIENT: dict[str, Any] = {"first_repeat": 5.0}
"""A unit that does not repeat itself because the machine is busy: loopback loses nothing."""


class Journal:
    """What the gateway's ear would do: note frames, say what became of them."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuse = 0
        self.error = ""

    async def __call__(self, frame: Frame) -> Receipt:
        """Take a frame."""
        if self.refuse:
            self.refuse -= 1
            return Receipt(accepted=False)
        self.frames.append(frame)
        await self.gate.wait()
        return Receipt(accepted=True, error=self.error)


@pytest.fixture
def journal() -> Journal:
    """An empty journal."""
    return Journal()


@pytest.fixture
def listening(journal: Journal) -> Callable[..., AbstractAsyncContextManager[SipLink]]:
    """Run a link on loopback."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[SipLink]:
        link = SipLink("127.0.0.1", free_port(), ManualClock().now, SipSettings(**settings))
        task = asyncio.create_task(link.run(journal))
        await asyncio.wait_for(link.listening.wait(), 30)
        try:
            yield link
        finally:
            task.cancel()
            await asyncio.wait({task})

    return opened


@asynccontextmanager
async def unit_at(link: SipLink, **options: Any) -> AsyncIterator[ScaipUnit]:
    """A care phone that reports to the link."""
    unit = ScaipUnit(options.pop("cid", CID), ("127.0.0.1", link.port), **PATIENT | options)
    await unit.start()
    try:
        yield unit
    finally:
        await unit.stop()


async def reply_of(alarm: Any) -> str:
    """The mrs of an alarm."""
    return await asyncio.wait_for(alarm.reply, 30)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_an_alarm_is_written_down_and_acknowledged_by_its_reference(
    listening: Any, journal: Journal, transport: str
) -> None:
    """Astrid presses: the frame carries her unit's id, and the mrs names her alarm."""
    async with listening() as link, unit_at(link, transport=transport) as unit:
        alarm = await unit.alarm()
        reply = await reply_of(alarm)
        assert (element(reply, "ref"), element(reply, "snu"), element(reply, "mre")) == (alarm.ref, "0", "0")
        [frame] = journal.frames
        assert (frame.link, frame.address, frame.channel) == ("sip", CID, CONTENT_TYPE)


async def test_nothing_is_acknowledged_before_the_commit(listening: Any, journal: Journal) -> None:
    """While the journal is busy the unit repeats and hears nothing; it is one alarm in the end."""
    async with listening() as link, unit_at(link, first_repeat=0.05) as unit:
        journal.gate.clear()
        sending = asyncio.create_task(unit.alarm())
        async with asyncio.timeout(30):
            while link.health().counters.get("repeated", 0) < 2:
                await asyncio.sleep(0.01)
        assert (unit.answers, unit.replies) == ([], [])
        journal.gate.set()
        await reply_of(await sending)
        assert len(journal.frames) == 1


async def test_what_could_not_be_written_down_comes_again(listening: Any, journal: Journal) -> None:
    """A full disk answers 503 and no mrs; the unit's next attempt is a new one."""
    journal.refuse = 1
    async with listening() as link, unit_at(link) as unit:
        alarm = await unit.alarm()
        assert unit.answers == [503]
        assert not alarm.reply.done()
        again = await unit.alarm(ref=alarm.ref)
        assert element(await reply_of(again), "snu") == "0"
        assert len(journal.frames) == 1


async def test_a_doubled_message_is_one_alarm(listening: Any, journal: Journal) -> None:
    """The same transaction twice gets the same answer."""
    async with listening() as link, unit_at(link) as unit:
        unit.faults.double = 1
        await reply_of(await unit.alarm())
        async with asyncio.timeout(30):
            while len(unit.answers) < 2:
                await asyncio.sleep(0.01)
        assert unit.answers == [200, 200]
        assert len(journal.frames) == 1


async def test_the_same_alarm_in_a_new_transaction_is_acknowledged_again_and_counts_once(
    listening: Any, journal: Journal
) -> None:
    """A unit that lost our mrs sends its alarm anew; it is the same alarm."""
    async with listening() as link, unit_at(link) as unit:
        first = await unit.alarm()
        await reply_of(first)
        again = await unit.alarm(ref=first.ref)
        assert element(await reply_of(again), "snu") == "0"
        assert len(journal.frames) == 1


async def test_a_second_press_is_a_second_alarm(listening: Any, journal: Journal) -> None:
    """Another reference is another alarm."""
    async with listening() as link, unit_at(link) as unit:
        await reply_of(await unit.alarm())
        await reply_of(await unit.alarm())
        assert len(journal.frames) == 2


async def test_the_mrs_is_repeated_until_the_unit_has_it(listening: Any, journal: Journal) -> None:
    """Our own message is a transaction too: the network loses it once."""
    async with listening() as link, unit_at(link) as unit:
        unit.faults.lose_answers = 1
        await reply_of(await unit.alarm())
        assert link.health().counters["repeats"] >= 1


async def test_speech_is_asked_for_once(listening: Any) -> None:
    """The unit is told whom to call; a second alarm during that minute starts no second call."""
    async with listening(tnu="sip:desk@example.test") as link, unit_at(link) as unit:
        first = await reply_of(await unit.alarm(more="<crd>sip:</crd>"))
        assert (element(first, "mre"), element(first, "cre")) == ("1", "62")
        assert element(first, "tnu") == "sip:desk@example.test"
        second = await reply_of(await unit.alarm(more="<crd>sip:</crd>"))
        assert (element(second, "mre"), element(second, "tnu")) == ("0", "")


@pytest.mark.parametrize(
    ("dty", "stc", "mty", "more"),
    [("0003", "0019", "ME", ""), ("0002", "0102", "PI", ""), ("0003", "0010", "ME", "<crd>no-voice:</crd>")],
)
async def test_no_call_is_asked_for_where_none_is_wanted(
    listening: Any, dty: str, stc: str, mty: str, more: str
) -> None:
    """A cancel, a heartbeat and a unit without voice are answered and not called."""
    async with listening(tnu="sip:desk@example.test") as link, unit_at(link) as unit:
        reply = await reply_of(await unit.alarm(dty, stc, mty=mty, more=more))
        assert (element(reply, "snu"), element(reply, "mre")) == ("0", "0")


async def test_a_stranger_is_told_that_nobody_treats_its_alarm(listening: Any, journal: Journal) -> None:
    """A unit that is not registered gets status 5, so that it turns to its next receiver."""
    journal.error = "no device at this address"
    async with listening() as link, unit_at(link) as unit:
        assert element(await reply_of(await unit.alarm()), "snu") == "5"


@pytest.mark.parametrize(
    ("body", "snu"),
    [
        ("<mrq><ref>77</ref><cid>1000200030</cid></mrq>", "7"),
        ("<mrq><ref>77</ref><cid>1000200030</cid><dty>x</dty></mrq>", "2"),
        ("<!DOCTYPE mrq><mrq><ref>77</ref><cid>1</cid><dty>3</dty></mrq>", "2"),
        ("rubbish", "2"),
    ],
)
async def test_a_message_that_cannot_be_read_is_recorded_and_answered(
    listening: Any, journal: Journal, body: str, snu: str
) -> None:
    """The unit learns what is wrong, and the bytes are in the journal."""
    async with listening() as link, unit_at(link) as unit:
        assert await unit.say(body) == 200
        async with asyncio.timeout(30):
            while not unit.replies:
                await asyncio.sleep(0.01)
        assert element(unit.replies[0], "snu") == snu
        assert journal.frames[0].payload == body.encode()


async def test_a_unit_that_speaks_for_another_is_refused(listening: Any, journal: Journal) -> None:
    """The From user must be the controller id."""
    async with listening() as link, unit_at(link) as unit:
        unit.faults.foreign_user = "999"
        reply = await reply_of(await unit.alarm())
        assert element(reply, "snu") == "99"
        assert journal.frames[0].channel == "unreadable"


@pytest.mark.parametrize(
    ("kind", "method", "code"),
    [("text/plain", "MESSAGE", 415), (CONTENT_TYPE, "INVITE", 405), (CONTENT_TYPE, "OPTIONS", 200)],
)
async def test_other_requests_get_their_sip_answer(
    listening: Any, journal: Journal, kind: str, method: str, code: int
) -> None:
    """What is no alarm message is refused in SIP's own words."""
    async with listening() as link, unit_at(link) as unit:
        assert await unit.say("x", kind, method) == code
        assert journal.frames == []


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_rubbish_is_recorded_and_the_next_alarm_heard(
    listening: Any, journal: Journal, transport: str
) -> None:
    """Any bytes at all leave the listener standing."""
    async with listening() as link, unit_at(link, transport=transport) as bad, unit_at(link) as unit:
        bad.raw(b"\x00\xff rubbish\r\n\r\n" * 3)
        await reply_of(await unit.alarm())
        assert journal.frames[-1].address == CID


async def test_a_message_in_single_bytes_is_one_alarm(listening: Any, journal: Journal) -> None:
    """A stream delivers pieces."""
    async with listening() as link, unit_at(link, transport="TCP") as unit:
        unit.faults.split = True
        await reply_of(await unit.alarm())
        assert len(journal.frames) == 1


async def test_two_hundred_units_at_once_are_all_acknowledged(listening: Any, journal: Journal) -> None:
    """A power cut in a street: everybody reports within a moment."""
    async with listening() as link:
        units = [ScaipUnit(f"{5000 + n}", ("127.0.0.1", link.port), seed=n) for n in range(200)]
        for unit in units:
            await unit.start()
        try:
            alarms = await asyncio.gather(*(unit.alarm("0002", "0085") for unit in units))
            replies = await asyncio.gather(*(reply_of(alarm) for alarm in alarms))
        finally:
            for unit in units:
                await unit.stop()
    assert {element(reply, "snu") for reply in replies} == {"0"}
    assert len(journal.frames) == 200


@pytest.mark.parametrize("suffix", ["", ";transport=tcp"])
async def test_an_alarm_is_passed_on_and_taken(listening: Any, suffix: str) -> None:
    """We are a unit ourselves: an alarm receiving centre takes the alarm with its mrs."""
    receiver = ScaipReceiver()
    port = await receiver.start(free_port())
    try:
        async with listening() as link:
            out = Outgoing(CONTENT_TYPE, write_request(Request("R1", "900", 3, ite="Astrid")), wait=30_000)
            await link.send(f"sip:arc@127.0.0.1:{port}{suffix}", out)
        assert element(receiver.alarms[0], "ite") == "Astrid"
    finally:
        await receiver.stop()


@pytest.mark.parametrize(
    ("options", "wait", "says"),
    [({"silent": True}, 500, "did not acknowledge"), ({"snu": "6"}, 30_000, "status 6")],
)
async def test_a_sip_200_alone_is_no_acknowledgement(
    listening: Any, options: dict[str, Any], wait: int, says: str
) -> None:
    """Without an mrs, or with one that says no, the alarm counts as not passed on."""
    receiver = ScaipReceiver(**options)
    port = await receiver.start(free_port())
    try:
        async with listening() as link:
            out = Outgoing(CONTENT_TYPE, write_request(Request("R1", "900", 3)), wait=wait)
            with pytest.raises(LinkDown, match=says):
                await link.send(f"sip:arc@127.0.0.1:{port}", out)
    finally:
        await receiver.stop()


@pytest.mark.parametrize("address", ["sip:arc@127.0.0.1:1;transport=tcp", "http://x", "sip:"])
async def test_a_receiver_that_cannot_be_reached_is_said(listening: Any, address: str) -> None:
    """A wrong address or a closed port is a sentence."""
    async with listening() as link:
        out = Outgoing(CONTENT_TYPE, write_request(Request("R1", "900", 3)), wait=500)
        with pytest.raises(LinkDown):
            await link.send(address, out)


async def test_a_taken_port_is_said(listening: Any) -> None:
    """Two receivers on one port: the second one is down and says why."""
    async with listening() as link:
        second = SipLink("127.0.0.1", link.port, ManualClock().now)
        task = asyncio.create_task(second.run(Journal()))
        async with asyncio.timeout(30):
            while second.health().state != "down":
                await asyncio.sleep(0.01)
        assert "could not be listened on" in second.health().reason
        task.cancel()
        await asyncio.wait({task})
