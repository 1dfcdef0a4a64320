"""SCAIP against SIPp, an implementation of SIP that is not ours, as care phone and as receiving centre.

SIPp is Debian's package sip-tester. Its build there has no TLS; that is tested in test_sip_secured.py.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.device_type import Outgoing
from drivers.events import Frame
from drivers.links.link import LinkDown, Receipt
from drivers.links.sip import SipLink
from drivers.links.sip_settings import SipSettings
from drivers.protocols.scaip import CONTENT_TYPE, Request, write_request
from hub.clock import ManualClock
from tests.drivers.ip.losing import losing
from tests.ports import free_port

CID = "1000200030"
SCENARIOS = Path(__file__).parent / "sipp"
TRANSPORTS = {"UDP": "u1", "TCP": "t1"}


@pytest.fixture
def sipp() -> str:
    """The program."""
    program = shutil.which("sipp")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("sipp is missing, and CI must have it (Debian: sip-tester)")
        pytest.skip("sipp is not installed (Debian: sip-tester)")
    return str(program)


@asynccontextmanager
async def listening(frames: list[Frame], **options: Any) -> AsyncIterator[SipLink]:
    """Our side on loopback, where everything is written down."""

    async def hear(frame: Frame) -> Receipt:
        frames.append(frame)
        return Receipt(accepted=True)

    settings = SipSettings(own_password=options.pop("own_password", ""))
    link = SipLink("127.0.0.1", free_port(), ManualClock().now, settings, **options)
    task = asyncio.create_task(link.run(hear))
    await asyncio.wait_for(link.listening.wait(), 30)
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.wait({task})


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """How SIPp ended, and the end of what it said."""
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 60)
    except TimeoutError:
        process.kill()
        await process.wait()
        return -1, "it did not end"
    return process.returncode or 0, said.decode("utf-8", "replace")[-3000:]


async def start(sipp: str, folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Run SIPp in a folder of the test."""
    return await asyncio.create_subprocess_exec(
        sipp,
        *arguments,
        "-i",
        "127.0.0.1",
        "-nostdin",
        "-skip_rlimit",
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TERM": "dumb"},
    )


async def call(sipp: str, folder: Path, port: int, scenario: str, transport: str, calls: int) -> None:
    """Have SIPp play a care phone so many times, and see that every call was right in its eyes."""
    process = await start(
        sipp,
        folder,
        f"127.0.0.1:{port}",
        *("-sf", str(SCENARIOS / scenario), "-oocsf", str(SCENARIOS / "mrs.xml")),
        *("-t", TRANSPORTS[transport], "-m", str(calls), "-r", "100", "-l", "50", "-timeout", "40s"),
    )
    code, said = await ended(process)
    assert code == 0, said


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_two_hundred_alarms_are_answered_and_acknowledged(
    sipp: str, tmp_path: Path, transport: str
) -> None:
    """Every MESSAGE gets its 200, every alarm is written down once, every mrs is taken."""
    frames: list[Frame] = []
    async with listening(frames) as link:
        await call(sipp, tmp_path, link.port, "unit.xml", transport, 200)
        assert link.health().counters["acknowledged"] == 200
    assert len({frame.payload for frame in frames}) == len(frames) == 200


async def test_on_a_network_that_loses_a_fifth_every_alarm_counts_once(sipp: str, tmp_path: Path) -> None:
    """A fifth of all requests and answers is lost both ways and repeated; nothing is lost and nothing doubled."""
    frames: list[Frame] = []
    async with listening(frames) as link, losing(link.port) as (port, relay):
        await call(sipp, tmp_path, port, "unit.xml", "UDP", 20)
        assert relay.lost >= 3 * 4, "requests, answers and acknowledgements"
        assert link.health().counters["repeated"] >= 4, "an answer lost is a request repeated"
        assert link.health().counters["repeats"] >= 4, "an acknowledgement lost is sent again"
    assert len({frame.payload for frame in frames}) == len(frames) == 20


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_unit_proves_its_password(sipp: str, tmp_path: Path, transport: str) -> None:
    """SIPp's own digest is taken for right."""
    frames: list[Frame] = []
    async with listening(frames, passwords={CID: "loevetann"}) as link:
        await call(sipp, tmp_path, link.port, "unit_with_password.xml", transport, 20)
    assert [frame.channel for frame in frames] == [CONTENT_TYPE] * 20


@asynccontextmanager
async def receiver(sipp: str, folder: Path, transport: str) -> AsyncIterator[int]:
    """SIPp as a receiving centre; its port."""
    port = free_port()
    process = await start(
        sipp, folder, "-sf", str(SCENARIOS / "receiver.xml"), "-p", str(port), "-t", TRANSPORTS[transport]
    )
    try:
        async with asyncio.timeout(30):
            while not _is_bound(port, transport):
                await asyncio.sleep(0.02)
        yield port
    finally:
        process.kill()
        await process.wait()


def _is_bound(port: int, transport: str) -> bool:
    kind = socket.SOCK_STREAM if transport == "TCP" else socket.SOCK_DGRAM
    with socket.socket(type=kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_alarm_is_passed_on_to_a_receiver_that_asks(
    sipp: str, tmp_path: Path, transport: str
) -> None:
    """Challenged, proved, taken: SIPp checks our digest and acknowledges with an mrs."""
    async with receiver(sipp, tmp_path, transport) as port, listening([], own_password="loevetann") as link:
        out = Outgoing(CONTENT_TYPE, write_request(Request("R1", "900", 3)), wait=10_000)
        await link.send(f"sip:arc@127.0.0.1:{port};transport={transport.lower()}", out)
        assert link.health().counters["sent"] == 1


async def test_a_receiver_does_not_take_an_alarm_with_a_wrong_proof(sipp: str, tmp_path: Path) -> None:
    """SIPp says 403, and so do we, in a sentence."""
    async with receiver(sipp, tmp_path, "UDP") as port, listening([], own_password="wrong") as link:
        out = Outgoing(CONTENT_TYPE, write_request(Request("R1", "900", 3)), wait=10_000)
        with pytest.raises(LinkDown, match="answered 403"):
            await link.send(f"sip:arc@127.0.0.1:{port}", out)
