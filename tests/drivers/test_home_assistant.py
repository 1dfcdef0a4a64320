"""Devices from Home Assistant's MQTT discovery: announced, adopted, understood, obeyed, and never run as code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest
import yaml

from drivers.device_type import Command, Result, Unit
from drivers.devices.home_assistant_mqtt import DEVICE
from drivers.events import DecodeError, Fact, Frame
from drivers.links.link import Receipt
from drivers.links.mqtt import MqttLink
from drivers.protocols.home_assistant import class_of, entities, topics
from drivers.protocols.home_assistant_discovery import announced
from drivers.protocols.home_assistant_template import compile_template
from simulators.mqtt_devices.home_assistant_device import SORTS, AnnouncedDevice
from simulators.mqtt_devices.said import Faults, Said
from simulators.mqtt_devices.wire import Wire

NOW = 1_768_478_400_000


def adopted(device: AnnouncedDevice, **settings: Any) -> dict[str, Any]:
    """The settings a registry entry of this device has."""
    listed = [dict(one.config) for said in device.announce() for one in announced(said.topic, said.payload)]
    return {"entities": listed, **settings}


class Home:
    """Hears one adopted device as the gateway does."""

    def __init__(self, device: AnnouncedDevice, **settings: Any) -> None:
        self.unit = Unit(f"homeassistant/{device.name}", settings=adopted(device, **settings))

    def hear(self, *messages: Said) -> list[str]:
        """The kinds and outcomes of these messages, signs of life left out."""
        told = [word for said in messages for word in self._one(said)]
        return [word for word in told if not word.endswith(".heartbeat")]

    def _one(self, said: Said) -> Iterable[str]:
        if said.topic not in topics(self.unit.settings):
            return
        frame = Frame("mqtt", self.unit.address, said.payload, NOW, said.topic, said.retain)
        for one in DEVICE.decode(frame, self.unit):
            yield one.kind if isinstance(one, Fact) else f"result {one.outcome}"


# ---------------------------------------------------------------- templates


@pytest.mark.parametrize(
    ("template", "payload", "value"),
    [
        ("{{ value }}", "ON", "ON"),
        ("{{ value_json.state }}", '{"state": true}', "True"),
        ("{{value_json['a b'].c[0]|float|round(1)}}", '{"a b": {"c": [2.26]}}', "2.3"),
        ("{{ 'ON' if value_json.battery < 20 else 'OFF' }}", '{"battery": 5}', "ON"),
        ("{{ value_json.value == 22 }}", '{"value": 23}', "False"),
        ("{{ value_json.x | default('gone') | upper }}", "{}", "GONE"),
        ("{{ value_json.x }}", "{}", None),
        ("{{ 'ON' if value_json.leak else 'OFF' }}", "{}", None),
        ("{{ value_json.x | int }}", '{"x": 1e999}', None),
        ("{{ value_json.x }}", "not JSON", None),
    ],
)
def test_a_template_finds_the_value(template: str, payload: str, value: str | None) -> None:
    """As Home Assistant does, but for a field that is missing: that never chooses the harmless answer."""
    assert compile_template(template)(payload) == value


@pytest.mark.parametrize(
    "template",
    [
        "{% if a %}x{% endif %}",
        "{{ value_json.__class__.__mro__() }}",
        "{{ states('lock.door') }}",
        "{{ value * 9999999 }}",
        "{{ [x for x in value] }}",
        "{{ value if }}",
        "{{ " + "(" * 140 + "1" + ")" * 140 + " | nothing }}",
        "{{ value | round(99999999999) }}",
        "plain text",
        "{{ " + "a" * 400 + " }}",
    ],
)
def test_a_template_is_never_run(template: str) -> None:
    """What lies outside the small part we read is refused in a sentence."""
    with pytest.raises(DecodeError, match="template"):
        compile_template(template)


# ---------------------------------------------------------------- announcements


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("sort", sorted(set(SORTS) - {"lamp"}))
def test_both_ways_of_announcing_say_the_same(sort: str, *, at_once: bool) -> None:
    """One message an entity or one for the whole device: class, topics and words are equal."""
    one, other = AnnouncedDevice(sort, "unit"), AnnouncedDevice(sort, "unit", at_once=at_once)
    settings, same = adopted(one), adopted(other)
    assert class_of(entities(settings)) == class_of(entities(same)) is not None
    assert topics(settings) == topics(same)
    assert {
        said.key for message in other.announce() for said in announced(message.topic, message.payload)
    } == {"unit"}


def test_a_lamp_is_of_no_class() -> None:
    """A device whose only use to us is its battery is not adopted."""
    assert class_of(entities(adopted(AnnouncedDevice("lamp", "lamp")))) is None


def test_an_entity_taken_back_announces_nothing() -> None:
    """An empty announcement is how an entity is removed, and no fault."""
    assert [announced(said.topic, said.payload) for said in AnnouncedDevice("smoke", "x").take_back()] == [
        []
    ] * 3


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("homeassistant/sensor/config", b"{}"),
        ("homeassistant/sensor/x/config", b"[1]"),
        ("homeassistant/sensor/x/config", b"\xff"),
        ("homeassistant/device/x/config", b'{"cmps": 5}'),
        ("homeassistant/device/x/config", b'{"cmps": {"a": 5}}'),
        ("homeassistant/sensor/x/config", b"{" + b" " * 200_000 + b"}"),
    ],
)
def test_a_wrong_announcement_is_refused_in_a_sentence(topic: str, payload: bytes) -> None:
    """Whoever may publish may publish rubbish."""
    with pytest.raises(DecodeError):
        announced(topic, payload)


@pytest.mark.parametrize("garbled", range(200))
def test_a_damaged_announcement_does_no_harm(garbled: int) -> None:
    """Seeded damage gives an announcement or the one error class, here and when it is adopted."""
    device = AnnouncedDevice("smoke", "x", at_once=True)
    for said in Faults(garbled, wrong=1.0).through(device.announce()):
        try:
            listed = [dict(one.config) for one in announced(said.topic, said.payload)]
            entities({"entities": listed})
        except DecodeError:
            continue


# ---------------------------------------------------------------- adopted devices


def test_a_simulated_home_is_understood() -> None:
    """Each sort of device means what it should, and what is only repeated is no news."""
    contact = AnnouncedDevice("contact", "front")
    home = Home(contact)
    assert home.hear(contact.report(contact="open")) == ["door.opened", "door.battery"]
    assert home.hear(contact.report(battery=99)) == ["door.battery"]
    assert home.hear(contact.report(contact="closed")) == ["door.closed"]
    assert home.hear(contact.stop()) == ["door.fault"]
    assert home.hear(contact.stop()) == []
    assert home.hear(Said(f"{contact.base}/status", b"online")) == ["door.recovered"]
    smoke = AnnouncedDevice("smoke", "hall")
    assert Home(smoke).hear(smoke.report(smoke="ON", tamper="ON")) == [
        "smoke.detected", "smoke.tamper", "smoke.battery"]  # fmt: skip
    button = AnnouncedDevice("button", "worn")
    home = Home(button)
    assert home.hear(button.happen("press"), button.happen("press")) == ["pendant.pressed"] * 2
    mat = AnnouncedDevice("mat", "bed")
    home = Home(mat, **{"class": "bed"})
    assert home.hear(mat.report(mat="ON"), mat.report(mat="OFF")) == [
        "bed.entered",
        "bed.battery",
        "bed.left",
    ]


def test_a_thermostat_tells_the_temperature_it_measures() -> None:
    """Of a climate entity that is all we hear; what it may be told is nobody's business here."""
    valve = AnnouncedDevice("thermostat", "bedroom")
    home = Home(valve)
    assert home.hear(valve.report(valve=14.5)) == ["room.temperature", "room.battery"]
    assert home.hear(valve.report(valve=14.5)) == []
    with pytest.raises(ValueError, match="no lock"):
        DEVICE.encode(Command("c-1", "unlock", {}, NOW), home.unit)


