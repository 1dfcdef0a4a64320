"""Medicine cabinets on lock boards: an unlock is said once, what is open is read, and faults are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.device_type import Command, Outgoing, Result, Unit
from drivers.devices.lock_board_cabinet import DEVICE
from drivers.events import DecodeError, Fact, Frame
from drivers.links.link import LinkDown
from drivers.protocols.line import Failed, Heard, Write
from drivers.protocols.lock_board import Board, Status, Unlocked, read_answer, write_read, write_unlock
from drivers.protocols.lock_board_line import LockBus, lock_board_machine
from simulators.serial.lock_board import LockBoard, LockBoards

SETTINGS = {"unit": "3", "read_every": 0.05}


def test_the_frames_are_those_of_the_manual() -> None:
    """Unlock channel 2 of board 1, and read board 1."""
    assert write_unlock(1, 2) == bytes.fromhex("8A 01 02 11 98")
    assert write_read(1) == bytes.fromhex("80 01 00 33 B2")


@given(st.sets(st.integers(1, 24)), st.sampled_from([0, 1]), st.sampled_from([8, 12, 18, 24]))
def test_a_status_names_what_is_open(opened: set[int], closed_bit: int, channels: int) -> None:
    """Whatever a set bit means on this board."""
    opened = {one for one in opened if one <= channels}
    board = LockBoard(5, channels, closed_bit=closed_bit, open=opened)
    answer = read_answer(board.answer(write_read(5)), Board(channels, closed=closed_bit))
    assert answer == Status(5, tuple(sorted(opened)))


@given(st.binary(max_size=12))
def test_any_bytes_raise_nothing_but_the_one_error(raw: bytes) -> None:
    """Noise is refused in a sentence."""
    try:
        assert isinstance(read_answer(raw, Board()), Status | Unlocked)
    except DecodeError as refused:
        assert str(refused)  # noqa: PT017  both outcomes are right, and each is looked at


@given(st.integers(0, 4), st.integers(0, 7))
def test_a_flipped_bit_never_opens(at: int, bit: int) -> None:
    """One wrong bit of an answer is noticed."""
    raw = bytearray(LockBoard(1).answer(write_unlock(1, 2)))
    raw[at] ^= 1 << bit
    with pytest.raises(DecodeError):
        read_answer(bytes(raw), Board())


def test_an_unlock_without_answer_is_not_said_again() -> None:
    """It is unknown whether the compartment opened; the next reading tells."""
    bus = LockBus((1,), Board(), named=False)
    bus.start(0.0)
    bus.feed(LockBoard(1).answer(write_read(1)), 0.01)
    assert Write(write_unlock(1, 2)) in bus.send(7, "", write_unlock(1, 2), "block", 0.1)
    outs = bus.tick(0.5)
    assert next(out for out in outs if isinstance(out, Failed)).reason.endswith("is not known")
    assert Write(write_read(1)) in outs


def test_an_answer_that_nobody_asked_for_settles_nothing() -> None:
    """A foreign or late answer on the line cannot stand for ours."""
    bus = LockBus((1,), Board(), named=False)
    bus.start(0.0)
    outs = bus.feed(LockBoard(2).answer(write_read(2)), 0.01)
    assert [out.channel for out in outs if isinstance(out, Heard)] == ["unasked"]
    assert bus.counters["unasked"] == 1


def test_a_reading_that_comes_late_is_counted_and_calls_nobody() -> None:
    """A board that was slow once is no trouble; a second answer that nobody asked for is told."""
    bus = LockBus((1,), Board(), named=False)
    bus.start(0.0)
    bus.tick(0.4)
    outs = bus.feed(LockBoard(1).answer(write_read(1)), 0.5)
    assert not [out for out in outs if isinstance(out, Heard)]
    assert bus.counters["late"] == 1
    outs = bus.feed(LockBoard(1).answer(write_read(1)), 0.6)
    assert [out.channel for out in outs if isinstance(out, Heard)] == ["unasked"]


def test_a_pause_begins_a_new_frame() -> None:
    """Half a frame, silence, a whole frame: the half is noise."""
    bus = LockBus((1,), Board(), named=False)
    bus.start(0.0)
    answer = LockBoard(1).answer(write_read(1))
    bus.feed(answer[:3], 0.01)
    assert [out.payload for out in bus.feed(answer, 0.2) if isinstance(out, Heard)] == [answer]


def test_a_queue_is_bounded_and_a_cancelled_unlock_is_not_said() -> None:
    """Sixteen may wait; what nobody waits for any more is forgotten."""
    bus = LockBus((1,), Board(), named=False)
    bus.start(0.0)
    for ticket in range(1, 17):
        assert bus.send(ticket, "", write_unlock(1, ticket), "block", 0.0) == []
    assert isinstance(bus.send(17, "", write_unlock(1, 17), "block", 0.0)[0], Failed)
    for ticket in range(1, 17):
        bus.cancel(ticket)
    outs = bus.feed(LockBoard(1).answer(write_read(1)), 0.01)
    assert not [out for out in outs if isinstance(out, Write)]


@pytest.mark.parametrize("payload", [b"", b"\x8a\x01\x02\x11\x00", write_read(1), write_unlock(9, 1)])
def test_nothing_but_an_unlock_of_a_known_board_is_said(payload: bytes) -> None:
    """Other bytes never reach the line."""
    bus = LockBus((1,), Board(), named=False)
    bus.start(0.0)
    [failed] = bus.send(1, "", payload, "block", 0.0)
    assert isinstance(failed, Failed)


@pytest.mark.parametrize(
    "settings",
    [{"boards": [0]}, {"boards": "x"}, {"boards": []}, {"channels": 7}, {"opened_st": 5}, {"read_every": 0}],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any]) -> None:
    """A typing slip in the registry is a sentence."""
    with pytest.raises(ValueError, match=r"boards|channels|opened_st|read_every"):
        lock_board_machine(settings)


@pytest.mark.parametrize("args", [{}, {"compartment": "x"}, {"compartment": 25}, {"compartment": 0}])
def test_a_compartment_that_does_not_exist_is_refused(args: dict[str, Any]) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=r"compartment"):
        DEVICE.encode(Command("c", "unlock", args, 0), Unit("cabinet#1"))


def test_compartments_have_the_names_of_the_settings() -> None:
    """Nurses read Morgen, not 3."""
    unit = Unit("-", settings={"names": {"3": "Morgen"}}, memory={"open": []})
    raw = LockBoard(1, open={3}).answer(write_read(1))
    [fact] = DEVICE.decode(Frame("serial", "-", raw, 0, "block"), unit)
    assert isinstance(fact, Fact)
    assert dict(fact.data) == {"how": "Morgen"}


@pytest.fixture
def boards_on(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[LockBoards]]:
    """A line of boards plugged in at `port`."""

    @asynccontextmanager
    async def plugged(*boards: LockBoard) -> AsyncIterator[LockBoards]:
        line = LockBoards(*boards)
        await line.start(tmp_path / "port")
        try:
            yield line
        finally:
            await line.stop()

    return plugged


async def test_a_compartment_opens_is_seen_open_and_closed_again(
    open_link: Any, boards_on: Any, make_ear: Any
) -> None:
    """Command, answer, open, a hand, all closed."""
    ear, board = make_ear(DEVICE), LockBoard(3)
    async with boards_on(board), open_link(lock_board_machine(SETTINGS), ear, line="9600 8N1") as running:
        await ear.until(lambda: bool(ear.of("lock.locked")))
        unit = ear.units["port#3"]
        out = DEVICE.encode(Command("c1", "unlock", {"compartment": 5}, 0), unit)
        await running.link.send("port#3", out)
        await ear.until(lambda: bool(ear.of("lock.unlocked")))
        assert dict(ear.of("lock.unlocked")[0].data) == {"how": "compartment 5"}
        board.close(5)
        await ear.until(lambda: len(ear.of("lock.locked")) == 2)
        assert board.unlocks == [5]


async def test_a_stuck_compartment_is_a_jam_and_the_command_failed(
    boards_on: Any, open_link: Any, make_ear: Any
) -> None:
    """The board says that it did not open."""
    ear, board = make_ear(DEVICE), LockBoard(3)
    board.faults.stuck.add(5)
    async with boards_on(board), open_link(lock_board_machine(SETTINGS), ear, line="9600 8N1") as running:
        await running.until("up")
        await running.link.send("port#3", Outgoing("block", write_unlock(3, 5)))
        await ear.until(lambda: bool(ear.of("lock.jammed")))
    unit = Unit("-", memory={"asked": {"id": "c1", "channel": 5}})
    found = DEVICE.decode(Frame("serial", "-", board.answer(write_unlock(3, 5)), 0, "block"), unit)
    assert Result("c1", "failed", "the compartment did not open") in found


async def test_a_lost_answer_fails_the_command_and_the_reading_tells(
    boards_on: Any, open_link: Any, make_ear: Any
) -> None:
    """The compartment opened, the answer got lost: said as unknown, then seen open; never unlocked twice."""
    ear, board = make_ear(DEVICE), LockBoard(3)
    async with boards_on(board), open_link(lock_board_machine(SETTINGS), ear, line="9600 8N1") as running:
        await ear.until(lambda: bool(ear.of("lock.locked")))
        board.faults.mute = 2
        with pytest.raises(LinkDown, match="is not known"):
            await running.link.send("port#3", Outgoing("block", write_unlock(3, 5)))
        await ear.until(lambda: bool(ear.of("lock.unlocked")))
        assert board.unlocks == [5]


async def test_damaged_and_foreign_answers_are_recorded_and_survived(
    boards_on: Any, open_link: Any, make_ear: Any
) -> None:
    """A wrong check and a wrong address cost a reading each."""
    ear, board = make_ear(DEVICE), LockBoard(3)
    board.faults.wrong_checks, board.faults.foreign = 1, 1
    async with boards_on(board), open_link(lock_board_machine(SETTINGS), ear, line="9600 8N1"):
        await ear.until(lambda: bool(ear.of("lock.locked")))
        assert len(ear.errors) == 2


async def test_two_cabinets_share_a_line(boards_on: Any, open_link: Any, make_ear: Any) -> None:
    """Each is read under its own address."""
    ear = make_ear(DEVICE)
    settings = {**SETTINGS, "boards": [3, 4]}
    async with (
        boards_on(LockBoard(3), LockBoard(4, open={1})),
        open_link(lock_board_machine(settings), ear, line="9600 8N1"),
    ):
        await ear.until(lambda: len({frame.address for frame in ear.frames}) == 2)
        assert {frame.address for frame in ear.frames} == {"port#3", "port#4"}


async def test_an_unplugged_line_forgets_what_it_knew(boards_on: Any, open_link: Any, make_ear: Any) -> None:
    """After replugging the cabinet is read anew: what was opened meanwhile is seen."""
    ear, board = make_ear(DEVICE), LockBoard(3)
    async with (
        boards_on(board) as line,
        open_link(lock_board_machine(SETTINGS), ear, line="9600 8N1") as running,
    ):
        await ear.until(lambda: bool(ear.of("lock.locked")))
        await line.unplug()
        await running.until("down")
        board.open.add(7)
        await line.replug()
        await ear.until(lambda: bool(ear.of("lock.unlocked")))
        async with asyncio.timeout(30):
            while running.link.health().state != "up":
                await asyncio.sleep(0.01)
