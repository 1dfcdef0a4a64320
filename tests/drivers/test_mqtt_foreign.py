"""Devices of other makers over MQTT: their simulated selves are understood, obey, and their faults do no harm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from drivers.catalogue import CATALOGUE
from drivers.device_type import Command, DeviceType, Result, Unit
from drivers.devices import lorawan_pendant, nuki_mqtt, zigbee2mqtt
from drivers.events import DecodeError, Fact, Frame
from drivers.links.link import Receipt
from drivers.links.mqtt import MqttLink
from drivers.protocols import mqtt_topics
from drivers.protocols.mqtt_topics import Place
from drivers.protocols.zigbee2mqtt import class_of_exposes
from simulators.mqtt_devices.chirpstack_network import LoraButton
from simulators.mqtt_devices.nuki_lock import NukiLock
from simulators.mqtt_devices.said import Faults, Said
from simulators.mqtt_devices.wire import Wire
from simulators.mqtt_devices.zigbee_bridge import EXPOSES, ZigbeeBridge, ZigbeeDevice

NOW = 1_768_478_400_000


class Hub:
    """Decodes what simulators say, as the gateway does, each device with a memory of its own."""

    def __init__(self, type_: DeviceType, **settings: Any) -> None:
        self.type = type_
        self.settings = settings
        self.units: dict[str, Unit] = {}

    def unit(self, address: str) -> Unit:
        """The unit at an address."""
        return self.units.setdefault(address, Unit(address, settings=self.settings))

    def hear(self, *messages: Said) -> list[str]:
        """The kinds (and outcomes of commands) that came of these messages, signs of life left out."""
        told: list[str] = []
        for message in messages:
            place = mqtt_topics.read(message.topic)
            if not place.ours:
                told += self.decode(place, message.payload, message.retain)
        return [kind for kind in told if not kind.endswith(".heartbeat")]

    def decode(self, place: Place, payload: bytes, retain: bool) -> Iterable[str]:
        """One message."""
        frame = Frame("mqtt", place.address, payload, NOW, place.channel, retain)
        for one in self.type.decode(frame, self.unit(place.address)):
            yield one.kind if isinstance(one, Fact) else f"result {one.outcome}"


def bridge() -> ZigbeeBridge:
    """One device of each sort."""
    return ZigbeeBridge({f"hall/{sort}": ZigbeeDevice(sort) for sort in EXPOSES})


def test_a_simulated_zigbee_home_is_understood() -> None:
    """Each sort of device means what it should, and what is only repeated is no news."""
    home, hub = bridge(), Hub(zigbee2mqtt.DEVICE)
    assert hub.hear(home.report("hall/contact", contact=False)) == ["door.opened", "door.battery"]
    assert hub.hear(home.report("hall/contact", linkquality=80)) == []
    assert hub.hear(home.report("hall/contact", contact=True)) == ["door.closed"]
    assert hub.hear(home.report("hall/motion", occupancy=True)) == ["room.motion", "room.battery"]
    assert hub.hear(home.report("hall/smoke", smoke=True)) == ["smoke.detected", "smoke.battery"]
    assert hub.hear(home.report("hall/smoke", smoke=False)) == ["smoke.cleared"]
    assert hub.hear(home.report("hall/water", water_leak=True, battery=9)) == [
        "water.detected", "water.battery", "water.battery_low"]  # fmt: skip
    assert hub.hear(home.act("hall/button", "emergency")) == ["pendant.battery", "pendant.pressed"]
    assert hub.hear(home.act("hall/button", "emergency")) == ["pendant.pressed"]
    assert hub.hear(home.report("hall/sos", sos=True)) == ["pendant.pressed", "pendant.battery"]
    assert hub.hear(home.report("hall/sos", sos=True)) == ["pendant.pressed"]
    assert hub.hear(home.report("hall/sos", battery=70)) == ["pendant.battery"]
    assert hub.hear(home.availability("hall/smoke", online=False)) == ["smoke.fault"]
    assert hub.hear(home.availability("hall/smoke", online=True)) == ["smoke.recovered"]


@pytest.mark.parametrize(
    ("sort", "class_"),
    [("contact", "door"), ("motion", "room"), ("smoke", "smoke"), ("water", "water"), ("button", "pendant"),
     ("sos", "pendant"), ("vibration", "room"), ("climate", "room"), ("lock", "lock")],
)  # fmt: skip
def test_the_class_follows_from_what_a_device_exposes(sort: str, class_: str) -> None:
    """A device nobody has heard of is put where it belongs by its exposes."""
    assert class_of_exposes(ZigbeeDevice(sort).definition("x")["definition"]) == class_


@pytest.mark.parametrize("definition", [{}, {"exposes": None}, {"exposes": [None, {"property": 5}]}])
def test_exposes_that_say_nothing_have_no_class(definition: dict[str, Any]) -> None:
    """Rubbish in the bridge's list is no class and no crash."""
    assert class_of_exposes(definition) is None


