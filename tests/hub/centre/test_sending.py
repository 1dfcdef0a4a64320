"""What the centre says on the broker, and what becomes of it when the broker is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import orjson
import pytest
from sqlmodel import select

from drivers.links.mqtt_client import NotConnected
from hub.centre import commands
from hub.centre.intake import states
from hub.centre.intake.watermark import Mark, moved
from hub.centre.sending import Acks, Parts
from hub.store.centre_tables import (
    Alert,
    Audit,
    CommandRow,
    Device,
    DeviceState,
    Entry,
    Gateway,
    Home,
    StoreFact,
)


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


async def rows(store, table):
    """All rows of a table, in order."""
    async with store.reading() as session:
        return list((await session.exec(select(table).order_by(table.seq))).all())


async def unlock(store, clock, people):
    """Nils asks Astrid's door to open, whose lock has just said where it stands."""
    async with store.writing() as session:
        (await session.get(Gateway, "gw1")).last_heard = clock.now()
        known = await session.get(DeviceState, ("lock-1", "lock.bolt"))
        if known is None:
            session.add(DeviceState(**bolt("locked", clock.now())))
        else:
            known.heard = clock.now()
    wish = commands.Wish("h1", "lock-1", "unlock", {}, reason="nobody answers")
    return await commands.ask(store, clock, wish, people.nils, "test")


async def settled(store, clock, id_: str, outcome: str) -> None:
    """The gateway tells what became of a command."""
    async with store.writing() as session:
        body = {"command": id_, "outcome": outcome, "reason": "no answer within 10 s", "at": clock.now()}
        await commands.settle(session, "gw1", body, clock.now())


def bolt(value: str, at: int) -> dict[str, object]:
    """What the lock said of its bolt."""
    return {"device": "lock-1", "state": "lock.bolt", "home": "h1", "value": value, "at": at, "heard": at}


async def believed(store) -> str:
    """What the bolt is shown as."""
    async with store.reading() as session:
        return (await session.get(DeviceState, ("lock-1", "lock.bolt"))).value


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


@pytest.mark.parametrize("how", ["failed", "expired"])
async def test_a_bolt_is_unknown_after_an_unanswered_command(store, clock, people, line, how):
    """After an unlock that nobody answered the lock is not "locked", until the lock itself says where its bolt is."""
    async with store.writing() as session:
        await states.store(session, [bolt("locked", clock.now() - 60_000)])
    asked = await unlock(store, clock, people)
    await commands.send_waiting(store, clock, line.publish)
    assert await believed(store) == "locked"
    if how == "expired":
        clock.at += 31_000
        await commands.send_waiting(store, clock, line.publish)
        journaled = (await rows(store, Entry))[0]
        assert (journaled.type, journaled.home, journaled.device) == ("result", "h1", "lock-1")
        assert journaled.body["outcome"] == "expired"
    else:
        await settled(store, clock, asked.id, "failed")
    assert await believed(store) == "unknown"
    assert "device.unknown" in {row.action for row in await rows(store, Audit)}
    async with store.writing() as session:
        await states.store(
            session, [bolt("locked", asked.asked - 1)]
        )  # heard late, but older than the asking
    assert await believed(store) == "unknown"
    async with store.writing() as session:
        await states.store(session, [bolt("locked", clock.now() + 1)])
    assert await believed(store) == "locked"


@pytest.mark.parametrize("outcome", ["done", "refused"])
async def test_an_answered_command_leaves_the_bolt_to_the_lock(store, clock, people, outcome):
    """A lock that answers tells its bolt itself: an answer makes nothing unknown."""
    async with store.writing() as session:
        await states.store(session, [bolt("locked", clock.now() - 60_000)])
    asked = await unlock(store, clock, people)
    await settled(store, clock, asked.id, outcome)
    assert await believed(store) == "locked"


async def test_a_lock_that_spoke_since_it_was_asked_is_believed(store, clock, people):
    """A bolt told after the asking is known, though the command's own answer was lost."""
    asked = await unlock(store, clock, people)
    async with store.writing() as session:
        await states.store(session, [bolt("unlocked", clock.now() + 5_000)])
    await settled(store, clock, asked.id, "failed")
    assert await believed(store) == "unlocked"


async def test_journal_lines_of_the_centre_are_numbered(store, clock, people, line):
    """Several commands that run out stand in the journal one after the other."""
    for _ in range(3):
        await commands.ask(store, clock, commands.Wish("h1", "lock-1", "lock", {}), people.nils, "test")
        clock.at += 31_000
        await commands.send_waiting(store, clock, line.publish)
    assert [entry.number for entry in await rows(store, Entry)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "args", "nb", "en"),
    [
        ("explode", {}, "lock-1 kan ikke bes om «explode». Den kan bes om: lock, unlock, state.", "It takes: lock"),
        ("unlock", {"a": 1}, "«unlock» tar ikke imot «a». Den tar ingen opplysninger.", "It takes no arguments."),
    ],
)  # fmt: skip
async def test_what_a_device_does_not_take(store, clock, people, name, args, nb, en):
    """A command that the device's type does not take is refused at once, and stands in nobody's way."""
    wish = commands.Wish("h1", "lock-1", name, args, reason="nobody answers")
    with pytest.raises(commands.Unacceptable) as refused:
        await commands.ask(store, clock, wish, people.nils, "test")
    assert refused.value.says["nb"] == nb
    assert en in refused.value.says["en"]
    assert (await unlock(store, clock, people)).status == "queued"


async def test_a_device_that_takes_nothing(store, clock, people):
    """A pendant that only ever calls says so when it is asked for something."""
    wish = commands.Wish("h1", "pendant-1", "ring", {})
    with pytest.raises(commands.Unacceptable) as refused:
        await commands.ask(store, clock, wish, people.nils, "test")
    assert refused.value.says["en"] == "pendant-1 does not take 'ring'. It takes no commands."


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


async def test_a_part_that_no_message_carries_is_an_alert_and_the_others_are_sent(
    store, clock, line, monkeypatch
):
    """The broker would cut the line for it, again and again, and with it everybody's acknowledgements."""
    monkeypatch.setattr("hub.registry.part.LARGEST_PART", 2000)
    async with store.writing() as session:
        (await session.get(Device, "lock-1")).settings = {"places": "x" * 3000}
    parts = Parts(store, clock, line.publish)
    assert await parts.publish_changed() == ["gw2"]
    async with store.reading() as session:
        [alert] = (await session.exec(select(Alert))).all()
    assert alert.rule == "hub:registry too large for a gateway"
    assert alert.queue == "technical"
    assert "gw1" in alert.says["nb"]
    assert "with 1 home and" in alert.says["en"]
    monkeypatch.undo()
    parts.forget()
    assert await parts.publish_changed() == ["gw1", "gw2"]
    async with store.reading() as session:
        assert [one.condition for one in (await session.exec(select(Alert))).all()] == ["cleared"]


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
