"""The serial link on real ptys: calls end to end, commit before answer, noise, and unplugging."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.device_type import Outgoing
from drivers.devices.espa_nurse_call import DEVICE
from drivers.links.link import LinkDown, Receipt
from drivers.links.serial_settings import LineSettings, port_of, port_url
from drivers.protocols.espa444 import Block, encode_block
from drivers.protocols.espa444_line import espa_machine
from simulators.serial.cable import Cable, Faults
from simulators.serial.espa_unit import EspaUnit

CONTROL = {
    "answer_wait": 0.3,
    "poll_every": 0.01,
    "poll_wait": 1.0,
    "line_silent_after": 0.5,
    "regain_after": 1.0,
}
STATION = {**CONTROL, "role": "station", "own": "2", "stations": ["1"], "polled": False}


@pytest.fixture
def ear(request: pytest.FixtureRequest) -> Any:
    """The gateway's ear for a nurse-call system."""
    make: Callable[..., Any] = request.getfixturevalue("make_ear")
    return make(DEVICE)


@pytest.fixture
def unit_on(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[EspaUnit]]:
    """A nurse-call unit plugged in at `port`."""

    @asynccontextmanager
    async def plugged(**options: Any) -> AsyncIterator[EspaUnit]:
        unit = EspaUnit(wait=0.3, pause=0.02, **options)
        await unit.start(tmp_path / "port")
        try:
            yield unit
        finally:
            await unit.stop()

    return plugged


@pytest.mark.parametrize(("role", "settings"), [("station", CONTROL), ("control", STATION)])
async def test_a_press_becomes_a_call_and_is_acknowledged(
    open_link: Any, unit_on: Any, ear: Any, role: str, settings: dict[str, Any]
) -> None:
    """Astrid pulls the cord: place, words and urgency arrive, in both roles, and the unit gets its answer."""
    async with unit_on(role=role) as unit, open_link(espa_machine(settings), ear) as running:
        await running.until("up")
        message = await unit.call("12", "BAD")
        assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"
        [call] = ear.of("call.raised")
        assert dict(call.data) == {"place": "12", "text": "BAD", "priority": "alarm"}
        reset = await unit.clear("12")
        assert await asyncio.wait_for(reset.outcome, 30) == "acknowledged"
        assert dict(ear.of("call.cleared")[0].data)["place"] == "12"


async def test_the_answer_leaves_only_after_the_commit(open_link: Any, unit_on: Any, ear: Any) -> None:
    """While the journal is busy the unit hears nothing; its repeats are the same call."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        ear.gate.clear()
        message = await unit.call("12", "BAD")
        await ear.until(lambda: any(frame.channel == "block" for frame in ear.frames))
        async with asyncio.timeout(30):
            while message.sent < 2:
                await asyncio.sleep(0.01)
        assert not message.outcome.done()
        ear.gate.set()
        assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"
        assert len(ear.of("call.raised")) == 1


async def test_a_wrong_check_is_refused_recorded_and_repeated_once(
    open_link: Any, unit_on: Any, ear: Any
) -> None:
    """The unit hears NAK, the unreadable bytes are in the journal, the repeat counts once."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        unit.faults.wrong_checks = 1
        message = await unit.call("12", "BAD")
        assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"
        assert unit.naks == 1
        assert len(ear.of("call.raised")) == 1
        assert [error for error in ear.errors if "check character" in error]
        assert running.link.health().counters["check_errors"] == 1


async def test_a_block_sent_twice_is_one_call(open_link: Any, unit_on: Any, ear: Any) -> None:
    """A doubled block within one selection counts once."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        unit.faults.doubled = 1
        message = await unit.call("12", "BAD")
        assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"
        assert len(ear.of("call.raised")) == 1


async def test_sixty_four_kilobytes_of_noise_lose_no_call(open_link: Any, unit_on: Any, ear: Any) -> None:
    """Random bytes, a reboot text and then a call: the call arrives."""
    async with unit_on(cable=Cable(seed=4)) as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        await unit.noise(65_536)
        unit.cable.reboot()
        message = await unit.call("12", "BAD")
        assert await asyncio.wait_for(message.outcome, 15) == "acknowledged"
        assert "12" in {fact.data["place"] for fact in ear.of("call.raised")}
        assert running.link.health().counters["noise_bytes"] > 10_000


async def test_on_a_flipping_line_every_call_arrives(open_link: Any, unit_on: Any, ear: Any) -> None:
    """Half a percent of damaged bytes cost repeats, not calls; what the unit believes delivered is recorded."""
    cable = Cable(seed=11)
    cable.to_program.flip = cable.to_unit.flip = 0.005
    async with unit_on(cable=cable) as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        messages = [await unit.call(str(100 + n), f"ROOM {n}") for n in range(20)]
        async with asyncio.timeout(20):
            outcomes = [await message.outcome for message in messages]
        cable.heal()
        assert outcomes == ["acknowledged"] * 20
        places = {fact.data["place"] for fact in ear.of("call.raised")}
        assert (
            len(places & {str(100 + n) for n in range(20)}) >= 19
        )  # one flip of two in a column is invisible


async def test_unplugged_in_mid_block_the_call_arrives_after_replugging(
    open_link: Any, unit_on: Any, ear: Any
) -> None:
    """The half block is nobody's call; the unit keeps it and sends it again."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        unit.faults.unplug_at = 9
        message = await unit.call("12", "BAD")
        down = await running.until("down")
        assert "unplugged" in down.reason or "is not there" in down.reason
        with pytest.raises(LinkDown):
            await running.link.send("port", Outgoing("block", b"x"))
        await unit.replug()
        await running.until("up")
        assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"
        assert len(ear.of("call.raised")) == 1


