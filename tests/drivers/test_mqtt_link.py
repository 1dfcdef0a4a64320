"""The MQTT device link against real brokers: acknowledged after it was written down, and never before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from drivers.device_type import Command, Outgoing, Unit
from drivers.events import Frame
from drivers.links.link import LinkDown, Receipt
from drivers.links.mqtt import MqttLink
from drivers.links.mqtt_client import Message, MqttClient
from drivers.protocols.json_payload import MAX_PAYLOAD
from drivers.protocols.mqtt_topics import heard_of
from drivers.protocols.mqtt_topics import read as read_topic
from drivers.protocols.native import write_command

pytestmark = pytest.mark.broker

NOW = 1_768_460_400_000
FALL = {"id": "e1", "kind": "pendant.fall"}


class Journal:
    """Stands in for the gateway: keeps frames, and writes them down when the test says so."""

    def __init__(self, *, error: str = "", accepted: bool = True, slow: bool = False) -> None:
        self.frames: list[Frame] = []
        self.receipt = Receipt(accepted=accepted, error=error)
        self.committed = asyncio.Event()
        if not slow:
            self.committed.set()

    async def hear(self, frame: Frame) -> Receipt:
        """Take a frame; answer after the commit."""
        self.frames.append(frame)
        await self.committed.wait()
        return self.receipt


class Device:
    """A native device: speaks on its topics and keeps what it is told."""

    def __init__(self, url: str) -> None:
        self.told: asyncio.Queue[Message] = asyncio.Queue()
        topics = ["homes/astrid/devices/pendant/ack", "homes/astrid/devices/pendant/command"]
        self.client = MqttClient(url, "device", subscriptions=topics, on_message=self.tell)

    async def tell(self, message: Message) -> None:
        """Keep one message."""
        self.told.put_nowait(message)

    async def next(self) -> tuple[str, dict]:
        """Wait for the next: topic's last part, payload."""
        async with asyncio.timeout(20):
            message = await self.told.get()
        return message.topic.rpartition("/")[2], json.loads(message.payload)

    async def say(self, payload: object, part: str = "event", *, retain: bool = False) -> None:
        """Publish, as bytes or as JSON."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        await self.client.publish(f"homes/astrid/devices/pendant/{part}", body, retain=retain)


@asynccontextmanager
async def living(
    url: str, journal: Journal, own: tuple[str, ...] | None = None
) -> AsyncIterator[tuple[MqttLink, Device]]:
    """A link and a device on one broker."""
    link, device = MqttLink(url, "gateway", now=lambda: NOW, own=own), Device(url)
    tasks = [asyncio.create_task(link.run(journal.hear)), asyncio.create_task(device.client.run())]
    try:
        async with asyncio.timeout(20):
            await link.client.up.wait()
            await device.client.up.wait()
        yield link, device
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something has become so."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


async def test_an_event_is_acknowledged_only_after_it_was_written_down(broker) -> None:
    """While the journal has not committed, the device hears nothing and goes on repeating."""
    journal = Journal(slow=True)
    async with living(broker.url, journal) as (_, device):
        await device.say(FALL)
        await until(lambda: len(journal.frames) == 1)
        await device.say(FALL)
        await until(lambda: len(journal.frames) == 2)
        assert device.told.empty()
        journal.committed.set()
        assert await device.next() == ("ack", {"id": "e1"})
        assert await device.next() == ("ack", {"id": "e1"})
    frame = journal.frames[0]
    assert (frame.link, frame.address, frame.channel) == ("mqtt", "astrid/pendant", "event")
    assert (frame.heard, frame.retained, json.loads(frame.payload)) == (NOW, False, FALL)


async def test_what_was_not_written_down_is_not_acknowledged(mosquitto) -> None:
    """A gateway with a full disk gives no word, and takes the message when it can again."""
    journal = Journal(accepted=False, error="the disk is full")
    async with living(mosquitto.url, journal) as (link, device):
        await device.say(FALL)
        await until(lambda: link.client.counters["unanswered"] >= 1)
        assert device.told.empty()
        journal.receipt = Receipt(accepted=True)
        await device.say(FALL)
        assert await device.next() == ("ack", {"id": "e1"})


async def test_an_unreadable_event_is_acknowledged_with_its_fault(mosquitto) -> None:
    """It stands in the journal, so the device may stop; the answer says that nobody understood it."""
    async with living(mosquitto.url, Journal(error="no device sends 'x.y'")) as (_, device):
        await device.say({"id": "e2", "kind": "x.y"})
        assert await device.next() == ("ack", {"id": "e2", "error": "no device sends 'x.y'"})


async def test_what_devices_send_is_heard_and_our_own_words_are_not(mosquitto) -> None:
    """State, results and ids that nobody can have become frames; ack and command do not even come back to us."""
    journal = Journal()
    async with living(mosquitto.url, journal) as (link, device):
        await device.say({}, "ack")
        await device.say({}, "command")
        await device.say({}, "state")
        await device.client.publish("homes/Astrid Moe/devices/fridge/event", b"cold")
        await device.say({}, "result")
        await until(lambda: len(journal.frames) == 3)
        assert link.client.counters["received"] == 3
    heard = [(frame.address, frame.channel) for frame in journal.frames]
    strange = ("homes/Astrid Moe/devices/fridge/event", "")
    assert heard == [("astrid/pendant", "state"), strange, ("astrid/pendant", "result")]


OWN = tuple(
    topic
    for one in ("astrid/pendant", "zigbee2mqtt/door", "nuki/2B", "lorawan/24e1")
    for topic in heard_of(one)
)


async def test_where_gateways_share_a_broker_each_hears_its_own_devices_alone(broker) -> None:
    """What the neighbour's devices say is theirs: it does not even come, and nobody takes it for a stranger's."""
    journal = Journal()
    async with living(broker.url, journal, OWN) as (link, device):
        await device.client.publish("homes/olga/devices/pendant/event", b"theirs")
        await device.say({}, "state")
        await until(lambda: len(journal.frames) == 1)
        assert link.health().state == "up"
        assert link.client.counters["received"] == 1
    assert [frame.address for frame in journal.frames] == ["astrid/pendant"]


@pytest.mark.parametrize(
    ("address", "topic"),
    [
        ("astrid/pendant", "homes/astrid/devices/pendant/event"),
        ("zigbee2mqtt/kitchen/door", "zigbee2mqtt/kitchen/door"),
        ("zigbee2mqtt/kitchen/door", "zigbee2mqtt/kitchen/door/availability"),
        ("nuki/2BB28570", "nuki/2BB28570/state"),
        ("lorawan/24e12406293ed88e", "application/7/device/24e12406293ed88e/event/up"),
    ],
)
def test_the_topics_asked_for_are_those_that_are_read(address: str, topic: str) -> None:
    """An address asks for exactly what is understood as coming from it."""
    assert read_topic(topic).address == address
    assert any(matches(one, topic) for one in heard_of(address))
    assert not any(matches(one, topic.replace("a", "b").replace("2", "3")) for one in heard_of(address))


def matches(filter_: str, topic: str) -> bool:
    """Whether a topic filter without # covers a topic."""
    wanted, given = filter_.split("/"), topic.split("/")
    return len(wanted) == len(given) and all(
        one in ("+", other) for one, other in zip(wanted, given, strict=True)
    )


