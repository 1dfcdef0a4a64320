"""Thousands of native MQTT devices on one gateway process: what they cost it, and how long they wait for their answer.

The gateway is the real command with its database on a real disk, behind a Mosquitto with our logins and rights. The
devices say what the seeded pace asks for and note when their acknowledgement comes, which is after the commit. A
centre's part is played by whoever acknowledges the uplink. The reference is an echo behind the same broker under the
same load: a client that acknowledges and writes nothing down.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import yaml

from drivers.links.mqtt_client import Message, MqttClient, NotConnected
from hub.broker.backend import Broker, Listener
from hub.broker.check import await_broker
from hub.broker.logins import logins
from hub.broker.mosquitto import Mosquitto
from simulators.mqtt.trunk import Trunk

IN_A_HOME = 5
ON_A_TRUNK = 500
KINDS = ("room.motion", "room.heartbeat", "room.motion", "room.motion")
START_WITHIN = 240
LOOK_EVERY = 0.1
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Crowd:
    """Devices and their waiting. sent: topic and id → when. waits: ms from saying to acknowledgement."""

    devices: int
    url: str
    trunks: list[Trunk] = field(default_factory=list)
    sent: dict[tuple[str, str], float] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    number: int = 0

    def open(self) -> list[asyncio.Task[None]]:
        """Connect them."""
        homes = [f"b{n:04d}" for n in range(-(-self.devices // IN_A_HOME))]
        step = ON_A_TRUNK // IN_A_HOME
        for at in range(0, len(homes), step):
            topics = [(f"homes/{home}/devices/+/ack", 0) for home in homes[at : at + step]]
            self.trunks.append(Trunk(self.url, f"bench-{at}", topics, self._heard, lambda: None))
        return [asyncio.create_task(one.run()) for one in self.trunks]

    async def up(self) -> None:
        """Wait for every connection."""
        while not all(one.up for one in self.trunks):
            await asyncio.sleep(0.05)

    async def speak(self, rate: float, seconds: float, draw: random.Random) -> None:
        """So many events a second, from devices drawn at random, evenly in time."""
        loop = asyncio.get_running_loop()
        begun, said = loop.time(), 0
        while (now := loop.time() - begun) < seconds:
            while said < now * rate:
                self._say(draw.randrange(self.devices), draw.choice(KINDS))
                said += 1
            await asyncio.sleep(0.002)

    async def drained(self, seconds: float) -> int:
        """Wait for what is under way; how many were never acknowledged."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.sent and loop.time() < until:
            await asyncio.sleep(0.02)
        lost = len(self.sent)
        self.sent.clear()
        return lost

    def _say(self, number: int, kind: str) -> None:
        self.number += 1
        home, own = f"b{number // IN_A_HOME:04d}", f"{self.number:x}"
        root = f"homes/{home}/devices/{home}-{number % IN_A_HOME}"
        payload = json.dumps({"id": own, "kind": kind}).encode()
        if self.trunks[number // ON_A_TRUNK].say(f"{root}/event", payload):
            self.sent[root, own] = asyncio.get_running_loop().time()

    def _heard(self, topic: str, payload: bytes) -> None:
        sent = self.sent.pop((topic.rpartition("/")[0], json.loads(payload)["id"]), None)
        if sent is not None:
            self.waits.append((asyncio.get_running_loop().time() - sent) * 1000)


@dataclass(frozen=True)
class Load:
    """What one pace showed. cpu: percent of one core; micros: CPU time an event."""

    rate: float
    events: int
    lost: int
    p50: float
    p99: float
    worst: float
    cpu: float
    micros: float
    memory: float


def registry(devices: int) -> str:
    """Homes of five motion sensors each."""
    homes = [f"b{n:04d}" for n in range(-(-devices // IN_A_HOME))]
    part = {"class": "room", "type": "native_alarm", "link": "mqtt", "since": "2026-01-01T00:00:00Z"}
    units = [(homes[n // IN_A_HOME], f"{homes[n // IN_A_HOME]}-{n % IN_A_HOME}") for n in range(devices)]
    whole = {
        "format": "trygghub-registry-1",
        "municipality": {"name": "Bench", "duty_phone": "+47 55 50 10 00"},
        "districts": {"d": {"name": "D"}},
        "zones": {"z": {"name": "Z", "district": "d"}},
        "homes": {home: {"address": home, "zone": "z", "gateway": "gw1"} for home in homes},
        "residents": {f"r{home}": {"home": home, "name": home} for home in homes},
        "gateways": {"gw1": {"name": "gw1", "since": "2026-01-01T00:00:00Z"}},
        "devices": {unit: {**part, "home": home, "address": f"{home}/{unit}"} for home, unit in units},
    }
    return str(yaml.dump(whole, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """A Mosquitto of our own."""
    one = Mosquitto(folder / "broker", Listener(free_port()), logins(folder / "passwords", ["gw1"]))
    with (
        (folder / "broker.log").open("wb") as log,
        subprocess.Popen(one.prepare(), stdout=log, stderr=log) as child,
    ):
        try:
            await_broker(one.url("centre"), seconds=15)
            yield one
        finally:
            child.kill()


@contextlib.contextmanager
def process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child, ended in order."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as child:
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(timeout=15)
            except subprocess.TimeoutExpired:
                child.kill()


def gateway_command(folder: Path, one: Broker, file: Path, http: int) -> list[str]:
    """The real command."""
    return [
        sys.executable, "-m", "hub.cli", "gateway", "--data", str(folder), "--id", "gw1",
        "--uplink", one.url("gateway-gw1"), "--devices", one.url("hearing"),
        "--registry", str(file), "--http", str(http),
    ]  # fmt: skip


async def ready(port: int, child: subprocess.Popen[bytes]) -> float:
    """Seconds until the gateway says that it is at work and its link is up."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while loop.time() - begun < START_WITHIN:
        if child.poll() is not None:
            raise RuntimeError("the gateway ended; see its log")
        status = await asyncio.to_thread(_status, port)
        if status and status.get("links", {}).get("mqtt", {}).get("state") == "up":
            return loop.time() - begun
        await asyncio.sleep(LOOK_EVERY)
    raise RuntimeError("the gateway did not get ready")


def _status(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return dict(json.loads(answer.read()))
    except (OSError, ValueError):
        return {}


class Centre:
    """Acknowledges the uplink, as a centre does after its commit."""

    def __init__(self, url: str) -> None:
        self.client = MqttClient(url, "bench-centre", subscriptions=["gateways/+/up/#"], on_message=self.take)

    async def take(self, message: Message) -> None:
        """One batch."""
        batch = orjson.loads(message.payload)
        answer = {"epoch": batch["epoch"], "lane": message.topic.rpartition("/")[2],
                  "upto": batch["entries"][-1]["number"]}  # fmt: skip
        with contextlib.suppress(NotConnected):  # the end of the run
            await self.client.publish("gateways/gw1/down/ack", orjson.dumps(answer))


@contextlib.asynccontextmanager
async def at_work(crowd: Crowd, *more: MqttClient) -> AsyncIterator[None]:
    """Everything of ours connected."""
    tasks = [*crowd.open(), *(asyncio.create_task(one.run()) for one in more)]
    try:
        async with asyncio.timeout(60):
            await crowd.up()
            for one in more:
                await one.up.wait()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def under_load(crowd: Crowd, pid: int, rate: float, seconds: float) -> Load:
    """One pace for so long."""
    await crowd.speak(rate, min(3.0, seconds), random.Random(1))  # caches and the database's first pages
    await crowd.drained(30)
    crowd.waits.clear()
    before, loop = cpu(pid), asyncio.get_running_loop()
    begun = loop.time()
    await crowd.speak(rate, seconds, random.Random(2))
    lost = await crowd.drained(30)
    spent, took = cpu(pid) - before, loop.time() - begun
    waits = sorted(crowd.waits) or [float("nan")]
    return Load(
        rate, len(waits), lost, statistics.median(waits), waits[int(0.99 * (len(waits) - 1))], waits[-1],
        100 * spent / took, spent / max(1, len(waits)) * 1e6, memory(pid),
    )  # fmt: skip


def cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> float:
    """MB of a process that are its own."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
