"""A centre that lost what it had, and gateways that number anew: nothing stays unheard, and nothing counts twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from sqlmodel import col, select

from drivers.events import iso
from drivers.links.mqtt_client import Message
from hub.centre.intake.greeting import AGAIN, Greeted
from hub.centre.intake.intake import Intake
from hub.centre.intake.storing import LaneKey
from hub.centre.intake.watermark import Mark
from hub.store.centre_tables import Alert, Entry, Lane
from hub.uplink.messages import LANES

OLD, NEW = "00c0ffee00", "11c0ffee11"


class Door:
    """The intake at work, and what it answered."""

    def __init__(self, store: Any, clock: Any) -> None:
        self.marks: dict[LaneKey, Mark] = {}
        self.intake = Intake(store, clock, acked=self.marks.__setitem__)
        self.clock = clock

    async def send(self, epoch: str, lane: str, first: int, *entries: dict[str, Any]) -> dict[str, int]:
        """Send a batch of gw1; gives what is answered, by lane."""
        self.marks.clear()
        numbered = [{"number": first + n, **entry} for n, entry in enumerate(entries)]
        payload = orjson.dumps({"epoch": epoch, "entries": numbered})
        await self.intake.take(Message(f"gateways/gw1/up/{lane}", payload, retain=False, size=len(payload)))
        return {lane: mark.upto for (_, said, lane), mark in self.marks.items() if said == epoch}

    def opened(self, id_: str, **more: Any) -> dict[str, Any]:
        """Astrid's door opened."""
        at = iso(self.clock.now())
        body = {
            "id": id_,
            "at": at,
            "heard": at,
            "home": "h1",
            "device": "lock-1",
            "kind": "door.opened",
            "data": {},
        }
        return {"type": "event", "body": body | more}

    def raised(self) -> dict[str, Any]:
        """Her pendant's alert."""
        body = {"action": "raise", "rule": "pendant", "key": "h1", "home": "h1", "device": "pendant-1",
                "at": iso(self.clock.now()), "because": ["e1"], "says": {"nb": "Trykk", "en": "Press"},
                "staff_action": {"nb": "Ring", "en": "Call"}, "urgency": "critical", "queue": "care",
                "chain": "critical", "life_safety": True}  # fmt: skip
        return {"type": "decision", "body": body}


@pytest.fixture
async def door(store: Any, clock: Any) -> AsyncIterator[Door]:
    """An intake for one gateway."""
    made = Door(store, clock)
    task = asyncio.create_task(made.intake.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def lines(store: Any) -> list[str | None]:
    """The journal's events, in order."""
    async with store.reading() as session:
        return list((await session.exec(select(Entry.event_id).order_by(col(Entry.seq)))).all())


async def test_the_first_answer_names_every_lane(door: Door, store: Any) -> None:
    """A gateway's first word is answered with how far each of its lanes is here; the second with its own lane."""
    async with store.writing() as session:
        session.add(Lane(gateway="gw1", epoch=OLD, lane="alarm", upto=7))
    assert await door.send(OLD, "telemetry", 1, door.opened("e1")) == {
        "alarm": 7, "care": 0, "technical": 0, "telemetry": 1
    }  # fmt: skip
    assert await door.send(OLD, "telemetry", 2, door.opened("e2")) == {"telemetry": 2}
    assert set(await door.send(NEW, "care", 1, door.opened("e3"))) == set(LANES)
    door.intake.connected()
    assert set(await door.send(NEW, "care", 2, door.opened("e4"))) == set(LANES)


async def test_the_full_answer_is_given_again_now_and_then(store: Any) -> None:
    """One that was lost on the way is not the last."""
    now = [0.0]
    greeted = Greeted(lambda: now[0])
    key = ("gw1", OLD, "care")
    async with store.reading() as session:
        assert len(await greeted.marks(session, [key])) == 4
        greeted.done([key])
        assert await greeted.marks(session, [key]) == {}
        now[0] = AGAIN
        assert len(await greeted.marks(session, [key])) == 4


async def test_what_comes_under_new_numbers_stands_once(door: Door, store: Any) -> None:
    """A gateway that began a new epoch says again what is here: no second line, no second alert, the lane goes on."""
    pressed, raised, opened = door.opened("e1", kind="pendant.pressed"), door.raised(), door.opened("e2")
    await door.send(OLD, "alarm", 1, pressed, raised)
    await door.send(OLD, "care", 1, opened)
    assert (await door.send(NEW, "alarm", 1, pressed, raised))["alarm"] == 2
    assert (await door.send(NEW, "care", 1, opened, door.opened("e3")))["care"] == 2
    assert (await door.send(NEW, "care", 1, opened, door.opened("e3")))["care"] == 2
    assert [one for one in await lines(store) if one] == ["e1", "e2", "e3"]
    async with store.reading() as session:
        (alert,) = (await session.exec(select(Alert))).all()
        assert alert.count == 1


async def test_the_same_id_with_other_words_is_another_event(door: Door, store: Any) -> None:
    """Another time or fact under one id is another event; a device's repetition, heard later, is not."""
    await door.send(OLD, "care", 1, door.opened("e1"))
    later = iso(door.clock.now() + 5)
    await door.send(
        NEW, "care", 1,
        door.opened("e1", heard=later), door.opened("e1", at=later, heard=later), door.opened("e1", kind="door.closed"),
    )  # fmt: skip
    assert await lines(store) == ["e1", "e1", "e1"]


async def test_a_hole_in_the_new_numbers_closes_over_known_entries(door: Door, store: Any) -> None:
    """Entries above a hole that are known by their words are asked for again, and count then."""
    one, two = door.opened("e1"), door.opened("e2")
    await door.send(OLD, "care", 1, one, two)
    assert (await door.send(NEW, "care", 2, two))["care"] == 0
    assert (await door.send(NEW, "care", 1, one, two))["care"] == 2
    assert await lines(store) == ["e1", "e2"]