async def test_thirty_unpluggings_leave_no_descriptor_and_no_task(
    open_link: Any, unit_on: Any, ear: Any
) -> None:
    """A loose plug costs nothing but the time it is out."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        before = len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())
        for _ in range(30):
            await unit.unplug()
            await running.until("down")
            await unit.replug()
            await running.until("up")
        message = await unit.call("12", "BAD")
        assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"
        await ear.until(lambda: not running.link._recording)
        after = len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())
        assert after[0] <= before[0]
        assert after[1] <= before[1]


async def test_a_line_without_traffic_is_down_and_says_why(open_link: Any, unit_on: Any, ear: Any) -> None:
    """An open port proves nothing: a mute unit makes the line down, its first answer makes it up again."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        unit.faults.mute = True
        down = await running.until("down")
        assert "station 2 has not answered" in down.reason
        unit.faults.mute = False
        await running.until("up")


@pytest.mark.parametrize("broken", [Faults(cut=True), Faults(wrong_speed=True), Faults(after=5)])
async def test_a_broken_line_is_noticed_and_heals(
    open_link: Any, unit_on: Any, ear: Any, broken: Faults
) -> None:
    """One way cut, the wrong baud rate, silence in mid-word: each is a dead line, and each recovers."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        unit.cable.fail(to_program=replace(broken))
        await running.until("down")
        unit.cable.heal()
        await running.until("up")
        message = await unit.call("12", "BAD")
        assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"


async def test_a_wrong_speed_is_named(open_link: Any, unit_on: Any, ear: Any) -> None:
    """Bytes come and none can be read: the sentence says where to look; a line that is cut gets no such advice."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        unit.cable.fail(to_program=Faults(wrong_speed=True))
        async with asyncio.timeout(30):
            while "does the other side speak 9600 7E2" not in running.link.health().reason:
                await asyncio.sleep(0.01)
        unit.cable.heal()
        await running.until("up")
        unit.cable.to_program.cut = True
        assert "other side" not in (await running.until("down")).reason


async def test_noise_between_the_answers_makes_the_line_degraded(
    open_link: Any, unit_on: Any, ear: Any
) -> None:
    """A line that still answers and babbles besides is not called good."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        unit.cable.fail(to_program=Faults(insert=0.5))
        assert "unreadable" in (await running.until("degraded")).reason


async def test_an_answer_that_comes_too_late_doubles_nothing(open_link: Any, unit_on: Any, ear: Any) -> None:
    """A slow cable makes the unit repeat itself; it stays one call a press."""
    async with unit_on() as unit, open_link(espa_machine({**CONTROL, "poll_wait": 0.4}), ear) as running:
        await running.until("up")
        unit.cable.fail(to_program=Faults(delay=0.05, jitter=0.05), to_unit=Faults(delay=0.05, jitter=0.05))
        message = await unit.call("12", "BAD")
        assert await asyncio.wait_for(message.outcome, 15) == "acknowledged"
        assert len(ear.of("call.raised")) == 1


async def test_a_missing_port_is_said_and_found_when_it_comes(open_link: Any, unit_on: Any, ear: Any) -> None:
    """A gateway that starts before its stick is plugged in waits for it."""
    async with open_link(espa_machine(CONTROL), ear) as running:
        assert "is not there" in (await running.until("down")).reason
        async with unit_on():
            await running.until("up")


async def test_a_port_that_stays_away_is_one_line_in_the_log(
    open_link: Any, ear: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried for days; the log says it once."""
    caplog.set_level("INFO", "drivers.links.serial")
    async with open_link(espa_machine(CONTROL), ear) as running, asyncio.timeout(30):
        while sum(one.state == "down" for one in running.states) < 3:
            running.changed.clear()
            await running.changed.wait()
    said = [(one.levelname, one.getMessage().partition(": ")[0]) for one in caplog.records]
    assert said == [("WARNING", f"serial link {running.link.name} is down")]


