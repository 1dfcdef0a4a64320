"""A whole centre on a real broker: events come in, acknowledgements, parts, commands and hints go out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import orjson
import pytest
from sqlmodel import select

from drivers.events import iso
from drivers.links.mqtt_client import Message, MqttClient
from hub.centre import commands
from hub.centre.centre import Centre
from hub.store.centre_tables import Alert, CommandRow, Gateway, Notification
from hub.uplink.messages import HINT_TOPIC, Ack, Order, Part
from tests.ports import free_port

pytestmark = pytest.mark.broker


@dataclass
class Box:
    """A gateway's side of the broker: what it hears, by the last part of the topic."""

    client: MqttClient
    heard: dict[str, asyncio.Queue[bytes]] = field(default_factory=dict)

    async def wait(self, what: str) -> bytes:
        """The next message of that sort."""
        return await asyncio.wait_for(self._queue(what).get(), 20)

    async def take(self, message: Message) -> None:
        """Keep what the centre says."""
        self._queue(message.topic.rsplit("/", 1)[-1]).put_nowait(message.payload)

    def _queue(self, what: str) -> asyncio.Queue[bytes]:
        return self.heard.setdefault(what, asyncio.Queue())

    async def send(self, lane: str, *entries: dict, first: int = 1) -> None:
        """Send a batch up."""
        numbered = [{"number": first + index, **entry} for index, entry in enumerate(entries)]
        payload = orjson.dumps({"epoch": "00c0ffee", "entries": numbered})
        await self.client.publish(f"gateways/gw1/up/{lane}", payload)


@contextlib.asynccontextmanager
async def in_background(*coroutines) -> AsyncIterator[None]:
    """Run these beside the test."""
    tasks = [asyncio.create_task(one) for one in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def box(broker) -> AsyncIterator[Box]:
    """Gateway gw1."""
    made = Box(None)
    made.client = MqttClient(
        broker.url("gateway-gw1"), "gw1", subscriptions=["gateways/gw1/down/#"], on_message=made.take
    )
    async with in_background(made.client.run()):
        await asyncio.wait_for(made.client.up.wait(), 20)
        yield made


@pytest.fixture
async def screen(broker) -> AsyncIterator[Box]:
    """A web process that waits for hints."""
    made = Box(None)
    made.client = MqttClient(broker.url("web"), "web", subscriptions=[HINT_TOPIC], on_message=made.take)
    async with in_background(made.client.run()):
        await asyncio.wait_for(made.client.up.wait(), 20)
        yield made


def pressed(now: int) -> list[dict]:
    """A pressed pendant: the event and the gateway's decision about it."""
    event = {
        "id": "pendant-1:1",
        "at": iso(now),
        "home": "h1",
        "device": "pendant-1",
        "kind": "pendant.pressed",
        "data": {},
    }
    decision = {
        "action": "raise",
        "rule": "pendant-pressed",
        "key": "h1",
        "home": "h1",
        "device": "pendant-1",
        "at": iso(now),
        "because": ["pendant-1:1"],
        "says": {"nb": "Astrid har trykket", "en": "Astrid pressed"},
        "urgency": "critical",
        "queue": "care",
        "life_safety": True,
    }
    return [{"type": "event", "body": event}, {"type": "decision", "body": decision}]


async def test_from_press_to_person(store, clock, broker, box, screen):
    """A press is stored, acknowledged, brought to the nurse on duty and hinted to the screens, all without waiting."""
    centre = Centre(store, clock, broker.url("centre"))
    async with in_background(centre.run()):
        await asyncio.wait_for(centre.client.up.wait(), 20)
        await box.send("alarm", *pressed(clock.now()))
        while (ack := Ack.model_validate_json(await box.wait("ack"))).lane != "alarm":
            pass  # a gateway that has just come is told of its other lanes, too
        assert (ack.epoch, ack.upto) == ("00c0ffee", 2)
        await screen.wait("hint")
        while not (told := await rows(store, Notification)) or any(row.status == "leased" for row in told):
            await screen.wait("hint")
    assert {(row.channel, row.target, row.status) for row in told} == {
        ("dashboard", "nils", "unreached"),
        ("console", "nils", "sent"),
    }
    (alert,) = await rows(store, Alert)
    assert (alert.kind, alert.zone, alert.next_tell) == ("pendant.pressed", "nord", "whole team")


async def rows(store, table) -> list:
    """All rows."""
    async with store.reading() as session:
        return list((await session.exec(select(table))).all())


async def test_part_and_command(store, clock, broker, box, people):
    """A gateway gets its part of the registry, is asked for something, and its result settles the command."""
    centre = Centre(store, clock, broker.url("centre"))
    async with in_background(centre.run()):
        part = Part.model_validate_json(await box.wait("registry"))
        assert list(part.registry["devices"]) == ["lock-1", "pendant-1"]
        wish = commands.Wish("h1", "lock-1", "lock", {})
        asked = await commands.ask(store, clock, wish, people.nils, "test")
        centre.commands.nudge()
        order = Order.model_validate_json(await box.wait("command"))
        assert (order.id, order.device, order.name, order.expires) == (
            asked.id,
            "lock-1",
            "lock",
            clock.now() + 30_000,
        )
        result = {"command": order.id, "outcome": "done", "reason": "", "at": iso(clock.now())}
        await box.send("technical", {"type": "result", "body": result})
        await box.wait("ack")
    (command,) = await rows(store, CommandRow)
    assert command.status == "done"
    hashes = {row.id: row.part_hash for row in await rows(store, Gateway)}
    assert hashes["gw1"] == part.hash


async def test_pages(store, clock, broker):
    """The process says whether it is ready, and what it counts."""
    centre, port = Centre(store, clock, broker.url("centre")), free_port()
    async with in_background(centre.run(port)), httpx.AsyncClient() as client:
        async with asyncio.timeout(30):
            while (answer := await asked(client, f"http://127.0.0.1:{port}/readyz")) is None:
                await asyncio.sleep(0.05)
        assert answer.json()["database"] == "ok"
        figures = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        assert "trygghub_deadline_overdue_seconds" in figures


async def asked(client, url) -> httpx.Response | None:
    """The answer, once it is a good one."""
    with contextlib.suppress(httpx.HTTPError):
        answer = await client.get(url)
        return answer if answer.status_code == 200 else None
    return None


async def test_a_rule_book_with_a_slip(store, clock, broker, tmp_path):
    """A centre started with a book that cannot be read runs with the shipped one and tells somebody."""
    book = tmp_path / "book.yaml"
    book.write_text("rules: {broken: {}}\n", encoding="utf-8")
    centre = Centre(store, clock, broker.url("centre"), rules=book)
    async with in_background(centre.run()), asyncio.timeout(30):
        while not (told := [row for row in await rows(store, Alert) if row.rule == "hub:rule book not read"]):
            await asyncio.sleep(0.05)
    (alert,) = told
    assert "book.yaml, line 1" in alert.says["en"]
    assert "book.yaml, linje 1" in alert.says["nb"]
