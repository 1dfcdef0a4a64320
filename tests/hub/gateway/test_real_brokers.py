"""A whole gateway on real brokers: devices on one side, a centre on the other, and a broker that comes and goes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from drivers.links.mqtt_client import Message, MqttClient
from hub.broker.backend import Broker, BrokerMissing, Listener
from hub.broker.check import await_broker
from hub.broker.logins import logins
from hub.broker.mosquitto import Mosquitto
from hub.broker.nats import NatsServer
from hub.clock import SystemClock
from hub.gateway import registry_copy
from hub.gateway.gateway import Gateway
from hub.gateway.storage import open_storage
from hub.settings import GatewaySettings
from hub.uplink.messages import Part
from tests.ports import free_port

pytestmark = pytest.mark.broker

SINCE = "2026-01-01T00:00:00Z"
PART: dict[str, Any] = {
    "gateway": "gw1",
    "homes": {"h1": {"address": "", "zone": "north", "gateway": "gw1"}},
    "residents": {"astrid": {"home": "h1", "name": "Astrid"}},
    "devices": {
        "pendant-1": {"home": "h1", "class": "pendant", "type": "native_alarm", "link": "mqtt",
                      "address": "h1/pendant-1", "since": SINCE},
        "lock-1": {"home": "h1", "class": "lock", "type": "native_lock", "link": "mqtt",
                   "address": "h1/lock-1", "since": SINCE},
    },
}  # fmt: skip


@dataclass
class Running:
    """A broker child that a test may kill and start again."""

    broker: Broker
    log: Path
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it takes a login."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(self.broker.prepare(), stdout=log, stderr=log)
        await_broker(self.broker.url("centre"), seconds=10)

    def kill(self) -> None:
        """SIGKILL it."""
        if self.child is not None:
            self.child.send_signal(signal.SIGKILL)
            self.child.wait(timeout=10)
            self.child = None


@pytest.fixture(params=[NatsServer, Mosquitto], ids=["nats-server", "mosquitto"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A broker of each kind, not started yet."""
    everybody = logins(tmp_path / "secrets", ["gw1"])
    one = Running(request.param(tmp_path / "broker", Listener(free_port()), everybody), tmp_path / "log")
    try:
        one.broker.prepare()
    except BrokerMissing as missing:
        pytest.fail(str(missing)) if os.environ.get("CI") else pytest.skip(str(missing))
    yield one
    one.kill()


@dataclass
class Centre:
    """A centre that keeps what goes up and acknowledges it, unless told to be silent."""

    url: str
    silent: bool = False
    epoch: str = ""
    kept: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    deliveries: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.client = MqttClient(
            self.url, "centre", subscriptions=("gateways/+/up/#",), on_message=self.take, keepalive=2
        )

    async def take(self, message: Message) -> None:
        """Keep a batch; the same number must say the same; acknowledge what is contiguous."""
        lane = message.topic.rpartition("/")[2]
        batch = orjson.loads(message.payload)
        if batch["epoch"] != self.epoch:
            self.epoch, self.kept = batch["epoch"], {}
        kept = self.kept.setdefault(lane, {})
        for entry in batch["entries"]:
            assert kept.setdefault(entry["number"], entry) == entry
        self.deliveries += 1
        self.news.set()
        upto = next(n for n in range(len(kept) + 1) if n + 1 not in kept)
        if not self.silent:
            await self.say("ack", {"epoch": batch["epoch"], "lane": lane, "upto": upto})

    async def say(self, what: str, body: Any, *, retain: bool = False) -> None:
        """Speak to the gateway."""
        payload = body if isinstance(body, bytes) else orjson.dumps(body)
        await self.client.publish(f"gateways/gw1/down/{what}", payload, retain=retain)

    def entries(self, type_: str) -> list[dict[str, Any]]:
        """Bodies of all entries of a type."""
        return [
            e["body"] for kept in self.kept.values() for _, e in sorted(kept.items()) if e["type"] == type_
        ]

    def events(self) -> list[str]:
        """Ids of the devices' events."""
        return [body["id"] for body in self.entries("event") if not body["kind"].startswith("gateway.")]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for news that make the condition true."""
        async with asyncio.timeout(30):
            while not condition():
                self.news.clear()
                await self.news.wait()


@dataclass
class Devices:
    """Astrid's native devices: they repeat an event until it is acknowledged."""

    url: str
    acked: set[str] = field(default_factory=set)
    commands: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        topics = ("homes/+/devices/+/ack", "homes/+/devices/+/command")
        self.client = MqttClient(self.url, "devices", subscriptions=topics, on_message=self.take, keepalive=2)

    async def take(self, message: Message) -> None:
        """Hear an acknowledgement, or carry a command out."""
        body = orjson.loads(message.payload)
        if message.topic.endswith("/ack"):
            self.acked.add(body["id"])
        else:
            self.commands.append(body)
            result = orjson.dumps({"id": body["id"], "outcome": "done"})
            await self.client.publish(message.topic.replace("/command", "/result"), result)
        self.news.set()

    async def say(self, device: str, id_: str, kind: str) -> None:
        """Say something until it is acknowledged."""
        payload = orjson.dumps({"id": id_, "kind": kind})
        async with asyncio.timeout(30):
            while id_ not in self.acked:
                self.news.clear()
                try:
                    await self.client.publish(f"homes/h1/devices/{device}/event", payload)
                    async with asyncio.timeout(1):
                        await self.news.wait()
                except Exception:
                    await self.client.up.wait()