def test_one_entity_that_cannot_be_read_keeps_nothing_back() -> None:
    """The door is open although the battery's neighbour talks rubbish; the rubbish is a fault, told once."""
    smoke = AnnouncedDevice("smoke", "hall")
    home = Home(smoke)
    assert home.hear(smoke.report(smoke="ON", tamper="perhaps")) == [
        "smoke.detected", "smoke.battery", "smoke.fault"]  # fmt: skip
    assert home.hear(smoke.report(smoke="OFF")) == ["smoke.cleared"]


def test_a_lock_is_done_when_its_bolt_has_arrived() -> None:
    """Lock and unlock go out in the lock's own words; moving is unknown, a jam is a failure."""
    lock = AnnouncedDevice("lock", "front")
    home = Home(lock)
    outgoing = DEVICE.encode(Command("c-1", "unlock", {}, NOW), home.unit)
    assert (outgoing.channel, outgoing.payload) == ("homeassistant/sim/front/set", b"UNLOCK")
    assert home.hear(*lock.hear(outgoing.channel, outgoing.payload)) == [
        "lock.unknown", "lock.battery", "lock.unlocked", "result done"]  # fmt: skip
    lock.jam = True
    outgoing = DEVICE.encode(Command("c-2", "lock", {}, NOW), home.unit)
    assert home.hear(*lock.hear(outgoing.channel, outgoing.payload)) == [
        "lock.unknown", "lock.jammed", "result failed"]  # fmt: skip


