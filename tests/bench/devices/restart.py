"""A broker that is killed under thousands of devices and comes back: how long until all is well again.

Gateway, devices and a centre's part hang on one broker. It is ended by SIGKILL while events flow, stays away for a
while in which devices go on noticing things, and is started again on the same port and store. As native devices do,
these say again what was not acknowledged. Times count from the moment the broker takes connections again; the
reference is when the devices' own connections stand, which is as early as anything can be heard.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import crowd
import orjson

from drivers.links.mqtt_client import Message
from hub.broker.backend import Broker, Listener
from hub.broker.check import await_broker
from hub.broker.logins import logins
from hub.broker.mosquitto import Mosquitto
from hub.broker.nats import NatsServer

BROKERS = {"mosquitto": Mosquitto, "nats-server": NatsServer}
AGAIN_AFTER = 2.0
"""Seconds after which a device says again what nobody acknowledged."""
AT_ONCE = 500
"""Repetitions in one go."""
WARM, AWAY, AFTER = 5.0, 5.0, 3.0
"""Seconds of events before the broker dies, while it is away, and after it is back."""
WITHIN = 120.0


@dataclass(frozen=True)
class Recovery:
    """Seconds since the broker took connections again. unheard: events said or owed when it did. lost: never heard."""

    broker: str
    unheard: int
    devices: float
    first: float
    drained: float
    centre: float
    lost: int
    again: int


@dataclass
class Owing(crowd.Crowd):
    """Devices that say everything until it is acknowledged. owed: topic and id → number and payload."""

    owed: dict[tuple[str, str], tuple[int, bytes]] = field(default_factory=dict)
    again: int = 0
    first_heard: float = 0.0

    def _say(self, number: int, kind: str) -> None:
        before = self.number
        super()._say(number, kind)
        home, own = f"b{number // crowd.IN_A_HOME:04d}", f"{before + 1:x}"
        root = f"homes/{home}/devices/{home}-{number % crowd.IN_A_HOME}"
        self.owed[root, own] = (number, orjson.dumps({"id": own, "kind": kind}))
        self.sent.setdefault((root, own), asyncio.get_running_loop().time())

    def _heard(self, topic: str, payload: bytes) -> None:
        key = (topic.rpartition("/")[0], orjson.loads(payload)["id"])
        if self.owed.pop(key, None) is not None and not self.first_heard:
            self.first_heard = asyncio.get_running_loop().time()
        super()._heard(topic, payload)

    async def repeat(self) -> None:
        """Say again what is old, for ever."""
        while True:
            now = asyncio.get_running_loop().time()
            old = [key for key in self.owed if now - self.sent.get(key, 0.0) > AGAIN_AFTER][:AT_ONCE]
            for key in old:
                number, payload = self.owed[key]
                if self.trunks[number // crowd.ON_A_TRUNK].say(f"{key[0]}/event", payload):
                    self.sent[key] = now
                    self.again += 1
            await asyncio.sleep(0.05)


class Keeping(crowd.Centre):
    """A centre that also knows which events it has."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.events: set[str] = set()

    async def take(self, message: Message) -> None:
        """One batch."""
        entries = orjson.loads(message.payload)["entries"]
        self.events.update(one["body"]["id"] for one in entries if one["type"] == "event")
        await super().take(message)


class Running:
    """A broker process that can be killed and started again."""

    def __init__(self, one: Broker, log: Path) -> None:
        self.broker, self._log = one, log
        self.start()

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(self.broker.prepare(), stdout=log, stderr=log)

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()
        self._child.wait()


@contextmanager
def running(name: str, folder: Path) -> Iterator[Running]:
    """A broker of that make."""
    listener = Listener(crowd.free_port())
    one = Running(
        BROKERS[name](folder / "broker", listener, logins(folder / "passwords", ["gw1"])),
        folder / "broker.log",
    )
    try:
        await_broker(one.broker.url("centre"), seconds=15)
        yield one
    finally:
        one.kill()


async def recovery(name: str, folder: Path, devices: int, rate: float) -> Recovery:
    """Kill the broker of that make under so many devices, and watch everything come back."""
    with running(name, folder) as one:
        file, http = folder / "registry.yaml", crowd.free_port()
        file.write_text(crowd.registry(devices))
        command = crowd.gateway_command(folder, one.broker, file, http)
        with crowd.process(command, folder / "gateway.log") as child:
            await crowd.ready(http, child)
            some, centre = Owing(devices, one.broker.url("devices")), Keeping(one.broker.url("centre"))
            async with crowd.at_work(some, centre.client):
                repeating = asyncio.create_task(some.repeat())
                try:
                    return await _killed(name, one, some, centre, rate)
                finally:
                    repeating.cancel()


async def _killed(name: str, one: Running, some: Owing, centre: Keeping, rate: float) -> Recovery:
    loop = asyncio.get_running_loop()
    await some.speak(rate, WARM, random.Random(1))
    speaking = asyncio.create_task(some.speak(rate, AWAY + AFTER, random.Random(2)))
    one.kill()
    await asyncio.sleep(AWAY)
    one.start()
    await asyncio.to_thread(await_broker, one.broker.url("centre"), seconds=30)
    back, unheard, some.first_heard = loop.time(), len(some.owed), 0.0
    connected = asyncio.create_task(_when(lambda: all(trunk.up for trunk in some.trunks)))
    await speaking
    drained = await _when(lambda: not some.owed)
    whole = await _when(lambda: len(centre.events) >= some.number - len(some.owed))
    return Recovery(
        name, unheard, await connected - back, some.first_heard - back, drained - back, whole - back,
        len(some.owed), some.again,
    )  # fmt: skip


async def _when(holds: object) -> float:
    """The loop's time at which something first held; when patience ends, that."""
    loop = asyncio.get_running_loop()
    until = loop.time() + WITHIN
    assert callable(holds)
    while not holds() and loop.time() < until:
        await asyncio.sleep(0.02)
    return loop.time()
