"""Our devices in Home Assistant over real brokers, with the rights that our own brokers give."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.events import Event
from drivers.links.mqtt_client import Message, MqttClient
from drivers.registry import DEVICE_TYPES
from hub.clock import ManualClock
from hub.gateway.home_assistant import HomeAssistant
from hub.gateway.journal import Noted
from hub.gateway.roll import Roll, call_the_roll
from hub.registry.models import GatewayPart

pytestmark = pytest.mark.broker

DOOR = "homeassistant/binary_sensor/trygghub_gw1/door-door_leaf/config"
LEAF = "trygghub/gw1/door/door_leaf"


def roll(tmp_path: Path, *names: str) -> Roll:
    """Astrid's door sensor and pendant, as far as named."""
    kinds = {"door": "door", "pendant": "pendant"}
    devices = {
        name: {"home": "h1", "class": kinds[name], "type": "native_alarm", "link": "mqtt", "address": f"h1/{name}",
               "since": "2026-01-01T00:00:00Z"}
        for name in names
    }  # fmt: skip
    homes = {"h1": {"address": "Storgata 1", "zone": "north", "gateway": "gw1"}}
    part = {"gateway": "gw1", "homes": homes, "residents": {}, "devices": devices}
    return call_the_roll(GatewayPart.model_validate(part), DEVICE_TYPES, tmp_path)


class Observer:
    """Home Assistant's side: remembers what it was told last on each topic, and everything that is news."""

    def __init__(self, url: str) -> None:
        topics = ("homeassistant/#", "trygghub/#")
        self.client = MqttClient(url, "home-assistant", subscriptions=topics, on_message=self.hear)
        self.now: dict[str, bytes] = {}
        self.kept: set[str] = set()
        self.news: list[str] = []
        self.changed = asyncio.Event()

    async def hear(self, message: Message) -> None:
        """One message."""
        self.now[message.topic] = message.payload
        self.news += [] if message.retain else [message.topic]
        if message.retain:
            self.kept.add(message.topic)
        self.changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to be so."""
        async with asyncio.timeout(15):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def at_work(*parts: Any) -> AsyncIterator[None]:
    """Run parts, each begun when the one before it is connected, then end them."""
    tasks = []
    try:
        async with asyncio.timeout(30):
            for one in parts:
                tasks.append(asyncio.create_task(one.run()))
                await getattr(one, "client", one).up.wait()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def shown(running: Any, here: Callable[[], Roll], clock: ManualClock) -> HomeAssistant:
    """The part of gateway gw1 that shows its devices."""
    return HomeAssistant(running.broker.url("hearing"), "homeassistant", "gw1", here, clock)


def said(clock: ManualClock, device: str, kind: str, number: int = 1, **data: Any) -> list[Noted]:
    """An event just committed."""
    return [
        Noted(
            number, Event(f"{device}:{number}", clock.now(), clock.now(), "h1", device, kind, data), new=True
        )
    ]


async def test_devices_appear_with_their_states(running: Any, tmp_path: Path) -> None:
    """Announced when registered, their state kept, what happens told once; one who comes later sees the same."""
    clock, here = ManualClock(), roll(tmp_path, "door", "pendant")
    part = shown(running, lambda: here, clock)
    early, late = Observer(running.broker.url("bridges")), Observer(running.broker.url("bridges"))
    late.client.client_id = "later"
    async with at_work(early.client, part):
        await early.until(lambda: early.now.get(DOOR, b"") != b"")
        config = json.loads(early.now[DOOR])
        assert (config["state_topic"], config["device_class"]) == (LEAF, "door")
        part.take(said(clock, "door", "door.opened"))
        part.take(said(clock, "pendant", "pendant.pressed", 2))
        await early.until(lambda: "trygghub/gw1/pendant/pendant_events" in early.now)
        await early.until(lambda: early.now.get(LEAF) == b"open")
        assert early.now["trygghub/gw1/status"] == b"online"
        async with at_work(late.client):
            await late.until(lambda: {DOOR, LEAF, "trygghub/gw1/door/status"} <= late.now.keys())
            assert LEAF in late.kept
            assert "trygghub/gw1/pendant/pendant_events" not in late.now


async def test_what_happens_first_waits_until_home_assistant_listens(
    running: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """A kind of entity that nobody expected is announced first, and its first press is not lost to a deaf ear."""
    monkeypatch.setattr("hub.gateway.home_assistant.HEEDED", 3600.0)
    clock, here = ManualClock(), roll(tmp_path, "door")
    observer = Observer(running.broker.url("bridges"))
    part = shown(running, lambda: here, clock)
    events = "trygghub/gw1/door/pendant_events"
    async with at_work(observer.client, part):
        part.take(said(clock, "door", "pendant.pressed"))
        part.take(said(clock, "door", "pendant.fall", 2))
        config = "homeassistant/event/trygghub_gw1/door-pendant_events/config"
        await observer.until(lambda: config in observer.now)
        assert json.loads(observer.now[config])["name"] == "Alarmknapp: hendelser"
        assert events not in observer.news
        part._grown(events)
        await observer.until(lambda: observer.news.count(events) == 2)
        assert json.loads(observer.now[events])["event_type"] == "fall"
        part.take(said(clock, "door", "pendant.pressed", 3))
        await observer.until(lambda: observer.news.count(events) == 3)


async def test_a_device_that_is_gone_is_taken_back(running: Any, tmp_path: Path) -> None:
    """At once when the registry changes, and after a restart for what went while nobody was there."""
    clock, here = ManualClock(), [roll(tmp_path, "door", "pendant")]
    observer = Observer(running.broker.url("bridges"))
    part = shown(running, lambda: here[0], clock)
    async with at_work(observer.client, part):
        part.take(said(clock, "door", "door.opened"))
        await observer.until(lambda: observer.now.get(LEAF) == b"open")
        here[0] = roll(tmp_path, "pendant")
        part.changed()
        await observer.until(lambda: observer.now[DOOR] == b"" and observer.now[LEAF] == b"")
    here[0] = roll(tmp_path)
    pendant = "homeassistant/event/trygghub_gw1/pendant-pendant_events/config"
    assert observer.now[pendant]
    async with at_work(observer.client, shown(running, lambda: here[0], clock)):
        await observer.until(lambda: observer.now[pendant] == b"")


async def test_a_silent_device_and_an_absent_gateway_are_not_shown_as_fine(
    running: Any, tmp_path: Path
) -> None:
    """After its type's silence a device is not available; the gateway's end makes all of them so."""
    clock, here = ManualClock(), roll(tmp_path, "door")
    observer = Observer(running.broker.url("bridges"))
    part = shown(running, lambda: here, clock)
    async with at_work(observer.client):
        async with at_work(part):
            part.take(said(clock, "door", "door.closed"))
            await observer.until(lambda: observer.now.get("trygghub/gw1/door/status") == b"online")
            for _ in range(5):
                await clock.advance(3600)
            await observer.until(lambda: observer.now["trygghub/gw1/door/status"] == b"offline")
        await observer.until(lambda: observer.now["trygghub/gw1/status"] == b"offline")


async def test_what_cannot_be_shown_harms_nobody(running: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """An event that breaks the showing is counted; the gateway hears nothing of it."""
    clock, here = ManualClock(), roll(tmp_path, "door")
    part = shown(running, lambda: here, clock)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("hub.gateway.home_assistant.words", broken)
    part.take(said(clock, "door", "door.opened"))
    assert part.counters["broken"] == 1
