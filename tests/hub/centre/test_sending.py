"""What the centre says on the broker, and what becomes of it when the broker is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import orjson
import pytest
from sqlmodel import select

from drivers.links.mqtt_client import NotConnected
from hub.centre import commands
from hub.centre.intake.watermark import Mark, moved
from hub.centre.sending import Acks, Parts
from hub.store.centre_tables import CommandRow, Home, StoreFact


@dataclass
class Line:
    """A connection that writes down what is published, and may be cut."""

    cut: bool = False
    said: list[tuple[str, dict, bool]] = field(default_factory=list)

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish, unless the line is cut."""
        if self.cut:
            raise NotConnected("no broker")
        self.said.append((topic, orjson.loads(payload), retain))


@pytest.fixture
def line() -> Line:
    """The centre's line to the broker."""
    return Line()


async def command(store) -> CommandRow:
    """The one command."""
    async with store.reading() as session:
        (row,) = (await session.exec(select(CommandRow))).all()
    return row


async def test_a_command_waits_for_the_line(store, clock, people, line):
    """A command is sent when the line is back, once."""
    await commands.ask(store, clock, commands.Wish("h1", "lock-1", "lock", {}), people.nils, "test")
    line.cut = True
    with pytest.raises(NotConnected):
        await commands.send_waiting(store, clock, line.publish)
    assert (await command(store)).status == "queued"
    line.cut = False
    assert await commands.send_waiting(store, clock, line.publish) == 1
    assert await commands.send_waiting(store, clock, line.publish) == 0
    ((topic, order, retain),) = line.said
    assert (topic, order["name"], retain) == ("gateways/gw1/down/command", "lock", False)
    assert (await command(store)).status == "sent"


async def test_a_command_expires(store, clock, people, line):
    """A command that nobody answers expires, and one that is too old is never sent."""
    await commands.ask(store, clock, commands.Wish("h1", "lock-1", "lock", {}), people.nils, "test")
    clock.at += 30_000
    assert await commands.send_waiting(store, clock, line.publish) == 0
    row = await command(store)
    assert (row.status, row.answer, line.said) == ("expired", "no answer in time", [])


async def test_a_late_result_is_still_shown(store, clock, people, line):
    """A result that comes after the expiry is shown to who asked: the door did open."""
    asked = await commands.ask(store, clock, commands.Wish("h1", "lock-1", "lock", {}), people.nils, "test")
    await commands.send_waiting(store, clock, line.publish)
    clock.at += 31_000
    await commands.send_waiting(store, clock, line.publish)
    async with store.writing() as session:
        body = {"command": asked.id, "outcome": "done", "reason": "", "at": clock.now()}
        await commands.settle(session, "gw1", body, clock.now())
    assert (await command(store)).status == "done"


async def test_a_home_without_gateway(store, clock, people):
    """A device that no gateway reaches cannot be asked, and the sentence says so."""
    async with store.writing() as session:
        (await session.get(Home, "h1")).gateway = None
    with pytest.raises(commands.Refused) as refused:
        await commands.ask(store, clock, commands.Wish("h1", "lock-1", "lock", {}), people.nils, "test")
    assert refused.value.says["en"] == "The home has no gateway that reaches the device."


async def test_parts_are_told_once_a_connection(store, clock, line):
    """A part goes out retained, again when it changed, and again after every connection."""
    parts = Parts(store, clock, line.publish)
    assert await parts.publish_changed() == ["gw1", "gw2"]
    assert all(retain for _, _, retain in line.said)
    assert await parts.publish_changed() == []
    async with store.writing() as session:
        (await session.get(Home, "h1")).tz = "Europe/Stockholm"
        session.add(StoreFact(name="registry", value="another"))
    assert await parts.publish_changed() == ["gw1"]
    parts.forget()
    assert await parts.publish_changed() == ["gw1", "gw2"]


async def test_a_part_that_was_not_sent_is_sent_later(store, clock, line):
    """A line cut in the middle loses no part."""
    parts = Parts(store, clock, line.publish)
    line.cut = True
    with pytest.raises(NotConnected):
        await parts.publish_changed()
    line.cut = False
    assert await parts.publish_changed() == ["gw1", "gw2"]


async def test_the_newest_mark_overtakes(line):
    """Of several marks of a lane only the newest is acknowledged."""
    acks = Acks(line.publish)
    for number in range(1, 50):
        acks.put(("gw1", "00c0ffee", "care"), Mark(number))
    acks.put(("gw2", "00c0ffee", "alarm"), Mark(7))
    task = asyncio.create_task(acks.run())
    while len(line.said) < 2:
        await asyncio.sleep(0)
    task.cancel()
    told = {topic: body["upto"] for topic, body, _ in line.said}
    assert told == {"gateways/gw1/down/ack": 49, "gateways/gw2/down/ack": 7}


@pytest.mark.parametrize(
    ("mark", "above", "after"),
    [
        (Mark(0), [1, 2, 3], Mark(3)),
        (Mark(5), [1, 2], Mark(5)),
        (Mark(3), [5, 6], Mark(3, 100)),
        (Mark(3, 50), [5, 6], Mark(3, 50)),
        (Mark(3, 50), [4, 6], Mark(4, 100)),
        (Mark(3, 50), [4, 5, 6], Mark(6)),
        (Mark(0), [], Mark(0)),
    ],
)
def test_how_far_a_lane_is_whole(mark, above, after):
    """The mark goes up to the first hole, and remembers since when that hole is there."""
    assert moved(mark, above, 100) == after
