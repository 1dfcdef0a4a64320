"""The MQTT adapter ends when it is told to, also when aiomqtt has lost the cancellation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from drivers.links import mqtt_client
from drivers.links.mqtt_client import MqttClient


async def test_a_cancellation_lost_on_the_way_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel that meets the broker's answer ends the client all the same (python/cpython#86296)."""
    subscribing = asyncio.Event()

    @contextlib.asynccontextmanager
    async def connected(_client: object) -> AsyncIterator[None]:
        yield

    async def subscribe(_self: MqttClient, _client: object) -> None:
        subscribing.set()
        with contextlib.suppress(asyncio.CancelledError):  # what wait_for does before Python 3.12
            await asyncio.Event().wait()

    monkeypatch.setattr(mqtt_client, "_connected", connected)
    monkeypatch.setattr(MqttClient, "_subscribe", subscribe)
    client = MqttClient("mqtt://127.0.0.1:1", "c", subscriptions=("a",))
    task = asyncio.create_task(client.run())
    await subscribing.wait()
    task.cancel()
    async with asyncio.timeout(30):
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