def test_a_simulated_nuki_lock_is_understood() -> None:
    """Its state, door, battery and author are read; while the bolt moves it is unknown."""
    lock, hub = NukiLock("2BB28570"), Hub(nuki_mqtt.DEVICE)
    assert hub.hear(*lock.start()) == ["lock.locked", "door.closed", "lock.battery"]
    assert hub.hear(*lock.start()) == []
    assert hub.hear(*lock.turn(1, trigger=2)) == ["lock.unknown", "lock.unlocked"]
    assert hub.hear(lock.open_door(opened=True)) == ["door.opened"]
    lock.jam = True
    assert hub.hear(*lock.turn(2)) == ["lock.unknown", "lock.jammed"]
    assert hub.hear(*lock.drain(12)) == ["lock.battery", "lock.battery_low"]
    assert hub.hear(lock.stop()) == ["lock.fault"]


def test_a_simulated_lora_button_is_understood() -> None:
    """Join, press and battery; the same uplink heard by two gateways has one id."""
    button, hub = LoraButton("24e124535b317204"), Hub(lorawan_pendant.DEVICE, codec="milesight_button")
    assert hub.hear(*button.start()) == []
    press = button.press("long")
    assert hub.hear(press) == ["pendant.pressed"]
    place = mqtt_topics.read(press.topic)
    again = [
        hub.type.decode(
            Frame("mqtt", place.address, press.payload, NOW, place.channel), hub.unit(place.address)
        )
        for _ in range(2)
    ]
    assert [one.id for one in again[0]] == [one.id for one in again[1]]
    button.battery = 10
    assert hub.hear(button.tell_battery()) == ["pendant.battery", "pendant.battery_low"]
    assert hub.hear(button.status()) == []


def ask(hub: Hub, name: str, address: str) -> tuple[str, bytes]:
    """Encode a command for a unit: topic and payload."""
    outgoing = hub.type.encode(Command("c-1", name, {}, NOW + 10_000), hub.unit(address))
    return mqtt_topics.write(address, outgoing.channel), outgoing.payload


def test_a_zigbee_lock_obeys_and_its_bolt_answers() -> None:
    """Done is said when the bolt has moved; a jam is a failure."""
    home, hub = bridge(), Hub(zigbee2mqtt.DEVICE)
    topic, payload = ask(hub, "lock", "zigbee2mqtt/hall/lock")
    assert hub.hear(*home.hear(topic, payload)) == ["lock.locked", "lock.battery", "result done"]
    home.devices["hall/lock"].jam = True
    topic, payload = ask(hub, "unlock", "zigbee2mqtt/hall/lock")
    assert hub.hear(*home.hear(topic, payload)) == ["lock.jammed", "result failed"]


def test_a_nuki_lock_obeys_and_its_bolt_answers() -> None:
    """Moving, reached, done; a busy lock refuses."""
    lock, hub = NukiLock("2BB28570"), Hub(nuki_mqtt.DEVICE)
    address = "nuki/2BB28570"
    hub.hear(*lock.start())
    assert hub.hear(*lock.hear(*ask(hub, "unlock", address))) == [
        "lock.unknown",
        "lock.unlocked",
        "result done",
    ]
    lock.busy = True
    busy = [Said(one.topic, one.payload) for one in lock.hear(*ask(hub, "lock", address))]
    assert hub.hear(*busy) == ["result refused"]


