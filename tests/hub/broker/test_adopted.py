"""Devices adopted from Home Assistant are heard: their topics get rights, and nobody else's do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from drivers.links.link import Receipt
from drivers.links.mqtt import MqttLink
from hub.broker.adopted import Topics, devices_in, topics_of
from hub.broker.check import Probe

PATIENCE = 5.0
HALL = "shellies/hall-1.2/motion"
"""A topic on which an adopted device of these brokers speaks (conftest.py)."""


def sensor(*topics: str, type_: str = "home_assistant_mqtt", also: tuple[Any, ...] = ()) -> dict[str, Any]:
    """An adopted device as the registry has it: a door sensor on each topic."""
    entities = [
        {"component": "binary_sensor", "device_class": "door", "name": f"e{n}", "state_topic": topic}
        for n, topic in enumerate(topics)
    ]
    return {"type": type_, "settings": {"entities": [*entities, *also]}}


LOCK = {
    "component": "lock",
    "name": "front",
    "state_topic": "locks/front",
    "command_topic": "locks/front/set",
}


def test_the_topics_of_adopted_devices_are_found() -> None:
    """What they speak on, and what a lock is told on; each once."""
    found = topics_of([sensor("a/b", "c"), sensor("a/b", also=(LOCK,)), sensor("x", type_="native_alarm")])
    assert found == Topics(heard=("a/b", "c", "locks/front"), told=("locks/front/set",))
    assert found.rights()[:5] == (
        "user hearing",
        "topic read a/b",
        "topic read c",
        "topic read locks/front",
        "topic write locks/front/set",
    )


@pytest.mark.parametrize(
    "topic",
    ["homes/h1/devices/front-lock/event", "gateways/gw1/up/alarm", "centre/x", "$JS/API", "zigbee2mqtt/door",
     "a b/c", "a//b", "/a", "a/", "*", "a/>", "x\ntopic write homes/#", "ø" * 201],
)  # fmt: skip
def test_nobody_gets_rights_on_our_topics_by_announcing_them(topic: str) -> None:
    """Our topics, those that everybody has, and what a broker's list of rights cannot hold are left out."""
    assert topics_of([sensor(topic)]) == Topics()


@pytest.mark.parametrize("settings", [None, 5, {}, {"entities": 5}, {"entities": [{"component": "x"}]}])
def test_settings_that_cannot_be_read_give_no_rights(settings: Any) -> None:
    """What is wrong with them is said where the registry is checked."""
    assert topics_of([{"type": "home_assistant_mqtt", "settings": settings}]) == Topics()


def test_devices_are_found_in_a_registry_file_and_in_a_gateways_copy(tmp_path: Path) -> None:
    """YAML at the first start, the gateway's own copy at every later one."""
    devices = {"hall": sensor(HALL)}
    (tmp_path / "registry.yaml").write_text(yaml.safe_dump({"format": "x", "devices": devices}))
    (tmp_path / "registry.json").write_text(json.dumps({"hash": "", "registry": {"devices": devices}}))
    for name in ("registry.yaml", "registry.json"):
        assert topics_of(devices_in(tmp_path / name)).heard == (HALL,)
    for text in ("", "[]", "{", '{"devices": [1]}'):
        (tmp_path / "registry.json").write_text(text)
        assert list(devices_in(tmp_path / "registry.json")) == []
    assert list(devices_in(tmp_path / "nowhere.json")) == []


@pytest.mark.broker
def test_an_adopted_device_is_heard_and_told(running: Any) -> None:
    """The bridges' login speaks for it, the gateway hears it; a lock's command goes the other way."""
    url = running.broker.url
    with Probe(url("hearing"), PATIENCE) as ear, Probe(url("bridges"), PATIENCE) as device:
        assert ear.subscribe(HALL) == 1
        assert device.subscribe("locks/front/set") == 1
        device.publish(HALL, "ON")
        ear.publish("locks/front/set", "LOCK")
        assert ear.await_message(HALL)
        assert device.await_message("locks/front/set")


@pytest.mark.broker
async def test_an_adopted_device_without_rights_is_said(running: Any) -> None:
    """Where the broker refuses the topic, the link is degraded and names it; Mosquitto filters without a word."""

    async def hear(_frame: Any) -> Receipt:
        return Receipt(accepted=True)

    routes = {HALL: ["homeassistant/hall"], "shellies/cellar": ["homeassistant/cellar"]}
    link = MqttLink(running.broker.url("hearing"), "gateway", now=lambda: 1, routes=routes)
    task = asyncio.create_task(link.run(hear))
    async with asyncio.timeout(20):
        await link.client.up.wait()
    health = link.health()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    if running.broker.name == "mosquitto":
        assert health.state == "up"
    else:
        assert health.state == "degraded"
        assert health.reason == (
            "the broker does not let us hear shellies/cellar, on which adopted devices speak"
        )
