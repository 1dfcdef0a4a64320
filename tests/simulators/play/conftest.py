"""A real broker on loopback, and a hub on it that acknowledges what devices report."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drivers.links.mqtt_client import Message, MqttClient
from hub.broker.backend import Broker, BrokerMissing, Listener
from hub.broker.check import await_broker
from hub.broker.logins import logins
from hub.broker.nats import NatsServer
from tests.ports import free_port


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A nats-server with our logins and rights."""
    port = free_port()
    one = NatsServer(tmp_path / "broker", Listener(port), logins(tmp_path / "passwords", ["gw1"]))
    try:
        command = one.prepare()
    except BrokerMissing as missing:
        pytest.fail(str(missing)) if os.environ.get("CI") else pytest.skip(str(missing))
    with (
        (tmp_path / "broker.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as child,
    ):
        await_broker(one.url("centre"), seconds=10)
        yield one
        child.kill()


@dataclass
class Hub:
    """Hears every event and acknowledges it. heard: device and kind in order of arrival."""

    heard: list[tuple[str, str]] = field(default_factory=list)
    events: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    results: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    client: MqttClient | None = None

    async def take(self, message: Message) -> None:
        """Note it, then say that it is safe."""
        _, home, _, device, part = message.topic.split("/")
        payload = json.loads(message.payload)
        assert self.client is not None
        if part == "result":
            self.results.put_nowait(payload)
        if part == "event":
            async with self.news:
                if (device, payload["id"]) not in self.events:
                    self.heard.append((device, payload["kind"]))
                self.events[device, payload["id"]] = payload
                self.news.notify_all()
            await self.client.publish(
                f"homes/{home}/devices/{device}/ack", json.dumps({"id": payload["id"]}).encode()
            )

    async def until(self, device: str, kind: str) -> None:
        """Wait until this has been heard."""
        await self.until_so(lambda: (device, kind) in self.heard)

    async def until_so(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds, asked anew with all that is heard."""
        async with self.news:
            await self.news.wait_for(condition)


@pytest.fixture
async def hub(broker: Broker) -> AsyncIterator[Hub]:
    """The hub, listening."""
    one = Hub()
    one.client = MqttClient(
        broker.url("hearing"),
        "hub",
        subscriptions=["homes/+/devices/+/event", "homes/+/devices/+/result"],
        on_message=one.take,
    )
    task = asyncio.create_task(one.client.run())
    await one.client.up.wait()
    yield one
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
