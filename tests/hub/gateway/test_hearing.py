"""Hearing: from a frame to the journal, whatever the frame holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.events import Event, Fact, Frame
from hub.clock import ManualClock
from hub.gateway.hearing import Committed, Hearing
from hub.gateway.roll import Roll
from hub.store.writer import Writer

Says = Callable[..., Frame]
PRESSED = {"kind": "pendant.pressed"}


def events(heard: list[Committed]) -> list[Event]:
    """The events committed so far."""
    return [noted.event for committed in heard for noted in committed.events if noted.new]


async def test_a_frame_becomes_an_event_in_the_journal(
    hearing: Hearing, says: Says, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """Astrid's press stands in the journal, with its frame, in the alarm lane, when the receipt comes."""
    receipt = await hearing.hear(says("pendant-1", PRESSED))
    assert receipt.accepted
    assert not receipt.error
    [body] = stored.bodies("event")
    assert body["id"] == receipt.events[0]
    assert (body["home"], body["device"], body["kind"]) == ("h1", "pendant-1", "pendant.pressed")
    assert stored.rows("SELECT lane, number, heard FROM journal") == [("alarm", 1, clock.now())]
    assert stored.rows("SELECT f.payload FROM journal j JOIN frame f ON f.seq = j.frame") == [
        says("x", PRESSED).payload
    ]


async def test_a_sign_of_life_counts_for_what_the_device_is_registered_as(
    hearing: Hearing, says: Says, heard: list[Committed]
) -> None:
    """A pendant whose wire says that a room is alive is alive itself; what it tells of a room stays the room's."""
    await hearing.hear(says("pendant-1", {"kind": "room.heartbeat"}, {"kind": "room.motion"}))
    assert [event.kind for event in events(heard)] == ["pendant.heartbeat", "room.motion"]


async def test_a_repeated_report_counts_once(
    hearing: Hearing, says: Says, heard: list[Committed], stored: SimpleNamespace, clock: ManualClock
) -> None:
    """A device that repeats an event it numbered itself gets the same answer, and the journal has it once."""
    first = await hearing.hear(says("pendant-1", PRESSED | {"id": "7"}))
    await clock.advance(30)
    again = await hearing.hear(says("pendant-1", PRESSED | {"id": "7"}))
    assert first == again
    assert first.events == ("pendant-1:7",)
    assert len(stored.bodies("event")) == 1
    assert len(events(heard)) == 1
    assert stored.rows("SELECT count(*) FROM frame") == [1]


async def test_one_id_for_two_events_loses_neither(
    hearing: Hearing, says: Says, stored: SimpleNamespace
) -> None:
    """A device that counts anew after a restart says another thing under an old id: both are kept, each once."""
    await hearing.hear(says("pendant-1", PRESSED | {"id": "7"}))
    for _ in range(2):
        await hearing.hear(says("pendant-1", {"kind": "pendant.fall", "id": "7"}))
    assert [body["kind"] for body in stored.bodies("event")] == ["pendant.pressed", "pendant.fall"]


async def test_two_facts_of_one_report_are_two_events(
    hearing: Hearing, says: Says, stored: SimpleNamespace
) -> None:
    """Facts that share the report's id are told apart by their place, the same way each time."""
    frame = says(
        "pendant-1", PRESSED | {"id": "7"}, {"kind": "pendant.battery", "data": {"value": 80}, "id": "7"}
    )
    receipt = await hearing.hear(frame)
    assert receipt.events == ("pendant-1:7", "pendant-1:7.2")
    assert await hearing.hear(frame) == receipt
    assert len(stored.bodies("event")) == 2


async def test_events_without_an_id_keep_their_order(hearing: Hearing, says: Says) -> None:
    """Ids that we make grow with the order of hearing, also within one millisecond."""
    receipts = [await hearing.hear(says("pendant-1", PRESSED)) for _ in range(3)]
    ids = [receipt.events[0] for receipt in receipts]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(("ahead", "kept"), [(-60_000, -60_000), (60_000, 0), (-8 * 86_400_000, 0)])
async def test_a_devices_time_is_believed_within_reason(
    hearing: Hearing, says: Says, heard: list[Committed], clock: ManualClock, ahead: int, kept: int
) -> None:
    """A trusted clock's time is taken; the future and the distant past become the moment of hearing."""
    await hearing.hear(says("lock-1", {"kind": "lock.locked", "at": clock.now() + ahead}))
    [event] = events(heard)
    assert event.at - event.heard == kept


async def test_a_sign_of_life_is_one_now(
    hearing: Hearing, says: Says, heard: list[Committed], clock: ManualClock
) -> None:
    """A lock whose clock is five hours behind is not silent: its heartbeat counts from when it was heard."""
    await hearing.hear(says("lock-1", {"kind": "lock.heartbeat", "at": clock.now() - 5 * 3_600_000}))
    assert [(event.kind, event.at) for event in events(heard)] == [("lock.heartbeat", clock.now())]


