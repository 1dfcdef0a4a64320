"""What an OSDP door is asked and tells: statuses on a real line, and a device with every kind of fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drivers.device_type import Outgoing, Unit
from drivers.devices.osdp_door import DEVICE
from drivers.events import Fact, Frame
from drivers.links.back_off import BackOff
from drivers.links.serial_settings import LineSettings
from drivers.protocols import osdp
from drivers.protocols.osdp_asking import ANSWERED_WITHIN, REST, Asking
from hub.clock import ManualClock
from simulators.serial.cable import Faults
from simulators.serial.osdp_reader import OsdpReader

pytest.importorskip("osdp", reason="libosdp is not installed (extra osdp)")

from drivers.links.osdp import OsdpLink, reader_of
from drivers.links.osdp_bus import Reader

KEY = bytes(range(16))


@dataclass
class Line:
    """A reader at address 5, its link, and what the gateway heard."""

    reader: OsdpReader
    link: OsdpLink
    ear: Any

    async def until(self, state: str, within: float = 30.0) -> None:
        """Wait until the line is in this state."""
        async with asyncio.timeout(within):
            while self.link.health().state != state:
                await asyncio.sleep(0.02)

    async def heard(self, kind: str, times: int = 1) -> list[Fact]:
        """Wait for facts of a kind."""
        await self.ear.until(lambda: len(self.ear.of(kind)) >= times)
        return list(self.ear.of(kind))


OpenLine = Callable[..., AbstractAsyncContextManager[Line]]


@pytest.fixture
def line(tmp_path: Path, make_ear: Any) -> OpenLine:
    """Open a line; the reader is asked ten times a second."""

    @asynccontextmanager
    async def opened(reader_key: bytes | None = KEY, *, install: bool = False) -> AsyncIterator[Line]:
        reader = OsdpReader(5, reader_key)
        await reader.start(tmp_path / "port")
        ear = make_ear(DEVICE)
        readers = (Reader(5, KEY, install, ask_every=0.1),)
        link = OsdpLink(
            "port",
            str(tmp_path / "port"),
            readers,
            LineSettings.parse("9600 8N1"),
            ManualClock().now,
            back_off=BackOff(0.01, 0.05),
        )
        task = asyncio.create_task(link.run(ear))
        try:
            yield Line(reader, link, ear)
        finally:
            task.cancel()
            await asyncio.wait({task})
            await reader.stop()

    return opened


async def test_a_forced_door_is_noticed_though_the_reader_says_nothing(line: OpenLine) -> None:
    """A reader that never tells by itself is asked, for contact, casing, power and the reader outside."""
    async with line() as on:
        on.reader.faults.silent_status = True
        await on.until("up")
        await on.heard("door.closed")
        on.reader.door(opened=True)
        await on.heard("door.opened")
        on.reader.tamper()
        await on.heard("lock.tamper")
        on.reader.power(lost=True)
        assert [fact.data["code"] for fact in await on.heard("lock.fault")] == ["power"]
        on.reader.device.reader_tampered = True
        await on.heard("lock.tamper", 2)


async def test_how_the_door_is_stands_in_the_journal_from_the_start(line: OpenLine) -> None:
    """Closed and at rest is locked, without anybody having touched it; the same again is not told each time."""
    async with line() as on:
        await on.until("up")
        [locked] = await on.heard("lock.locked")
        assert locked.data["how"] == "strike"
        told = on.link.health().counters
        async with asyncio.timeout(30):
            while on.link.health().counters["replies"] < told["replies"] + 8:
                await asyncio.sleep(0.02)
        assert sum(frame.channel == "reply" for frame in on.ear.frames) == 4


async def test_a_strike_opened_from_inside_is_seen(line: OpenLine) -> None:
    """The exit button opens the strike without a command of ours."""
    async with line() as on:
        await on.until("up")
        await on.heard("lock.locked")
        on.reader.strike(on_for=0.3)
        [fact] = await on.heard("lock.unlocked")
        assert fact.data["how"] == "strike"
        await on.heard("lock.locked", 2)


async def test_an_opening_that_did_not_happen_is_seen(line: OpenLine) -> None:
    """The reader says yes and its relay is stuck: within a moment the strike is known to be at rest."""
    async with line() as on:
        await on.until("up")
        await on.heard("lock.locked")
        on.reader.faults.stuck = True
        await on.link.send("port#5", Outgoing("out", osdp.write_unlock(0, 30)))
        facts = await on.heard("lock.locked", 2)
        assert facts[1].data["how"] == "strike"


async def test_a_reader_that_refuses_a_question_stays_in_use(line: OpenLine) -> None:
    """Its NAK makes libosdp put it aside; it is brought back, and asked that no more for a while."""
    async with line() as on:
        del on.reader.device._answers[0x67]
        await on.until("up")
        await on.heard("lock.fault", 3)
        await on.heard("lock.recovered", 3)
        await on.until("up")
        on.reader.faults.silent_status = True
        on.reader.door(opened=True)
        await on.heard("door.opened")
        assert len(on.ear.of("lock.fault")) == 3


async def test_a_new_reader_is_given_its_key(line: OpenLine) -> None:
    """Over Secure Channel by everybody's key, where the registry says that it is being installed; then by its own."""
    async with line(reader_key=None, install=True) as on:
        await on.until("up")
        await on.heard("lock.locked")
        assert on.reader.told.keys == [KEY]
        assert on.reader.device.secure
        await on.link.send("port#5", Outgoing("out", osdp.write_unlock(0, 1)))
        assert on.reader.told.unlocks == [1.0]


