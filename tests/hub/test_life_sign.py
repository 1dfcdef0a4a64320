"""Signs of life: a process says when it is at work and that it still is, and one that hangs falls silent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hub.clock import settle
from hub.gateway.__main__ import _writer_answers
from hub.gateway.storage import open_storage
from hub.life_sign import LifeSign, life_sign
from tests.ports import free_port

NOWHERE = "mqtt://127.0.0.1:1"
PROCESSES = {
    "gateway": ("hub.gateway", "--id", "gw1", "--uplink", NOWHERE, "--devices", NOWHERE),
    "centre": ("hub.centre", "--broker", NOWHERE),
    "web": ("dashboard", "--broker", NOWHERE),
}
PATIENCE = 60.0


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of whoever watches, as systemd has one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.settimeout(PATIENCE)
        yield one


@contextmanager
def started(listening: socket.socket, words: list[str], watched: float) -> Iterator[subprocess.Popen[str]]:
    """A process that is watched: it is told where to speak and how often."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRYGGHUB_")}
    environment |= {"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": str(round(watched * 1e6))}
    command = [sys.executable, *words]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(listening: socket.socket, word: bytes) -> None:
    """Take signs of going on until another comes, and that is the word."""
    said = b"WATCHDOG=1"
    while said == b"WATCHDOG=1":
        said = listening.recv(200)
    assert said == word


@pytest.mark.parametrize("which", PROCESSES)
def test_a_process_says_that_it_is_at_work_and_when_it_stops(
    which: str, listening: socket.socket, tmp_path: Path
) -> None:
    """Nobody outside answers, and it is ready all the same; then it gives signs until it is told to stop."""
    port = ("--port", str(free_port())) if which == "web" else ()
    words = ["-m", *PROCESSES[which], "--data", str(tmp_path / "data"), *port]
    with started(listening, words, 0.4) as process:
        until(listening, b"READY=1")
        assert [listening.recv(200) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        process.send_signal(signal.SIGTERM)
        until(listening, b"STOPPING=1")
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


STUCK = """
import asyncio, sys, threading
from hub.process import run_process

async def main(sign):
    sign.ready()
    keeping = asyncio.create_task(sign.keep())
    await asyncio.sleep(0)
    this_never_ends()

def this_never_ends():
    threading.Event().wait()

run_process("stuck", main)
"""


def test_a_loop_that_is_stuck_falls_silent_and_says_where_it_hung(listening: socket.socket) -> None:
    """The signs end; SIGABRT, which a watchdog sends then, ends the process, and its last words name the place."""
    with started(listening, ["-c", STUCK], 0.2) as process:
        assert listening.recv(200) == b"READY=1"
        assert listening.recv(200) == b"WATCHDOG=1"
        listening.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listening.recv(200)
        process.send_signal(signal.SIGABRT)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGABRT
    assert "in this_never_ends" in said


async def test_a_gateway_whose_writer_hangs_gives_no_sign(listening: socket.socket, tmp_path: Path) -> None:
    """The loop alone is no proof: what devices say could not be written down. Once it can, signs go on."""
    storage = await open_storage(tmp_path / "gateway.db", 0)
    holds, held = threading.Event(), threading.Event()

    def hang() -> None:
        held.set()
        holds.wait()

    storage.writer.before_commit = hang
    listening.setblocking(False)
    keeping = asyncio.create_task(
        LifeSign(listening.getsockname(), 1.0).keep(lambda: _writer_answers(storage))
    )
    await asyncio.to_thread(held.wait)
    await settle()
    with pytest.raises(BlockingIOError):
        listening.recv(200)
    holds.set()
    assert await asyncio.get_running_loop().sock_recv(listening, 200) == b"WATCHDOG=1"
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    await storage.writer.close()
    storage.lock.release()


@pytest.mark.parametrize(
    ("environment", "sign"),
    [
        ({}, LifeSign()),
        ({"NOTIFY_SOCKET": "@systemd"}, LifeSign("@systemd")),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "60000000"}, LifeSign("/run/n", 60.0)),
        (
            {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "9", "WATCHDOG_PID": "7"},
            LifeSign("/run/n", 9e-6),
        ),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "9", "WATCHDOG_PID": "8"}, LifeSign("/run/n")),
        ({"NOTIFY_SOCKET": "vsock:2:9", "WATCHDOG_USEC": "soon"}, LifeSign()),
    ],
)
def test_what_the_environment_asks_for(environment: dict[str, str], sign: LifeSign) -> None:
    """The watch is for the process it names; what cannot be read asks for nothing."""
    assert life_sign(environment, pid=7) == sign


async def test_nobody_listens() -> None:
    """Without a watcher, or with one that has gone, nothing is said and nothing fails."""
    LifeSign().ready("at work")
    LifeSign("@trygghub-nobody-is-here", 0.0).stopping()
    await LifeSign().keep()