async def test_a_device_without_a_clock_is_stamped(
    hearing: Hearing, says: Says, heard: list[Committed], clock: ManualClock
) -> None:
    """What a device without a trusted clock says of the time is not used."""
    await hearing.hear(says("pendant-1", PRESSED | {"at": clock.now() - 5000}))
    assert events(heard)[0].at == clock.now()


async def test_a_stranger_is_written_down(
    hearing: Hearing, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """A frame of nobody registered is an entry that someone can find, and is answered."""
    receipt = await hearing.hear(Frame("mqtt", "h9/thing", b"hello", clock.now(), "event"))
    assert receipt.accepted
    assert "no device is registered at mqtt 'h9/thing'" in receipt.error
    [body] = stored.bodies("unknown")
    assert (body["address"], body["hex"], body["error"]) == ("h9/thing", b"hello".hex(), receipt.error)
    assert (body["home"], body["device"]) == ("", "")


async def test_a_device_that_was_taken_away_is_unknown(
    hearing: Hearing, says: Says, stored: SimpleNamespace
) -> None:
    """A frame outside the time of the assignment is nobody's event."""
    receipt = await hearing.hear(says("old", PRESSED))
    assert "not assigned" in receipt.error
    assert stored.bodies("event") == []
    assert len(stored.bodies("unknown")) == 1


async def test_an_unreadable_frame_is_written_down(
    hearing: Hearing, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """What a decoder refuses is kept with its bytes and the decoder's sentence."""
    receipt = await hearing.hear(Frame("mqtt", "h1/lock-1", b"\xff\x00", clock.now(), "event"))
    assert "expected JSON" in receipt.error
    [body] = stored.bodies("unreadable")
    assert (body["hex"], body["home"], body["device"]) == ("ff00", "h1", "lock-1")
    assert stored.rows("SELECT home, device, lane FROM journal") == [("h1", "lock-1", "technical")]


async def test_a_kind_outside_the_catalogue_is_unreadable(
    hearing: Hearing, says: Says, stored: SimpleNamespace
) -> None:
    """Nothing invents a kind, not even a decoder."""
    receipt = await hearing.hear(says("pendant-1", {"kind": "pendant.sings"}))
    assert "pendant.sings" in receipt.error
    assert stored.bodies("event") == []


@pytest.mark.parametrize("data", [{"value": 10**30}, {"value": -(2**63) - 1}])
async def test_a_number_that_no_database_holds_is_unreadable(
    hearing: Hearing, roll: Roll, stored: SimpleNamespace, clock: ManualClock, data: dict[str, Any]
) -> None:
    """A device that reports an integer beyond 64 bits costs its own frame, and is answered."""
    huge = Fact("room.temperature", data)
    device = roll.devices["room-1"]
    device.type = replace(device.type, decode=lambda _frame, _unit: [huge])
    receipt = await hearing.hear(Frame("mqtt", "h1/room-1", b"x", clock.now(), "state"))
    assert receipt.accepted
    assert receipt.error
    assert len(stored.bodies("unreadable")) == 1


async def test_text_that_is_no_unicode_is_unreadable(
    hearing: Hearing, roll: Roll, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """Half a surrogate pair, which JSON allows a device to send, is kept as the bytes it came in."""
    device = roll.devices["pendant-1"]
    half = Fact("call.raised", {"text": "\ud800"}, id="\ud800")
    device.type = replace(device.type, decode=lambda _frame, _unit: [half])
    receipt = await hearing.hear(Frame("mqtt", "h1/pendant-1", b"x", clock.now(), "event"))
    assert receipt.accepted
    assert receipt.error
    assert len(stored.bodies("unreadable")) == 1


async def test_a_retained_event_is_no_news(hearing: Hearing, says: Says, stored: SimpleNamespace) -> None:
    """An event that the broker kept from earlier is not taken for a new one."""
    receipt = await hearing.hear(replace(says("pendant-1", PRESSED), retained=True))
    assert "kept by the broker" in receipt.error
    assert stored.bodies("event") == []


async def test_a_poison_message_is_kept_once(
    hearing: Hearing, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """A message that nobody will ever understand is written once, answered each time, and does not spin."""
    frame = Frame("mqtt", "h1/lock-1", b"poison", clock.now(), "event")
    receipts = [await hearing.hear(frame) for _ in range(500)]
    assert all(receipt.accepted and receipt.error for receipt in receipts)
    assert len(stored.bodies("unreadable")) == 1
    assert hearing.strangers.repeated == 499


async def test_a_flood_of_rubbish_is_bounded_and_counted(
    hearing: Hearing, says: Says, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """Ten thousand different unreadable frames write a few lines; the next line says how many were left out."""
    for number in range(10_000):
        await hearing.hear(Frame("mqtt", "h1/lock-1", b"rubbish %d" % number, clock.now(), "event"))
    assert len(stored.bodies("unreadable")) == 30
    assert (await hearing.hear(says("pendant-1", PRESSED))).events
    await clock.advance(60)
    await hearing.hear(Frame("mqtt", "h1/lock-1", b"later", clock.now(), "event"))
    assert stored.bodies("unreadable")[-1]["left_out"] == 9_970


async def test_a_large_frame_is_cut_and_measured(
    hearing: Hearing, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """Of ten megabytes the first four kilobytes are kept, and the true size is noted."""
    await hearing.hear(Frame("mqtt", "h1/lock-1", b"\xff" * 10_000_000, clock.now(), "event"))
    [body] = stored.bodies("unreadable")
    assert (len(body["hex"]), body["size"]) == (8192, 10_000_000)


async def test_a_broken_decoder_harms_nobody_else(
    hearing: Hearing, says: Says, stored: SimpleNamespace, heard: list[Committed]
) -> None:
    """A decoder that raises anything at all costs its own frame, which is kept, and no other."""
    broken, fine = await asyncio.gather(
        hearing.hear(says("room-1", **{"break": "by zero"})), hearing.hear(says("pendant-1", PRESSED))
    )
    assert "test_room broke" in broken.error
    assert fine.events
    assert "ZeroDivisionError" in stored.bodies("unreadable")[0]["error"]
    assert [event.kind for event in events(heard)] == ["pendant.pressed"]


async def test_what_a_decoder_remembers_is_stored_with_the_event(
    hearing: Hearing, says: Says, stored: SimpleNamespace
) -> None:
    """Memory and events are one commit, and the memory's version counts on."""
    await hearing.hear(says("pendant-1", PRESSED, count=1))
    await hearing.hear(says("pendant-1", PRESSED, count=2))
    assert stored.rows("SELECT device, version, memory FROM unit_memory") == [("pendant-1", 2, '{"count":2}')]
    assert "heard before" in (await hearing.hear(says("pendant-1", PRESSED, count=2))).error


async def test_a_frame_that_was_not_written_may_come_again(
    hearing: Hearing, writer: Writer, says: Says, stored: SimpleNamespace
) -> None:
    """After a failed commit the decoder has forgotten the frame too, so its repetition is accepted."""
    await writer.write(lambda db: db.execute("PRAGMA max_page_count=1").fetchone())
    big = {"kind": "pendant.pressed", "id": "1"}
    pad = "x" * 300_000
    refused = await hearing.hear(says("pendant-1", big, count=1, pad=pad))
    while refused.accepted:  # pages already in the file are still free to use
        refused = await hearing.hear(
            says("pendant-1", {"kind": "pendant.pressed"}, count=hearing.counters["frames"])
        )
    assert writer.state.condition == "full"
    await writer.write(lambda db: db.execute("PRAGMA max_page_count=100000").fetchone())
    receipt = await hearing.hear(
        says("pendant-1", {"kind": "pendant.fall"}, count=hearing.counters["frames"])
    )
    assert receipt.accepted
    assert stored.bodies("event")[-1]["kind"] == "pendant.fall"


async def test_frames_behind_a_lost_one_do_not_overtake_it(
    hearing: Hearing, writer: Writer, says: Says, stored: SimpleNamespace
) -> None:
    """When a commit fails, frames decoded after it are read again rather than stored on a missing memory."""
    fails = iter([True])

    def break_once() -> None:
        if next(fails, False):
            raise_full()

    writer.before_commit = break_once
    writer.batch = 1
    receipts = await asyncio.gather(*(hearing.hear(says("pendant-1", PRESSED, count=n)) for n in (1, 2, 3)))
    assert [receipt.accepted for receipt in receipts] == [False, True, True]
    assert stored.rows("SELECT version, memory FROM unit_memory") == [(2, '{"count":3}')]
    assert len(stored.bodies("event")) == 2


def raise_full() -> None:
    """Fail as SQLite does when the disk is full."""
    import sqlite3

    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


async def test_the_order_of_hearing_is_the_order_of_the_journal(
    hearing: Hearing, says: Says, heard: list[Committed]
) -> None:
    """A hundred frames handed over at once are committed, and told, in that order."""
    await asyncio.gather(*(hearing.hear(says("pendant-1", PRESSED | {"id": f"{n}"})) for n in range(100)))
    assert [event.id for event in events(heard)] == [f"pendant-1:{n}" for n in range(100)]
    lines = [noted.seq for committed in heard for noted in committed.events]
    assert lines == sorted(lines)