async def test_a_reader_with_everybodys_key_is_not_used_otherwise(line: OpenLine) -> None:
    """Without install it stays offline, and nothing is asked of it in clear."""
    async with line(reader_key=None) as on:
        await on.until("down")
        assert not on.reader.told.unlocks
        assert not on.ear.facts


@pytest.mark.parametrize("fault", ["busy", "wrong_checks", "wrong_macs"])
async def test_after_a_fault_of_the_reader_the_door_opens_once_more(line: OpenLine, fault: str) -> None:
    """Put off, a broken check, a MAC that is not right: the line recovers, and an unlock then is carried out."""
    async with line() as on:
        await on.until("up")
        setattr(on.reader.faults, fault, 1)
        async with asyncio.timeout(30):
            while getattr(on.reader.faults, fault):
                await asyncio.sleep(0.02)
        await on.until("up")
        on.reader.door(opened=True)
        await on.heard("door.opened")
        await on.link.send("port#5", Outgoing("out", osdp.write_unlock(0, 1)))
        assert on.reader.told.controls[-1] == 5


async def test_a_wrong_speed_is_named(line: OpenLine) -> None:
    """Bytes come and none can be read."""
    async with line() as on:
        on.reader.cable.fail(to_program=Faults(wrong_speed=True))
        async with asyncio.timeout(30):
            while "does the other side speak 9600 8N1" not in on.link.health().reason:
                await asyncio.sleep(0.02)


async def test_a_reader_that_lost_power_is_back_with_a_new_session(line: OpenLine) -> None:
    """Its session is gone; a new one is made, and the key it holds is the same."""
    async with line() as on:
        await on.until("up")
        on.reader.device.restart()
        on.reader.faults.silent_status = True
        on.reader.door(opened=True)
        await on.heard("door.opened")
        assert on.reader.device.secure


def test_questions_come_one_at_a_time_and_round_by_round() -> None:
    """No question while an answer is awaited; the next round after the pause; everything at once on return."""
    asking = Asking((1, 2), every=5.0)
    assert asking.next(100.0) == 1
    assert asking.next(100.1) is None
    asking.ended(100.2, done=True)
    assert asking.next(100.3) == 2
    asking.ended(100.4, done=True)
    assert asking.next(105.3) is None
    assert asking.next(105.4) == 1
    asking.begin_anew()
    assert asking.next(105.5) == 1


def test_a_question_whose_end_is_never_told_is_given_up() -> None:
    """Else the device would never be asked again."""
    asking = Asking((1, 2), every=5.0)
    assert asking.next(100.0) == 1
    assert asking.next(100.0 + ANSWERED_WITHIN) == 2


def test_a_question_that_keeps_failing_rests_and_the_others_do_not() -> None:
    """Two failures may be the cable; after the third it waits, then four times as long."""
    asking = Asking((1, 2), every=1.0)
    asked = []
    for second in range(400):
        while (status := asking.next(float(second))) is not None:
            asked.append((status, second))
            asking.ended(float(second), done=status == 2)
    assert [second for status, second in asked if status == 1] == [
        0,
        1,
        2,
        2 + REST,
        2 + REST * 5,
        2 + REST * 21,
    ]
    assert len([1 for status, _ in asked if status == 2]) == 400


def test_what_a_reader_has_not_is_not_asked() -> None:
    """A device without outputs is asked for the rest."""
    asking = Asking((1, 2), every=1.0)
    assert asking.next(0.0) == 1
    asking.leave_out(1)
    assert asking.next(0.1) == 2


def test_a_door_that_closes_after_the_strike_came_back_is_locked() -> None:
    """It stood open when the time was over; closing it settles what was unknown."""
    unit = Unit("p#5", memory={"door": "opened", "strike": "unlocked"})
    kinds = []
    for payload, channel in ((osdp.write_unlock(0, 5), "over"), (b"\x49\x00", "reply")):
        facts = DEVICE.decode(Frame("serial", "p#5", payload, 0, channel), unit)
        kinds.append([fact.kind for fact in facts if isinstance(fact, Fact)])
    assert kinds == [["lock.unknown"], ["door.closed", "lock.locked"]]


@pytest.mark.parametrize("every", [0, 601, "often", True])
def test_how_often_a_reader_is_asked_is_bounded(every: object) -> None:
    """A typing slip is a sentence."""
    with pytest.raises(ValueError, match="status_every"):
        reader_of("p#5", {"status_every": every}, KEY)