@pytest.mark.parametrize("seed", range(5))
def test_wrong_lost_and_doubled_messages_do_no_harm(seed: int) -> None:
    """A thousand messages through a bad line give facts or refusals, and no bolt moves that did not."""
    home, hub = bridge(), Hub(zigbee2mqtt.DEVICE)
    faults = Faults(seed, dropped=0.1, doubled=0.1, wrong=0.4, late=0.1)
    refused = 0
    for n in range(1000):
        name = list(home.devices)[n % len(home.devices)]
        said = (
            home.act(name, "single")
            if n % 3 == 0
            else home.report(name, linkquality=n % 255, contact=n % 2 == 0)
        )
        for message in faults.through([said]):
            try:
                told = hub.hear(message)
            except DecodeError:
                refused += 1
            else:
                assert not {"lock.unlocked", "lock.locked"} & set(told)
    assert refused > 100


@pytest.mark.parametrize(
    ("topic", "place"),
    [
        ("zigbee2mqtt/kitchen/door", Place("zigbee2mqtt/kitchen/door", "state")),
        ("zigbee2mqtt/kitchen/door/availability", Place("zigbee2mqtt/kitchen/door", "availability")),
        ("zigbee2mqtt/kitchen/door/set", Place("zigbee2mqtt/kitchen/door", "set", ours=True)),
        ("zigbee2mqtt/bridge/state", Place("zigbee2mqtt/bridge", "state", ours=True, bridge=True)),
        ("zigbee2mqtt/bridge/logging", Place("zigbee2mqtt/bridge", "logging", ours=True)),
        ("nuki/2bb28570/state", Place("nuki/2BB28570", "state")),
        ("nuki/2BB28570/lockAction", Place("nuki/2BB28570", "lockAction", ours=True)),
        ("nuki/x/state", Place("nuki/x/state", "")),
        ("application/a/device/24E124535B317204/event/up", Place("lorawan/24e124535b317204", "up")),
        ("application/a/device/24E1/event/up", Place("application/a/device/24E1/event/up", "")),
    ],
)
def test_foreign_topics_become_places(topic: str, place: Place) -> None:
    """Each maker's topics name a device and what it speaks of."""
    assert mqtt_topics.read(topic) == place


@pytest.mark.parametrize("address", ["zigbee2mqtt/#", "zigbee2mqtt/a+b", "nuki/" + "x" * 300, "homes", ""])
def test_no_address_can_smuggle_a_wildcard_into_a_topic(address: str) -> None:
    """A registry slip is a sentence, never a publish to everybody."""
    with pytest.raises(ValueError, match="address"):
        mqtt_topics.write(address, "set")


