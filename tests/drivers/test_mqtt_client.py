"""The MQTT adapter against real brokers: nothing is acknowledged early, and it always comes back."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

import aiomqtt
import paho.mqtt.client as paho
import pytest

from drivers.links import mqtt_client
from drivers.links.mqtt_client import BadUrl, Broker, Message, MqttClient, NotConnected

pytestmark = pytest.mark.broker


@asynccontextmanager
async def running(*clients: MqttClient) -> AsyncIterator[None]:
    """Run clients until the block ends; wait first until they are up."""
    tasks = [asyncio.create_task(client.run()) for client in clients]
    try:
        async with asyncio.timeout(20):
            for client in clients:
                await client.up.wait()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Ear:
    """Keeps what it hears, and lets a test wait for it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, message: Message) -> None:
        """Hear one."""
        self.heard.put_nowait(message)

    async def next(self) -> Message:
        """Wait for the next."""
        async with asyncio.timeout(20):
            return await self.heard.get()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something has become so."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def test_messages_arrive_whole_and_in_order(broker) -> None:
    """A hundred messages from one client reach another in the order in which they were sent."""
    ear = Ear()
    hearing = MqttClient(broker.url, "hearing", subscriptions=["homes/#"], on_message=ear)
    speaking = MqttClient(broker.url, "speaking")
    async with running(hearing, speaking):
        for n in range(100):
            await speaking.publish("homes/h1/x", str(n).encode())
        assert [(await ear.next()).payload for _ in range(100)] == [str(n).encode() for n in range(100)]
    assert hearing.counters["acknowledged"] == 100
    assert speaking.counters["sent"] == 100


async def test_a_retained_message_says_that_it_is_one(broker) -> None:
    """What the broker kept is marked, so that nobody takes it for news."""
    ear = Ear()
    speaking = MqttClient(broker.url, "speaking")
    async with running(speaking):
        await speaking.publish("homes/h1/state", b"kept", retain=True)
        async with running(MqttClient(broker.url, "late", subscriptions=["homes/#"], on_message=ear)):
            assert await ear.next() == Message("homes/h1/state", b"kept", retain=True, size=4)


async def test_the_will_speaks_for_a_client_that_vanished(broker) -> None:
    """A client whose socket dies without a word is reported by the broker."""
    ear = Ear()
    hearing = MqttClient(broker.url, "hearing", subscriptions=["gone/#"], on_message=ear)
    mortal = MqttClient(broker.url, "mortal", will=("gone/mortal", b"silent"))
    async with running(hearing, mortal):
        assert mortal._client is not None
        mortal._client._client.socket().shutdown(2)
        assert (await ear.next()).payload == b"silent"


async def test_a_will_can_be_kept_for_those_who_come_later(broker) -> None:
    """Who connects after the end still learns of it."""
    first, late = Ear(), Ear()
    hearing = MqttClient(broker.url, "hearing", subscriptions=["gone/#"], on_message=first)
    mortal = MqttClient(broker.url, "mortal", will=("gone/mortal", b"silent"), will_retained=True)
    async with running(hearing, mortal):
        assert mortal._client is not None
        mortal._client._client.socket().shutdown(2)
        await first.next()
        later = MqttClient(broker.url, "later", subscriptions=["gone/#"], on_message=late)
        async with running(later):
            assert await late.next() == Message("gone/mortal", b"silent", retain=True, size=6)


async def test_it_survives_the_broker_again_and_again(broker) -> None:
    """After each of three sudden ends of the broker both sides come back and the subscription works."""
    ear = Ear()
    hearing = MqttClient(broker.url, "hearing", subscriptions=["homes/#"], on_message=ear)
    speaking = MqttClient(broker.url, "speaking")
    async with running(hearing, speaking):
        for turn in range(3):
            await broker.kill()
            await until(lambda: hearing.state != "up" and speaking.state != "up")
            assert "127.0.0.1" in hearing.reason
            await broker.start()
            async with asyncio.timeout(30):
                await hearing.up.wait()
                await speaking.up.wait()
            await speaking.publish("homes/h1/x", f"turn {turn}".encode())
            assert (await ear.next()).payload == f"turn {turn}".encode()
    assert hearing.counters["connects"] == 4


