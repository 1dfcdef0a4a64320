"""Status requests and replies on an ESPA line, contention, and lost answers: machines alone, and on a real pty."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.device_type import Command, Outgoing, Unit
from drivers.devices.espa_nurse_call import DEVICE
from drivers.protocols.espa444 import Block, encode_block
from drivers.protocols.espa444_calls import MAX_CALLS, CallBook, PageBook
from drivers.protocols.espa444_line import ControlStation, Station, espa_machine
from drivers.protocols.espa444_settings import EspaLine
from drivers.protocols.line import Failed, Heard, Out, Sent, Write
from simulators.serial.espa_unit import EspaUnit

CALL = Block("1", (("1", "12"), ("2", "BAD"), ("4", "3")))
RESET = Block("1", (("1", "12"), ("4", "1")))
ASK = Block("3", (("1", "12"), ("2", "BAD")))
PAGE = Block("1", (("1", "77"), ("2", "FALL")))
DIRECT = EspaLine(role="station", own="2", stations=("1",), polled=False)
QUICK = {"answer_wait": 0.3, "poll_every": 0.01, "poll_wait": 0.1, "regain_after": 1.0, "ask_after": 0.2}


def status(address: str, value: str) -> Block:
    """A status block."""
    return Block("2", (("1", address), ("7", value)))


def written(outs: list[Out]) -> bytes:
    """What goes on the line."""
    return b"".join(out.data for out in outs if isinstance(out, Write))


def taken(machine: ControlStation | Station, block: Block, now: float) -> list[Out]:
    """Select the machine, hand it a block, have it written down; what it says then, the end included."""
    machine.feed(f"{machine.line.own}\x05".encode(), now)
    [frame] = [out for out in machine.feed(encode_block(block), now) if isinstance(out, Heard)]
    return [*machine.answer(frame.ticket, "accepted", now), *machine.feed(b"\x04", now)]


@pytest.mark.parametrize(
    ("before", "says"),
    [([], "8"), ([CALL], "2"), ([CALL, RESET], "5"), ([RESET, CALL], "2")],
    ids=["unknown", "written down", "reset", "called again"],
)
def test_a_status_request_is_answered_out_of_what_was_written_down(before: list[Block], says: str) -> None:
    """In the queue, terminated, or a fault where nothing is known: unknown is never said to be fine."""
    book = CallBook(DIRECT)
    for block in before:
        assert book.taken(block) is None
    assert book.taken(ASK) == status("12", says)


def test_what_was_told_is_what_a_request_hears() -> None:
    """Nils has taken the call: the system was told, and asking again gives the same."""
    book = CallBook(DIRECT)
    book.taken(CALL)
    book.told(status("12", "6"))
    assert book.taken(ASK) == status("12", "6")


def test_the_books_forget_the_oldest() -> None:
    """A line that calls from ever new places does not fill the memory."""
    book = CallBook(DIRECT)
    for number in range(MAX_CALLS + 1):
        book.taken(Block("1", (("1", str(number)),)))
    assert book.taken(Block("3", (("1", "0"),))) == status("0", "8")
    assert book.taken(Block("3", (("1", "1"),))) == status("1", "2")


def test_a_direct_station_answers_a_request_at_once() -> None:
    """Where nobody polls it selects the asker itself when the line is free again."""
    machine = Station(DIRECT)
    machine.start(0.0)
    assert written(taken(machine, CALL, 1.0)) == b"\x06"
    assert written(taken(machine, ASK, 2.0)) == b"\x061\x05"
    assert written(machine.feed(b"\x06", 2.1)) == encode_block(status("12", "2"))
    assert machine.feed(b"\x06", 2.2) == [Write(b"\x04")]
    assert machine.counters["status_replies"] == 1


def test_a_polled_station_answers_a_request_at_its_next_poll() -> None:
    """It has the line only when it is given it."""
    machine = Station(EspaLine(role="station", own="2", stations=("1",)))
    machine.start(0.0)
    assert written(taken(machine, ASK, 1.0)) == b"\x06"
    assert written(machine.feed(b"\x042\x05", 1.2)) == b"1\x05"
    assert written(machine.feed(b"\x06", 1.3)) == encode_block(status("12", "8"))


def test_the_control_station_answers_the_station_that_asked() -> None:
    """By direct selection, after the asker has given the line back."""
    machine = ControlStation(EspaLine(stations=("2", "3")))
    machine.start(0.0)
    machine.feed(b"\x04", 0.1)
    machine.tick(0.3)
    assert written(taken(machine, ASK, 0.4)) == b"\x06"
    assert written(machine.tick(1.0)) == b"\x041\x053\x05"


def test_a_page_without_its_end_is_asked_about_and_then_left() -> None:
    """Three questions in their time, no more; a page in the queue is no end."""
    book = PageBook(EspaLine(confirms=True, ask_after=10.0, asks=3))
    book.given(PAGE, "2", 0.0)
    book.taken(status("77", "2"))
    assert book.due() == 10.0
    for at in (10.0, 20.0, 30.0):
        assert book.questions(at) == [("2", Block("3", PAGE.records))]
        assert book.questions(at + 1) == []
    assert book.due() is None


@pytest.mark.parametrize("end", ["3", "4", "5", "6", "71", "72", "8"])
def test_a_page_whose_end_was_told_is_not_asked_about(end: str) -> None:
    """Paged, absent, terminated, acknowledged, fault: that was it."""
    book = PageBook(EspaLine(confirms=True))
    book.given(PAGE, "2", 0.0)
    book.taken(status("77", end))
    assert book.due() is None


def test_nobody_is_asked_where_pages_are_not_confirmed() -> None:
    """A system that never reports is left alone."""
    book = PageBook(EspaLine())
    book.given(PAGE, "2", 0.0)
    assert book.due() is None


def test_a_direct_station_sends_without_being_polled() -> None:
    """Select, block, end."""
    machine = Station(DIRECT)
    machine.start(0.0)
    assert written(list(machine.send(5, "", encode_block(PAGE), "block", 0.1))) == b"1\x05"
    assert written(machine.feed(b"\x06", 0.2)) == encode_block(PAGE)
    assert machine.feed(b"\x06", 0.3) == [Write(b"\x04"), Sent(5)]


def test_where_both_ask_at_once_the_control_station_goes_first() -> None:
    """The station listens, takes the call, and says its own afterwards; nothing is lost on either side."""
    machine = Station(DIRECT)
    machine.start(0.0)
    machine.send(5, "", encode_block(PAGE), "block", 0.1)
    assert written(machine.feed(b"\x041\x052\x05", 0.1)) == b"\x06"
    assert machine.counters["contentions"] == 1
    [frame] = [out for out in machine.feed(encode_block(CALL), 0.2) if isinstance(out, Heard)]
    outs = [*machine.answer(frame.ticket, "accepted", 0.3), *machine.feed(b"\x04", 0.4)]
    assert written(outs) == b"\x061\x05"
    machine.feed(b"\x06", 0.5)
    assert Sent(5) in machine.feed(b"\x06", 0.6)


def test_the_control_station_insists() -> None:
    """An enquiry that crosses its own changes nothing for it."""
    machine = ControlStation(EspaLine())
    machine.start(0.0)
    machine.feed(b"\x04", 0.1)
    machine.send(5, "", encode_block(PAGE), "block", 0.1)
    assert written(machine.tick(0.3)) == b"\x041\x052\x05"
    assert machine.feed(b"1\x05", 0.31) == []
    assert written(machine.feed(b"\x06", 0.4)) == encode_block(PAGE)
    assert machine.counters["contentions"] == 1


def test_a_bare_enquiry_repeats_the_last_answer() -> None:
    """The master missed our ACK or NAK and asks again (ISO 1745); while the commit lasts there is no answer yet."""
    machine = Station(DIRECT)
    machine.start(0.0)
    machine.feed(b"2\x05", 0.1)
    raw = encode_block(CALL)
    assert written(machine.feed(raw[:-1] + bytes([raw[-1] ^ 1]), 0.2)) == b"1\x15"
    assert written(machine.feed(b"\x05", 0.3)) == b"1\x15"
    [frame] = [out for out in machine.feed(raw, 0.4) if isinstance(out, Heard)]
    assert machine.feed(b"\x05", 0.5) == []
    machine.answer(frame.ticket, "accepted", 0.6)
    assert written(machine.feed(b"\x05", 0.7)) == b"\x06"


def test_a_bare_enquiry_outside_a_selection_says_nothing() -> None:
    """It is noise."""
    machine = Station(DIRECT)
    machine.start(0.0)
    assert machine.feed(b"\x05", 0.1) == []


def test_a_block_is_repeated_as_often_as_the_line_says_and_then_fails() -> None:
    """Retry counts are settings: two repeats make three times on the line."""
    machine = Station(EspaLine(role="station", own="2", stations=("1",), polled=False, repeats=2))
    machine.start(0.0)
    machine.send(5, "", encode_block(PAGE), "block", 0.0)
    sent = [written(machine.feed(b"\x06", 0.1))]
    while (due := machine.due()) is not None:
        outs = machine.tick(due)
        sent.append(written(outs))
        if Failed(5, "no answer") in outs:
            break
    assert sent == [encode_block(PAGE)] * 3 + [b"\x04"]


@pytest.mark.parametrize(
    ("args", "says"),
    [({"address": "12", "status": "fine"}, "is one of"), ({"status": "paged"}, "needs the call's address")],
)
def test_a_status_that_cannot_be_told_is_refused(args: dict[str, str], says: str) -> None:
    """In a sentence."""
    with pytest.raises(ValueError, match=says):
        DEVICE.encode(Command("c1", "status", args, 0), Unit("nurse-call"))


@pytest.fixture
def unit_at(tmp_path: Path) -> Callable[..., Any]:
    """A nurse-call unit plugged in at `port`."""

    async def plugged(role: Any) -> EspaUnit:
        unit = EspaUnit(role=role, wait=0.3, pause=0.02)
        await unit.start(tmp_path / "port")
        return unit

    return plugged


@pytest.mark.parametrize(
    ("role", "settings"),
    [("station", QUICK), ("control", {**QUICK, "role": "station", "polled": False})],
)
async def test_over_a_real_line_both_sides_ask_and_are_answered(
    open_link: Any, unit_at: Any, make_ear: Any, role: str, settings: dict[str, Any]
) -> None:
    """The unit asks about its call, we ask about our page, and each hears what became of it; in both roles."""
    ear = make_ear(DEVICE)
    unit = await unit_at(role)
    unit.becomes, unit.tells = {"77": "3"}, False
    try:
        async with open_link(espa_machine({**settings, "confirms": True}), ear) as running:
            await running.until("up")
            for message in (await unit.call("12", "BAD"), await unit.ask("12", "BAD")):
                assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"
            await running.link.send("port", Outgoing("block", encode_block(PAGE)))
            await ear.until(
                lambda: any(frame.payload == encode_block(status("77", "3")) for frame in ear.frames)
            )
            assert (unit.told, unit.asked) == ([("12", "2")], ["77"])
    finally:
        await unit.stop()


async def test_a_speech_call_is_a_call(open_link: Any, unit_at: Any, make_ear: Any) -> None:
    """Header 4: somebody wants to speak, and is heard like any other."""
    ear = make_ear(DEVICE)
    unit = await unit_at("station")
    try:
        async with open_link(espa_machine(QUICK), ear) as running:
            await running.until("up")
            message = await unit.speech("204")
            assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"
            assert [fact.data["place"] for fact in ear.of("call.raised")] == ["204"]
    finally:
        await unit.stop()