async def test_a_retained_event_is_marked_and_gets_no_word(mosquitto) -> None:
    """What the broker kept on an event topic is handed on as such, and never acknowledged as news."""
    journal = Journal(error="a retained message is not news")
    device = Device(mosquitto.url)
    task = asyncio.create_task(device.client.run())
    async with asyncio.timeout(20):
        await device.client.up.wait()
    await device.say(FALL, retain=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with living(mosquitto.url, journal) as (_, device):
        await until(lambda: len(journal.frames) == 1)
        assert journal.frames[0].retained
        await device.say({"id": "e3", "kind": "pendant.pressed"})
        assert (await device.next())[1]["id"] == "e3"


async def test_ten_megabytes_are_one_short_frame(mosquitto) -> None:
    """A huge payload is heard as slightly more than is allowed, and the fall behind it is heard at once."""
    journal = Journal()
    async with living(mosquitto.url, journal) as (link, device):
        await device.say(b"{" * 10_000_000)
        await device.say(FALL)
        assert await device.next() == ("ack", {"id": "e1"})
        assert link.health().counters["oversize"] == 1
    assert [len(frame.payload) for frame in journal.frames] == [MAX_PAYLOAD + 1, len(json.dumps(FALL))]


async def test_frames_are_heard_in_the_order_in_which_they_came(broker) -> None:
    """Two hundred reports keep their order."""
    journal = Journal()
    async with living(broker.url, journal) as (_, device):
        for n in range(200):
            await device.say({"id": f"e{n}", "kind": "pendant.heartbeat"})
        await until(lambda: len(journal.frames) == 200)
    assert [json.loads(frame.payload)["id"] for frame in journal.frames] == [f"e{n}" for n in range(200)]


async def test_events_sent_while_the_gateway_was_away_are_heard_when_it_is_back(broker) -> None:
    """The broker keeps a session for the link, so a restart loses nothing that a foreign device said once."""
    async with living(broker.url, Journal()):
        pass
    device = Device(broker.url)
    task = asyncio.create_task(device.client.run())
    async with asyncio.timeout(20):
        await device.client.up.wait()
    await device.say(FALL)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    journal = Journal()
    async with living(broker.url, journal):
        await until(lambda: len(journal.frames) == 1)
    assert not journal.frames[0].retained


async def test_a_command_reaches_its_device(broker) -> None:
    """A command is published on the device's own topic with its expiry."""
    async with living(broker.url, Journal()) as (link, device):
        command = Command("c-1", "unlock", {}, NOW + 10_000)
        await link.send("astrid/pendant", write_command(command, Unit("astrid/pendant")))
        assert await device.next() == (
            "command",
            {"id": "c-1", "command": "unlock", "args": {}, "expires": "2026-01-15T07:00:10.000Z"},
        )


async def test_a_link_that_is_down_says_so(mosquitto) -> None:
    """Sending without a broker fails at once, and health tells why."""
    async with living(mosquitto.url, Journal()) as (link, _):
        assert link.health().state == "up"
        await mosquitto.kill()
        await until(lambda: link.health().state != "up")
        with pytest.raises(LinkDown, match=r"127\.0\.0\.1"):
            await link.send("astrid/pendant", Outgoing("command", b"{}"))
        assert "127.0.0.1" in link.health().reason
        with pytest.raises(ValueError, match="home/device"):
            await link.send("astrid/../#", Outgoing("command", b"{}"))