async def test_publishing_while_away_is_refused_in_a_sentence(mosquitto) -> None:
    """A publish without a connection raises at once; it is never queued in memory and believed sent."""
    client = MqttClient(mosquitto.url, "alone")
    with pytest.raises(NotConnected, match=r"not connected to the broker at 127\.0\.0\.1"):
        await client.publish("a", b"b")
    async with running(client):
        await mosquitto.kill()
        await until(lambda: client.state != "up")
        with pytest.raises(NotConnected):
            await client.publish("a", b"b")


async def test_nothing_is_acknowledged_before_it_was_taken_in(broker) -> None:
    """A message whose reader died half-way is delivered again to the same session."""
    began = asyncio.Event()

    async def never(message: Message) -> None:
        began.set()
        await asyncio.Event().wait()

    def session(on_message) -> MqttClient:
        return MqttClient(broker.url, "keeper", subscriptions=["homes/#"], on_message=on_message, clean=False)

    speaking = MqttClient(broker.url, "speaking")
    async with running(speaking):
        first = session(never)
        async with running(first):
            await speaking.publish("homes/h1/x", b"fall")
            await asyncio.wait_for(began.wait(), 20)
        assert first.counters["acknowledged"] == 0
        ear = Ear()
        async with running(session(ear)):
            assert (await ear.next()).payload == b"fall"


async def test_a_filter_of_an_earlier_version_is_dropped_from_the_session(broker) -> None:
    """What the broker remembered for us is forgotten there, too."""
    ear = Ear()
    async with running(MqttClient(broker.url, "keeper", subscriptions=["homes/#"], clean=False)):
        pass
    keeper = MqttClient(
        broker.url,
        "keeper",
        subscriptions=["homes/+/event"],
        dropped=["homes/#"],
        on_message=ear,
        clean=False,
    )
    speaking = MqttClient(broker.url, "speaking")
    async with running(keeper), running(speaking):
        await speaking.publish("homes/h1/ack", b"mine")
        await speaking.publish("homes/h1/event", b"theirs")
        assert (await ear.next()).payload == b"theirs"
    assert keeper.counters["received"] == 1


async def test_a_reader_that_keeps_failing_does_not_stop_the_rest(mosquitto) -> None:
    """Thirty messages that nobody can take in do not fill the broker's window for ever."""
    ear = Ear()

    async def picky(message: Message) -> None:
        if message.topic == "homes/bad":
            raise RuntimeError("disk full")
        await ear(message)

    hearing = MqttClient(mosquitto.url, "hearing", subscriptions=["homes/#"], on_message=picky)
    speaking = MqttClient(mosquitto.url, "speaking")
    async with running(hearing, speaking):
        for _ in range(30):
            await speaking.publish("homes/bad", b"x")
        await until(lambda: hearing.counters["connects"] >= 2 and hearing.state == "up")
        await speaking.publish("homes/good", b"heard")
        assert (await ear.next()).payload == b"heard"


async def test_a_huge_payload_is_cut_and_disturbs_nobody(mosquitto) -> None:
    """Ten megabytes arrive as their first bytes and their size, and the next message arrives as usual."""
    ear = Ear()
    hearing = MqttClient(
        mosquitto.url, "hearing", subscriptions=["homes/#"], on_message=ear, max_payload=1000
    )
    speaking = MqttClient(mosquitto.url, "speaking")
    async with running(hearing, speaking):
        await speaking.publish("homes/h1/x", b"{" * 10_000_000)
        await speaking.publish("homes/h1/x", b"{}")
        huge, next_one = await ear.next(), await ear.next()
    assert (len(huge.payload), huge.size) == (1000, 10_000_000)
    assert next_one.payload == b"{}"
    assert hearing.counters["oversize"] == 1


