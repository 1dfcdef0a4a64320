"""A town and a recorded journal played over a real broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from drivers.links.mqtt_client import Message, MqttClient
from hub.broker.backend import Broker
from simulators.mqtt.line import Line
from simulators.mqtt.trunk import Trunk
from simulators.recorded.journal import Recorded
from simulators.recorded.playing import Player
from simulators.scenario.plan import day_begin
from simulators.town.homes import Order, town
from simulators.town.playing import play_town
from simulators.world import starting_at

pytestmark = pytest.mark.broker

DAY = date(2026, 1, 15)


@asynccontextmanager
async def running(*parts: Any) -> AsyncIterator[None]:
    """Run parts, then end them; what goes wrong there ends the test."""
    tasks = [asyncio.create_task(one) for one in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome


async def test_a_town_speaks_in_all_its_tongues(hub: Any, broker: Broker, tmp_path: Path) -> None:
    """Native devices are acknowledged, and each maker's own topics are alive."""
    scenario = town(Order(12, 1))
    world = starting_at(day_begin(scenario, DAY) - 1_200_000, 1000.0)
    foreign: set[str] = set()
    all_there = asyncio.Event()

    async def take(message: Message) -> None:
        foreign.add(message.topic.partition("/")[0])
        if foreign >= {"zigbee2mqtt", "nuki", "application", "homeassistant"}:
            all_there.set()

    bridges = broker.url("bridges")
    topics = ["zigbee2mqtt/#", "nuki/#", "application/#", "homeassistant/#"]
    ear = MqttClient(bridges, "ear", subscriptions=topics, on_message=take)
    playing = play_town(
        scenario, DAY, world, tmp_path, broker=broker.url("devices"), bridges=bridges, ble_port=None
    )
    natives = {
        one.id for one in scenario.devices.values() if one.kind.wire == "mqtt" and one.family == "native"
    }
    async with asyncio.timeout(60), running(ear.run()):
        await ear.up.wait()
        async with running(playing):
            await all_there.wait()
            await hub.until_so(
                lambda: len(hub.heard) > 200 and natives <= {device for device, _ in hub.heard}
            )
    assert {device for device, _ in hub.heard} == natives


async def test_a_recorded_journal_is_said_again(hub: Any, broker: Broker, tmp_path: Path) -> None:
    """In the order of hearing, as late as it was, each acknowledged once; then the player ends."""
    start = 1_768_478_400_000
    lines = [
        {
            "at": start + 1000 * n,
            "heard": start + 1000 * n,
            "home": "h1",
            "device": f"d{n % 3}",
            "kind": "door.opened",
        }
        for n in range(30)
    ]
    lines[5] = {**lines[5], "at": start - 36_000_000}
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    world = starting_at(start + 10**10, 1000.0)
    player = Player(Recorded(path), broker.url("devices"), world, pace=1000.0)
    async with asyncio.timeout(30):
        await player.run()
    assert (player.acknowledged, player.waiting) == (30, 0)
    assert len(hub.events) == 30
    ages = sorted(one["at"] for one in hub.events.values())
    assert ages[1] - ages[0] > 18_000_000  # ten hours, less what a busy machine takes at this pace


async def test_a_line_knows_what_the_broker_took(broker: Broker) -> None:
    """Before there is a connection nothing is; one that breaks in the middle of a message is made anew."""
    ups: asyncio.Queue[int] = asyncio.Queue()
    line = Line(
        broker.url("devices"), "line", ["homes/h1/devices/+/ack"], lambda *_: None, lambda: ups.put_nowait(1)
    )
    assert not await line.publish("homes/h1/devices/d/event", b"{}")
    async with asyncio.timeout(30), running(line.run()):
        await ups.get()
        assert await line.publish("homes/h1/devices/d/event", b"{}")
        pending = asyncio.create_task(line.publish("homes/h1/devices/d/event", b"{}"))
        await asyncio.sleep(0)
        line.break_off("homes/h1/devices/d/event", b"{}" * 100)
        await pending
        await ups.get()
        assert await line.publish("homes/h1/devices/d/event", b"{}")
    assert line.connects == 2


async def test_a_trunk_comes_back(broker: Broker) -> None:
    """A connection that dies is made anew, and a wrong password never becomes one."""
    ups: asyncio.Queue[int] = asyncio.Queue()
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    trunk = Trunk(
        broker.url("devices"),
        "trunk",
        [("homes/+/devices/+/ack", 0)],
        lambda topic, payload: heard.put_nowait((topic, payload)),
        lambda: ups.put_nowait(1),
    )
    stranger = Trunk(
        broker.url("devices").replace("devices:", "devices:x"), "s", [], lambda *_: None, lambda: None
    )
    speaker = MqttClient(broker.url("hearing"), "speaker")
    async with asyncio.timeout(30), running(trunk.run(), stranger.run(), speaker.run()):
        await ups.get()
        assert trunk._wire is not None
        assert trunk._wire._transport is not None
        trunk._wire._transport.abort()
        await ups.get()
        await speaker.up.wait()
        await speaker.publish("homes/h1/devices/d/ack", b"{}")
        assert await heard.get() == ("homes/h1/devices/d/ack", b"{}")
        assert trunk.say("homes/h1/devices/d/event", b"{}")
    assert (trunk.counters["connects"], stranger.counters["connects"]) == (2, 0)
    assert not stranger.say("x", b"")