@pytest.fixture
async def people(broker: Running) -> AsyncIterator[Callable[[], Any]]:
    """Starts the broker, a centre and the devices."""
    tasks: list[asyncio.Task[None]] = []

    async def start() -> SimpleNamespace:
        if broker.child is None:
            await asyncio.to_thread(broker.start)
        centre, devices = Centre(broker.broker.url("centre")), Devices(broker.broker.url("devices"))
        tasks.extend(asyncio.create_task(one.client.run()) for one in (centre, devices))
        await centre.client.up.wait()
        await devices.client.up.wait()
        return SimpleNamespace(centre=centre, devices=devices)

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def box(broker: Running, tmp_path: Path, template: bytes) -> AsyncIterator[Any]:
    """Starts and stops gateways on one data folder."""
    settings = GatewaySettings(
        data=tmp_path / "data",
        id="gw1",
        uplink=broker.broker.url("gateway-gw1"),
        devices=broker.broker.url("hearing"),
    )
    settings.folder.mkdir(parents=True)
    (settings.folder / "gateway.db").write_bytes(template)
    running: list[tuple[Gateway, asyncio.Task[None]]] = []

    async def start(*, registered: bool = True) -> Gateway:
        clock = SystemClock()
        if registered:
            registry_copy.save(settings.folder / "registry.json", Part(hash="first", registry=PART))
        gateway = Gateway(settings, await open_storage(settings.folder / "gateway.db", clock.now()), clock)
        await gateway.boot()
        running.append((gateway, asyncio.create_task(gateway.run())))
        while gateway.phase != "running":
            await asyncio.sleep(0)
        return gateway

    async def stop() -> None:
        while running:
            gateway, task = running.pop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await gateway.stop()

    yield SimpleNamespace(start=start, stop=stop)
    await stop()


async def test_a_press_goes_all_the_way(box: Any, people: Any) -> None:
    """Astrid presses: her pendant is answered, and event and alert stand at the centre, in the alarm lane."""
    around = await people()
    gateway = await box.start()
    await around.devices.say("pendant-1", "p1", "pendant.pressed")
    await around.centre.until(lambda: around.centre.entries("decision"))
    assert around.centre.events() == ["pendant-1:p1"]
    [decision] = around.centre.entries("decision")
    assert (decision["action"], decision["urgency"], decision["because"]) == (
        "raise",
        "critical",
        ["pendant-1:p1"],
    )
    assert [e["type"] for _, e in sorted(around.centre.kept["alarm"].items())] == ["event", "decision"]
    around.devices.acked.clear()
    await around.devices.say("pendant-1", "p1", "pendant.pressed")
    assert gateway.hearing.counters["events"] == 1


async def test_without_a_broker_it_boots_and_waits(box: Any, people: Any, broker: Running) -> None:
    """With no broker at boot the gateway works; when one comes, all that was written goes up."""
    gateway = await box.start()
    assert gateway.is_ready
    around = await people()
    await around.centre.until(
        lambda: "gateway.started" in [body["kind"] for body in around.centre.entries("event")]
    )
    await around.devices.say("lock-1", "l1", "lock.locked")


async def test_a_broker_that_dies_costs_nothing(box: Any, people: Any, broker: Running) -> None:
    """Killed while events flow and started again: every acknowledged event is at the centre, once."""
    around = await people()
    await box.start()
    said = []
    for number in range(30):
        said.append(asyncio.create_task(around.devices.say("lock-1", f"l{number}", "lock.locked")))
        if number == 15:
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
    await asyncio.gather(*said)
    await around.centre.until(lambda: len(around.centre.events()) == 30)
    assert sorted(around.centre.events()) == sorted(f"lock-1:l{number}" for number in range(30))


async def test_what_was_not_acknowledged_goes_up_again_after_a_restart(box: Any, people: Any) -> None:
    """A centre that took entries but did not answer gets them again, under the same numbers, from the next process."""
    around = await people()
    around.centre.silent = True
    await box.start()
    await around.devices.say("pendant-1", "p1", "pendant.pressed")
    await around.centre.until(lambda: around.centre.entries("decision"))
    await box.stop()
    around.centre.silent = False
    before = around.centre.deliveries
    gateway = await box.start()
    await around.centre.until(lambda: around.centre.deliveries > before)
    assert around.centre.events() == ["pendant-1:p1"]
    async with asyncio.timeout(30):
        while gateway.uplink.cursors.lanes["alarm"].acked < 2:
            await asyncio.sleep(0.01)