async def test_work_in_hand_is_bounded(mosquitto) -> None:
    """With two places, a third message waits until a place is free."""
    gate, working = asyncio.Event(), []

    async def slow(message: Message) -> None:
        working.append(message.payload)
        await gate.wait()

    hearing = MqttClient(mosquitto.url, "hearing", subscriptions=["homes/#"], on_message=slow, in_flight=2)
    speaking = MqttClient(mosquitto.url, "speaking")
    async with running(hearing, speaking):
        for n in range(5):
            await speaking.publish("homes/h1/x", str(n).encode())
        await until(lambda: hearing.counters["received"] >= 3 and len(working) >= 2)
        assert working == [b"0", b"1"]
        gate.set()
        await until(lambda: hearing.counters["acknowledged"] == 5)
    assert working == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_refused_subscription_is_said(nats) -> None:
    """A subscription that the broker's rules forbid is a reason, not silence."""
    nats.append(
        'authorization { users: [ { user: "gw", password: "p", permissions: '
        '{ publish: ">", subscribe: ["homes", "homes.>", "$MQTT.sub.>"] } } ] }\n'
    )
    await nats.kill()
    await nats.start()
    client = MqttClient(nats.url.replace("//", "//gw:p@"), "curious", subscriptions=["gateways/#"])
    task = asyncio.create_task(client.run())
    try:
        await until(lambda: "subscription to gateways/# was not granted" in client.reason)
        assert not client.up.is_set()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Tunnel:
    """A cable between a client and a broker that can go dead without breaking."""

    def __init__(self, port: int) -> None:
        self.broker_port = port
        self.dead = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.carry, "127.0.0.1", 0)
        self.url = f"mqtt://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one client to the broker."""
        there, back = await asyncio.open_connection("127.0.0.1", self.broker_port)
        for source, target in ((reader, back), (there, writer)):
            self.tasks.add(asyncio.create_task(self.pump(source, target)))

    async def pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Carry bytes one way, or drop them while dead."""
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(65536):
                if not self.dead.is_set():
                    target.write(chunk)
            target.close()


async def test_a_line_that_is_dead_but_not_cut_is_noticed(mosquitto) -> None:
    """A connection over which nothing comes any more is given up and said, though no socket ever closed."""
    async with Tunnel(mosquitto.port) as tunnel:
        client = MqttClient(tunnel.url, "far", keepalive=1)
        async with running(client):
            tunnel.dead.set()
            await until(lambda: client.state == "down")
            assert not client.up.is_set()
            tunnel.dead.clear()
            async with asyncio.timeout(30):
                await client.up.wait()


async def test_a_publish_cut_off_half_way_is_uncertain_and_says_so(mosquitto) -> None:
    """When the line dies while sending, the caller learns it when the line is given up, not never."""
    async with Tunnel(mosquitto.port) as tunnel:
        client = MqttClient(tunnel.url, "far", keepalive=1)
        async with running(client):
            tunnel.dead.set()
            with pytest.raises(NotConnected):
                await asyncio.wait_for(client.publish("homes/h1/x", b"fall"), 20)


async def test_two_clients_of_one_name_are_both_told(mosquitto) -> None:
    """The broker lets one of them in at a time; both count their attempts, so a cloned disk is visible."""
    one, two = MqttClient(mosquitto.url, "twin"), MqttClient(mosquitto.url, "twin")
    async with running(one):
        task = asyncio.create_task(two.run())
        await until(lambda: one.counters["connects"] > 1 and two.counters["connects"] > 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_stopping_while_connecting_leaves_nothing_behind(mosquitto) -> None:
    """A client that is stopped during its first connect ends cleanly."""
    for _ in range(5):
        task = asyncio.create_task(MqttClient(mosquitto.url, "brief").run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
    assert not [name for name in names if "_misc_loop" in name]


def test_the_private_hooks_of_aiomqtt_and_paho_are_as_we_know_them() -> None:
    """When this fails, aiomqtt or paho changed what `mqtt_client` reaches for; look there before releasing."""
    source = inspect.getsource(aiomqtt.Client)
    assert "self._client: mqtt.Client = mqtt.Client(" in source
    assert "self._misc_task = self._loop.create_task(self._misc_loop())" in source
    assert "self._queue.put_nowait(m)" in source
    assert list(inspect.signature(paho.Client.ack).parameters) == ["self", "mid", "qos"]
    assert list(inspect.signature(paho.Client.manual_ack_set).parameters) == ["self", "on"]
    assert isinstance(paho.Client.connect_timeout, property)
    assert "self._client.on_socket_register_write = self._on_socket_register_write" in source
    assert "self._client.on_socket_unregister_write = self._on_socket_unregister_write" in source
    assert "self._disconnected" in source


async def test_a_socket_that_closed_meanwhile_is_not_watched() -> None:
    """When paho wants to write and loses its socket before the loop's next turn, nothing is asked of the loop."""
    faults: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: faults.append(context))
    watched = MqttClient("mqtt://127.0.0.1:1", "woken")._new_client()._client
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = ours.fileno()
        watched.on_socket_register_write(watched, None, ours)
        ours.close()
        await asyncio.sleep(0)
        assert not faults
        assert not loop.remove_writer(number)