@pytest.mark.parametrize("field", ["code_format", "command_template"])
def test_a_lock_that_wants_more_than_a_word_is_not_commanded(field: str) -> None:
    """We would have to guess, and nobody guesses at a door."""
    settings = adopted(AnnouncedDevice("lock", "front"))
    settings["entities"][0][field] = "^\\d{4}$"
    unit = Unit("homeassistant/front", settings=settings)
    with pytest.raises(ValueError, match="wants a code or a template"):
        DEVICE.encode(Command("c-1", "unlock", {}, NOW), unit)
    assert "asked" not in unit.memory


@pytest.mark.parametrize("seed", range(60))
def test_faults_on_the_wire_do_no_harm(seed: int) -> None:
    """Dropped, doubled, damaged and late messages: events or DecodeError, and no door that was not opened."""
    contact = AnnouncedDevice("contact", "front")
    home = Home(contact)
    said = [contact.report(contact="closed", battery=90 - n) for n in range(5)]
    for one in Faults(seed, dropped=0.2, doubled=0.2, wrong=0.4, late=0.2).through(said):
        try:
            assert "door.opened" not in home.hear(one)
        except DecodeError:
            continue


# ---------------------------------------------------------------- over a broker


@pytest.mark.broker
async def test_the_link_routes_an_adopted_devices_topics(broker: Any) -> None:
    """Frames carry the device's address and the topic; a topic that two devices share reaches both."""
    lock, twin = AnnouncedDevice("lock", "front"), AnnouncedDevice("lock", "back")
    addresses = {topic: ["homeassistant/front"] for topic in topics(adopted(lock))}
    addresses[f"{lock.base}/status"].append("homeassistant/back")
    link = MqttLink(broker.url, "gateway", now=lambda: NOW, routes=addresses)
    heard: asyncio.Queue[Frame] = asyncio.Queue()

    async def hear(frame: Frame) -> Receipt:
        heard.put_nowait(frame)
        return Receipt(accepted=True)

    running = [asyncio.create_task(link.run(hear))]
    async with asyncio.timeout(20):
        await link.client.up.wait()
        wires = [Wire(broker.url, "lock", lock), Wire(broker.url, "twin", twin)]
        running += [asyncio.create_task(one.run()) for one in wires]
        first = [await heard.get() for _ in range(3)]
        unit = Unit("homeassistant/front", settings=adopted(lock))
        await link.send("homeassistant/front", DEVICE.encode(Command("c-1", "unlock", {}, NOW), unit))
        told: list[Fact | Result] = []
        while Result("c-1", "done") not in told:
            told += DEVICE.decode(await heard.get(), unit)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert {(one.address, one.channel) for one in first} == {
        ("homeassistant/front", "homeassistant/sim/front/status"),
        ("homeassistant/back", "homeassistant/sim/front/status"),
        ("homeassistant/front", "homeassistant/sim/front/state"),
    }


# ---------------------------------------------------------------- what the registry keeps


def test_an_adopted_device_survives_the_registry_file() -> None:
    """Settings go through YAML and JSON and mean the same."""
    settings = adopted(AnnouncedDevice("motion", "hall"))
    again = json.loads(json.dumps(yaml.safe_load(yaml.safe_dump(settings))))
    unit = Unit("homeassistant/hall", settings=again)
    frame = Frame("mqtt", unit.address, b'{"motion": true}', NOW, "homeassistant/sim/hall/state")
    assert [one.kind for one in DEVICE.decode(frame, unit) if isinstance(one, Fact)] == ["room.motion"]
