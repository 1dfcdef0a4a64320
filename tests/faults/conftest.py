"""A whole installation of real processes that a test may end at any moment, and devices that keep talking to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.broker.backend import Broker, BrokerMissing, Listener
from hub.broker.check import await_broker
from hub.broker.logins import logins
from hub.broker.mosquitto import Mosquitto
from hub.broker.nats import NatsServer
from simulators.mqtt import native as native_module
from simulators.mqtt.line import Line
from simulators.mqtt.native import Native
from simulators.world import read_clock
from tests.ports import free_port

HOMES = 10
RATE = 200
"""Events a second, over all devices."""
PAUSE = 1 / RATE
LOOK_EVERY = 0.05
PATIENCE = 180.0
"""Seconds for anything that must come in the end."""

BROKERS = {"nats-server": NatsServer, "mosquitto": Mosquitto}


@dataclass
class Process:
    """One of our processes. ready: a URL that answers 200, or None."""

    name: str
    command: Callable[[], tuple[str, ...]]
    environment: Mapping[str, str]
    log: Path
    ready: str | None = None
    kills: int = 0
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it boots while others go on."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )

    def kill(self) -> None:
        """SIGKILL: no farewell, no flush."""
        assert self.child is not None
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.kills += 1

    def stop(self) -> None:
        """End it for good."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()

    def is_ready(self) -> bool:
        """Whether it says so itself."""
        if self.ready is None:
            return True
        try:
            with urllib.request.urlopen(self.ready, timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@dataclass
class Installation:
    """Broker, centre and gateway in one data folder."""

    data: Path
    broker: Broker
    processes: dict[str, Process]

    async def ready(self, *names: str) -> None:
        """Wait until these answer."""
        for name in names:
            await wait_until(lambda name=name: self.processes[name].is_ready(), f"{name} is ready")  # type: ignore[misc]

    def words(self) -> str:
        """What the processes say of themselves, for a failure's message."""
        said = []
        for one in self.processes.values():
            if one.ready is not None:
                with contextlib.suppress(OSError), urllib.request.urlopen(one.ready, timeout=2) as answer:
                    said.append(f"{one.name}: {answer.read().decode()[:2000]}")
        return "\n".join(said)

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        """Ask the centre's database."""
        address = f"file:{self.data}/centre/centre.db?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as database:
            return database.execute(question).fetchall()

    def journal(self) -> Counter[str]:
        """Event id → how often it stands in the centre's journal."""
        return Counter(row[0] for row in self.rows("SELECT event_id FROM entry WHERE event_id IS NOT NULL"))

    def alerts(self) -> Counter[tuple[str, str]]:
        """(rule, key) → how many alerts, whatever was done with them."""
        return Counter(self.rows("SELECT rule, key FROM alert"))  # type: ignore[arg-type]


@dataclass
class Devices:
    """Native devices of all homes, talking at a steady rate and repeating until they are acknowledged."""

    installation: Installation
    draw: random.Random
    natives: dict[str, Native] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    expected: set[tuple[str, str]] = field(default_factory=set)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    talking: bool = True
    _incidents: list[tuple[str, str, tuple[str, str]]] = field(default_factory=list)

    def install(self) -> None:
        """Make every device, and the incidents that each must raise exactly one alert."""
        boot = "run"
        url = self.installation.broker.url("devices")
        for home in (f"h{number}" for number in range(HOMES)):
            own: dict[str, Native] = {}
            line = Line(url, f"devices-{home}", _topics(home), _heard(own), _up(own))
            self.lines.append(line)
            for device in _devices(home):
                own[device] = self.natives[device] = Native(home, device, line.publish, boot)
            self._incidents += [
                (f"{home}-smoke", "smoke.detected", ("smoke", home)),
                (f"{home}-motion", "pendant.fall", ("fall", home)),
                (f"{home}-door", "call.raised", ("nurse-call", f"{home}-door")),
                (f"{home}-motion", "call.raised", ("nurse-call", f"{home}-motion")),
            ]
        self.draw.shuffle(self._incidents)

    async def talk(self) -> None:
        """One event every few milliseconds, an incident now and then, until told to be quiet."""
        loop, world, began = asyncio.get_running_loop(), read_clock(""), asyncio.get_running_loop().time()
        names = list(self.natives)
        while self.talking:
            due = int((loop.time() - began) * RATE)
            while len(self.said) < due:
                if self._incidents and len(self.said) % 60 == 30:
                    device, kind, alert = self._incidents.pop()
                    self.expected.add(alert)
                else:
                    device = self.draw.choice(names)
                    kind = ORDINARY[device.rpartition("-")[2]]
                self.said.add(f"{device}:{self.natives[device].report(world.now(), kind, {})}")
            await asyncio.sleep(PAUSE)

    @property
    def acknowledged(self) -> set[str]:
        """The ids of all events that the hub has said are safe. Asked from a thread, while answers come."""
        waiting = {f"{name}:{own_id}" for name, one in self.natives.items() for own_id in list(one.waiting)}
        return self.said - waiting

    async def until_said(self, number: int) -> None:
        """Wait until so many events have been said."""
        while len(self.said) < number:
            await asyncio.sleep(LOOK_EVERY / 10)

    def start(self) -> None:
        """Switch everything on."""
        loops = [line.run() for line in self.lines] + [one.run() for one in self.natives.values()]
        self.tasks = [asyncio.create_task(one) for one in (*loops, self.talk())]

    async def stop(self) -> None:
        """Switch everything off."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


ORDINARY = {
    "smoke": "smoke.heartbeat",
    "motion": "room.motion",
    "door": "door.heartbeat",
    "lock": "lock.heartbeat",
}


async def wait_until(holds: Callable[[], bool], what: str, words: Callable[[], str] = str) -> None:
    """Wait until something holds; fails with what it was, and with what the processes say."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while not await asyncio.to_thread(holds):
        if asyncio.get_running_loop().time() > end:
            pytest.fail(f"still not so after {PATIENCE:g} s: {what}\n{await asyncio.to_thread(words)}")
        await asyncio.sleep(LOOK_EVERY)


def registry() -> dict[str, Any]:
    """Ten homes with four devices each, all behind one gateway."""
    since = "2026-01-01T00:00:00Z"
    types = {"smoke": ("smoke", "native_alarm"), "motion": ("room", "native_alarm"),
             "door": ("door", "native_alarm"), "lock": ("lock", "native_lock")}  # fmt: skip
    homes = [f"h{number}" for number in range(HOMES)]
    return {
        "format": "trygghub-registry-1",
        "municipality": {"name": "Trial", "duty_phone": "+47 55 50 10 00"},
        "districts": {"d": {"name": "D"}},
        "zones": {"z": {"name": "Z", "district": "d"}},
        "teams": {"t": {"name": "T", "zones": ["z"]}},
        "staff": {"nils": {"name": "Nils", "roles": ["nurse", "coordinator"], "teams": ["t"]}},
        "shifts": [{"team": "t", "staff": "nils", "duty": "nurse", "from": "00:00", "to": "00:00"}],
        "homes": {home: {"address": home, "zone": "z", "gateway": "gw1"} for home in homes},
        "residents": {f"resident-{home}": {"home": home, "name": f"Resident of {home}"} for home in homes},
        "gateways": {"gw1": {"name": "Gateway", "since": since}},
        "devices": {
            f"{home}-{part}": {"home": home, "class": kind, "type": type_, "link": "mqtt",
                               "address": f"{home}/{home}-{part}", "since": since}
            for home in homes for part, (kind, type_) in types.items()
        },
    }  # fmt: skip


def _devices(home: str) -> list[str]:
    return [f"{home}-{part}" for part in ("smoke", "motion", "door", "lock")]


def _topics(home: str) -> tuple[str, ...]:
    return (f"homes/{home}/devices/+/ack",)


def _heard(own: Mapping[str, Native]) -> Callable[[str, bytes], None]:
    def heard(topic: str, payload: bytes) -> None:
        own[topic.split("/")[3]].heard("ack", payload)

    return heard


def _up(own: Mapping[str, Native]) -> Callable[[], None]:
    def up() -> None:
        for one in own.values():
            one.wake()

    return up


@pytest.fixture(params=sorted(BROKERS))
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Broker, centre and gateway, all started and imported, not waited for."""
    data = tmp_path / "data"
    broker = BROKERS[request.param](data / "broker", Listener(free_port()), logins(data / "secrets", ["gw1"]))
    told = {"TRYGGHUB_DATA": str(data), "TRYGGHUB_LOG": "warning"}
    ours = (sys.executable, "-P", "-m", "hub.cli")
    ports = {name: free_port() for name in ("centre", "gateway")}

    def process(name: str, **settings: str) -> Process:
        http = ports[name]
        environment = {**told, **settings, "TRYGGHUB_HTTP": str(http)}
        url = f"http://127.0.0.1:{http}/readyz"
        return Process(name, lambda: (*ours, name), environment, tmp_path / f"{name}.log", url)

    one = Installation(
        data,
        broker,
        {
            "broker": Process("broker", lambda: tuple(broker.prepare()), {}, tmp_path / "broker.log"),
            "centre": process("centre", TRYGGHUB_BROKER=broker.url("centre")),
            "gateway": process(
                "gateway",
                TRYGGHUB_ID="gw1",
                TRYGGHUB_HEARTBEAT="10",  # a centre put back asks for what it lacks at the next one
                TRYGGHUB_UPLINK=broker.url("gateway-gw1"),
                TRYGGHUB_DEVICES=broker.url("hearing"),
            ),
        },
    )
    file = tmp_path / "registry.yaml"
    file.write_text(json.dumps(registry()))
    try:
        one.processes["broker"].start()
    except BrokerMissing as missing:
        pytest.fail(str(missing)) if os.environ.get("CI") else pytest.skip(str(missing))
    await_broker(broker.url("centre"), seconds=10)
    (data / "centre").mkdir(parents=True, exist_ok=True)
    subprocess.run([*ours, "registry", "import", str(file)], env={**os.environ, **told}, check=True)
    for name in ("centre", "gateway"):
        one.processes[name].start()
    yield one
    for running in one.processes.values():
        running.stop()


@pytest.fixture
async def devices(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Devices]:
    """Forty devices, impatient ones: they repeat after two seconds."""
    monkeypatch.setattr(native_module, "REPEAT_AFTER", 2.0)
    one = Devices(installation, random.Random(20260115))
    one.install()
    yield one
    await one.stop()


@pytest.fixture
def until(installation: Installation) -> Any:
    """Wait for something that must come in the end; called with a condition and its name."""
    return partial(wait_until, words=installation.words)