async def test_an_old_copy_begins_a_new_epoch(box: Any, people: Any) -> None:
    """When the centre holds more than this database ever sent, what is open goes up anew, numbered from 1."""
    around = await people()
    around.centre.silent = True
    gateway = await box.start()
    await around.devices.say("pendant-1", "p1", "pendant.pressed")
    await around.centre.until(lambda: around.centre.entries("decision"))
    old = around.centre.epoch
    await around.centre.say("ack", {"epoch": old, "lane": "alarm", "upto": 99})
    await around.centre.until(lambda: around.centre.epoch != old and around.centre.entries("decision"))
    assert gateway.uplink.epoch == around.centre.epoch
    assert around.centre.events() == ["pendant-1:p1"]
    await around.centre.until(lambda: around.centre.entries("health"))
    assert "old copy" in [body["what"] for body in around.centre.entries("health")]


async def test_a_restored_centre_gets_a_quiet_lane_again(box: Any, people: Any) -> None:
    """A centre that says it holds less than it once did gets the rest again, under the same numbers, unasked for."""
    around = await people()
    gateway = await box.start()
    await around.devices.say("pendant-1", "p1", "pendant.pressed")
    await around.centre.until(lambda: around.centre.entries("decision"))
    cursor = gateway.uplink.cursors.lanes["alarm"]
    async with asyncio.timeout(30):
        while cursor.acked < 2:
            await asyncio.sleep(0.01)
    had = around.centre.kept.pop("alarm")
    await around.centre.say("ack", {"epoch": around.centre.epoch, "lane": "alarm", "upto": 0})
    await around.centre.until(lambda: around.centre.kept.get("alarm") == had)


async def test_what_is_gone_on_both_sides_holds_up_nothing(box: Any, people: Any) -> None:
    """Where what a restored centre lacks is forgotten here too, the rest goes up in a new epoch, and it is told."""
    around = await people()
    gateway = await box.start()
    await around.devices.say("pendant-1", "p1", "pendant.pressed")
    await around.centre.until(lambda: around.centre.entries("decision"))
    old, writer = around.centre.epoch, gateway.storage.writer
    async with asyncio.timeout(30):
        while gateway.uplink.cursors.lanes["alarm"].acked < 2:
            await asyncio.sleep(0.01)
    await writer.write(lambda db: db.execute("DELETE FROM journal WHERE lane = 'alarm' AND number = 1"))
    await around.centre.say("ack", {"epoch": old, "lane": "alarm", "upto": 0})
    await around.centre.until(lambda: around.centre.epoch != old and around.centre.entries("decision"))
    assert [e["type"] for e in around.centre.kept["alarm"].values()] == ["decision"]
    await around.centre.until(
        lambda: "lost at the centre" in [body["what"] for body in around.centre.entries("health")]
    )


async def test_orders_and_rubbish_from_above(box: Any, people: Any) -> None:
    """An order reaches the lock and its answer comes up; retained and malformed messages change nothing."""
    around = await people()
    gateway = await box.start()
    await around.devices.say("lock-1", "l1", "lock.locked")
    order = {"id": "order-0001", "home": "h1", "device": "lock-1", "name": "lock",
             "expires": SystemClock().now() + 60_000}  # fmt: skip
    for what in ("command", "ack", "registry"):
        await around.centre.say(what, b"{nonsense")
    await around.centre.say("command", order | {"surprise": 1})
    await around.centre.say("command", order)
    await around.centre.until(lambda: around.centre.entries("result"))
    [result] = around.centre.entries("result")
    assert (result["command"], result["outcome"]) == ("order-0001", "done")
    assert len(around.devices.commands) == 1
    assert gateway.uplink.counters["refused_messages"] == 4


async def test_a_retained_order_is_refused(box: Any, people: Any) -> None:
    """An order that the broker kept from earlier opens nothing."""
    around = await people()
    order = {"id": "order-0002", "home": "h1", "device": "lock-1", "name": "unlock",
             "expires": SystemClock().now() + 60_000}  # fmt: skip
    await around.centre.say("command", order, retain=True)
    gateway = await box.start()
    async with asyncio.timeout(30):
        while gateway.uplink.counters["refused_messages"] == 0:
            await asyncio.sleep(0.01)
    assert around.devices.commands == []
    await around.centre.say("command", b"", retain=True)


async def test_the_registry_arrives_and_is_kept(box: Any, people: Any, tmp_path: Path) -> None:
    """A new gateway gets its part from the broker, hears its devices at once, and has it after a restart."""
    around = await people()
    await around.centre.say("registry", {"hash": "h-1", "registry": PART}, retain=True)
    gateway = await box.start(registered=False)
    async with asyncio.timeout(30):
        while gateway.copy.hash != "h-1":
            await asyncio.sleep(0.01)
    await around.devices.say("pendant-1", "p1", "pendant.pressed")
    await around.centre.until(lambda: around.centre.entries("decision"))
    await box.stop()
    again = await box.start(registered=False)
    assert again.copy.hash == "h-1"
    assert set(again.roll.devices) == {"pendant-1", "lock-1"}