async def test_a_socket_the_loop_has_given_up_is_a_lost_connection(monkeypatch) -> None:
    """A reset socket that uvloop refuses to watch ends the connection at once, without a word in the log."""
    loop = asyncio.get_running_loop()
    faults: list[object] = []
    loop.set_exception_handler(lambda _loop, context: faults.append(context))

    def refuse(*_asked: object) -> None:
        raise RuntimeError("the handler is closed")

    monkeypatch.setattr(loop, "add_writer", refuse)
    client = MqttClient("mqtt://127.0.0.1:1", "reset")._new_client()
    reads: list[str] = []
    monkeypatch.setattr(client._client, "loop_read", lambda: reads.append("read"))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client._client.on_socket_register_write(client._client, None, ours)
        await asyncio.sleep(0)
        assert not faults
        assert reads == ["read"]  # so that paho sees the reset and closes the socket
        with pytest.raises(aiomqtt.MqttError, match="the handler is closed"):
            client._disconnected.result()


async def test_a_socket_is_watched_while_there_is_something_to_write() -> None:
    """From the turn after paho asks until it says that it is done; a short wish leaves nothing behind."""
    loop = asyncio.get_running_loop()
    watched = MqttClient("mqtt://127.0.0.1:1", "writer")._new_client()._client
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watched.on_socket_register_write(watched, None, ours)
        await asyncio.sleep(0)
        assert loop.remove_writer(ours.fileno())
        watched.on_socket_register_write(watched, None, ours)
        watched.on_socket_unregister_write(watched, None, ours)
        await asyncio.sleep(0)
        assert not loop.remove_writer(ours.fileno())


async def test_small_packets_leave_at_once(mosquitto) -> None:
    """The connection does not wait to fill its packets: an acknowledgement would take 40 ms longer."""
    client = MqttClient(mosquitto.url, "swift")
    async with running(client):
        assert client._client is not None
        wire = client._client._client.socket()
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_paho_does_not_acknowledge_by_itself(mosquitto) -> None:
    """The private hook works: a new client of the adapter has paho's manual acknowledgement switched on."""
    client = MqttClient(mosquitto.url, "probe")._new_client()
    assert client._client._manual_ack is True


def test_a_message_without_a_ping_task_is_a_dead_connection() -> None:
    """A client whose ping task is missing or ended is not alive, whatever it believes."""

    class Ended:
        def done(self) -> bool:
            return True

    class Fake:
        _misc_task: object = None

    assert not mqtt_client.still_pinging(Fake())  # type: ignore[arg-type]
    Fake._misc_task = Ended()
    assert not mqtt_client.still_pinging(Fake())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://127.0.0.1:1884", Broker("127.0.0.1", 1884, None, None, secure=False)),
        ("mqtt://gw%401:p%3Aw@broker", Broker("broker", 1883, "gw@1", "p:w", secure=False)),
        ("mqtts://broker", Broker("broker", 8883, None, None, secure=True)),
    ],
)
def test_a_broker_url_is_read(url: str, expected: Broker) -> None:
    """User and password may hold any character, written in per cent."""
    assert Broker.read(url) == expected


@pytest.mark.parametrize("url", ["http://x", "mqtt://", "broker:1883", "mqtt://u:secret@h:port"])
def test_a_wrong_broker_url_is_refused_without_its_password(url: str) -> None:
    """The sentence says how a URL is written, and repeats no secret."""
    with pytest.raises(BadUrl) as refused:
        Broker.read(url)
    assert "secret" not in str(refused.value)