HOSTILE = [
    None, True, 0, -1, 101, 10**30, -(10**400), 1e308, "", "locked\ud800", "x" * 5000, "\x00", [], [1], {}, {"a": {}},
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_leave_a_memory_that_can_be_stored(value: object) -> None:
    """Whatever stands in a known property, the decoder answers with facts or a refusal and stays storable."""
    names = ["contact", "occupancy", "presence", "smoke", "sos", "tamper", "battery", "battery_low", "temperature",
             "humidity", "lock_state", "state", "action", "action_user", "action_source_name"]  # fmt: skip
    unit = Unit("zigbee2mqtt/x")
    for name in names:
        payload = json.dumps({name: value, "lock_state": "locked" if name.startswith("action_") else value})
        frame = Frame("mqtt", "zigbee2mqtt/x", payload.encode(), NOW, "state")
        for one in zigbee2mqtt.decode(frame, unit):
            assert isinstance(one, Fact)
            CATALOGUE.check(one.kind, one.data)
        orjson.dumps(unit.memory)
    for type_, part in (
        (lorawan_pendant.DEVICE, "up"),
        (lorawan_pendant.DEVICE, "status"),
        (nuki_mqtt.DEVICE, "state"),
    ):
        body = {"deduplicationId": "a", "fPort": value, "data": value, "object": value, "batteryLevel": value}
        for payload in (json.dumps(body), json.dumps({**body, "object": {"sos": value, "battery": value}, "data": "",
                                                      "fPort": 1}), json.dumps(value)):  # fmt: skip
            unit = Unit("x")
            try:
                found = list(type_.decode(Frame("mqtt", "x", payload.encode(), NOW, part), unit))
            except DecodeError:
                found = []
            for one in found:
                assert isinstance(one, Fact)
                CATALOGUE.check(one.kind, one.data)
            orjson.dumps(unit.memory)


# -- over a real broker --------------------------------------------------------------------------------------


@asynccontextmanager
async def town(url: str, *wires: Wire) -> AsyncIterator[tuple[MqttLink, asyncio.Queue[Frame]]]:
    """A link and simulated devices on one broker."""
    heard: asyncio.Queue[Frame] = asyncio.Queue()

    async def hear(frame: Frame) -> Receipt:
        heard.put_nowait(frame)
        return Receipt(accepted=True)

    link = MqttLink(url, "gateway", now=lambda: NOW)
    tasks = [asyncio.create_task(link.run(hear))]
    try:
        async with asyncio.timeout(20):
            await link.client.up.wait()
            tasks += [asyncio.create_task(wire.run()) for wire in wires]
            yield link, heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def told(type_: DeviceType, unit: Unit, heard: asyncio.Queue[Frame], kind: str) -> Fact | Result:
    """Wait for a kind (or a result's outcome) of one unit."""
    while True:
        frame = await heard.get()
        if frame.address != unit.address:
            continue
        for one in type_.decode(frame, unit):
            if (one.kind if isinstance(one, Fact) else one.outcome) == kind:
                return one


async def until(true: Callable[[], bool]) -> None:
    """Wait until something has become so."""
    while not true():
        await asyncio.sleep(0.01)


@pytest.mark.broker
async def test_foreign_locks_are_locked_over_a_real_broker(mosquitto) -> None:
    """A command goes out through the link, the simulated locks turn, and the answer comes back."""
    zigbee, nuki = Wire(mosquitto.url, "z2m", bridge()), Wire(mosquitto.url, "nuki", NukiLock("2BB28570"))
    async with town(mosquitto.url, zigbee, nuki) as (link, heard):
        await until(lambda: zigbee.line.connects > 0 and nuki.line.connects > 0)
        for type_, address in (
            (zigbee2mqtt.DEVICE, "zigbee2mqtt/hall/lock"),
            (nuki_mqtt.DEVICE, "nuki/2BB28570"),
        ):
            unit = Unit(address)
            outgoing = type_.encode(Command("c-1", "unlock", {}, NOW), unit)
            await link.send(address, outgoing)
            result = await told(type_, unit, heard, "done")
            assert isinstance(result, Result)
            assert result.command == "c-1"


@pytest.mark.broker
async def test_a_bridge_that_is_offline_makes_the_link_degraded(mosquitto) -> None:
    """Nothing behind a dead bridge can be heard, and health says so until it is back."""
    home = bridge()
    wire = Wire(mosquitto.url, "z2m", home)
    async with town(mosquitto.url, wire) as (link, _):
        await until(lambda: wire.line.connects > 0)
        wire.say([home.stop()])
        await until(lambda: link.health().state == "degraded")
        assert "zigbee2mqtt/bridge says that it is offline" in link.health().reason
        wire.say(home.start())
        await until(lambda: link.health().state == "up")


@pytest.mark.broker
async def test_a_broker_that_allows_only_native_devices_is_no_fault(nats) -> None:
    """Refused foreign topics are counted, and the native devices are heard."""
    nats.append(
        'authorization { users: [ { user: "gw", password: "p", permissions: '
        '{ publish: ">", subscribe: ["homes", "homes.>", "$MQTT.sub.>"] } } ] }\n'
    )
    await nats.kill()
    await nats.start()
    async with town(nats.url.replace("//", "//gw:p@")) as (link, heard):
        await link.client.publish("homes/h/devices/d/event", b"{}")
        assert (await heard.get()).address == "h/d"
        assert link.health().state == "up"
        assert link.health().counters["not_granted"] == 3