async def test_polls_are_signs_of_life_thinned_out(open_link: Any, unit_on: Any, ear: Any) -> None:
    """A hundred polls are one heartbeat: enough for supervision, not a flood."""
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        async with asyncio.timeout(30):
            while unit.polls < 20:
                await asyncio.sleep(0.01)
        assert len(ear.of("call.heartbeat")) == 1


async def test_a_page_goes_to_the_unit(open_link: Any, unit_on: Any, ear: Any) -> None:
    """Words from the hub arrive on the nurse-call system's pagers."""
    page = encode_block(Block("1", (("1", "77"), ("2", "FALL HOS ASTRID"))))
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        await running.link.send("port", Outgoing("block", page))
        assert unit.pages == [page]


async def test_a_page_to_a_mute_unit_fails_in_a_sentence(open_link: Any, unit_on: Any, ear: Any) -> None:
    """A page that nobody took is said to have failed, and is not sent later."""
    page = encode_block(Block("1", (("1", "77"),)))
    async with unit_on() as unit, open_link(espa_machine(CONTROL), ear) as running:
        await running.until("up")
        unit.faults.mute = True
        with pytest.raises(LinkDown, match=r"no answer|did not take"):
            await running.link.send("port", Outgoing("block", page, wait=3_000))


async def test_a_block_that_could_not_be_written_down_is_kept_by_the_unit(
    open_link: Any, unit_on: Any
) -> None:
    """A full disk answers busy; the unit tries again and the call arrives when there is room."""
    tries = 0

    async def hear(frame: Any) -> Receipt:
        nonlocal tries
        if frame.channel != "block":
            return Receipt(accepted=True)
        tries += 1
        if tries < 3:
            raise OSError("no space left on device")
        return Receipt(accepted=True)

    async with unit_on() as unit, open_link(espa_machine(CONTROL), hear) as running:
        await running.until("up")
        message = await unit.call("12", "BAD")
        assert await asyncio.wait_for(message.outcome, 30) == "acknowledged"
        assert tries == 3


async def test_a_fault_in_the_machine_closes_the_port_and_is_said(
    open_link: Any, unit_on: Any, ear: Any
) -> None:
    """A programming error on one line is a reason in its health, and the link goes on trying."""
    machine = espa_machine(CONTROL)

    def broken(_: bytes, __: float) -> list[Any]:
        raise RuntimeError("slip")

    async with unit_on(), open_link(machine, ear) as running:
        await running.until("up")
        with contextlib.suppress(AttributeError):
            machine.feed = broken  # type: ignore[method-assign]
        assert "protocol machine failed" in (await running.until("down")).reason


@pytest.mark.parametrize("text", ["9600", "9600 9N1", "8N1", "", None, "0 8N1", "9600 8N1 x"])
def test_line_settings_are_explicit(text: object) -> None:
    """A missing or misspelt line is refused; there is no guess."""
    with pytest.raises(ValueError, match="a serial line is written like"):
        LineSettings.parse(text)


def test_a_port_is_a_place_in_the_serial_folder() -> None:
    """Relative ports stay inside the folder; absolute paths and URLs are taken as they are."""
    root = Path("/data/serial")
    assert port_url(port_of("cabinet#3"), root) == "/data/serial/cabinet"
    assert port_url("socket://127.0.0.1:9", root) == "socket://127.0.0.1:9"
    assert port_url("/dev/serial/by-id/x", root) == "/dev/serial/by-id/x"
    with pytest.raises(ValueError, match="inside the serial folder"):
        port_url("../../etc/passwd", root)


async def test_a_tcp_serial_server_works_and_its_end_is_noticed(open_link: Any, ear: Any) -> None:
    """`socket://` carries the same line, and a peer that closes is a lost line."""
    calls = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.readexactly(3)
        writer.write(b"\x04")
        await writer.drain()
        await reader.readexactly(3)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_link(espa_machine(CONTROL), ear, url=f"socket://127.0.0.1:{port}") as running:
            assert "closed" in (await running.until("down")).reason
            async with asyncio.timeout(30):
                while calls < 2:
                    await asyncio.sleep(0.01)
