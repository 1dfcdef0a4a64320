"""What a rule asks of a device is done in the home: once, in time, without the centre, and only what is harmless."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from drivers.device_type import DeviceType, Outgoing
from drivers.events import Event, Frame, Millis
from drivers.links.link import LinkDown
from hub.clock import ManualClock
from hub.gateway import orders
from hub.gateway.commands import Commands
from hub.gateway.hearing import Committed, Hearing
from hub.gateway.journal import Noted
from hub.gateway.judging import Judging
from hub.gateway.local_action import IN_TIME, LocalAction
from hub.gateway.roll import Roll, call_the_roll
from hub.registry.models import GatewayPart
from hub.store.writer import Writer
from rules import Decision, Engine, HomeSpec, load_book

BOOK = load_book(
    """
rules:
  fall:
    alert: "{resident} har falt"
    when: pendant.fall
    do: {pendant.message: "Hjelpen er på vei, {resident}"}
    urgency: critical
"""
)


class Speaker:
    """A pendant that takes messages; `down` makes the link refuse."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.down = ""

    async def send(self, _kind: str, address: str, outgoing: Outgoing) -> None:
        """Take bytes for a device."""
        if self.down:
            raise LinkDown(self.down)
        self.sent.append((address, orjson.loads(outgoing.payload)))


@pytest.fixture
def speaker() -> Speaker:
    """What goes out."""
    return Speaker()


@pytest.fixture
def speaking_roll(part_and_types: tuple[GatewayPart, dict[str, DeviceType]], tmp_path: Path) -> Roll:
    """Astrid's two pendants, which can be spoken to."""
    part, types = part_and_types
    speaks = replace(types["test_pendant"], commands={"message": ("text",)})
    second = part.devices["pendant-1"].model_copy(update={"address": "h1/pendant-2"})
    both = part.model_copy(update={"devices": {**part.devices, "pendant-2": second}})
    return call_the_roll(both, {**types, "test_pendant": speaks}, tmp_path)


@pytest.fixture
async def commands(
    writer: Writer, clock: ManualClock, speaking_roll: Roll, speaker: Speaker
) -> AsyncIterator[Commands]:
    """Commands at work."""
    commands = Commands(writer, clock, lambda: speaking_roll, speaker.send, lambda _lanes: None)
    yield commands
    await commands.close()


@pytest.fixture
def judging_with(
    writer: Writer, clock: ManualClock, speaking_roll: Roll, commands: Commands
) -> Callable[[], Judging]:
    """Judging by a book with hands, as after each start of the gateway."""

    def make() -> Judging:
        return Judging(
            writer, clock, BOOK, Engine, lambda: [HomeSpec("h1", resident={"name": "Astrid"}, late_ms=0)],
            lambda _lanes: None, action=LocalAction(lambda: speaking_roll, commands.carry_out),
        )  # fmt: skip

    return make


@pytest.fixture
async def fallen(
    hearing: Hearing, says: Callable[..., Frame], judging_with: Callable[[], Judging]
) -> Judging:
    """A gateway at work that has just heard a fall."""
    judging = judging_with()
    await judging.start()
    hearing.after = lambda committed: judging.take(committed.events)
    await hearing.hear(says("pendant-1", {"kind": "pendant.fall"}))
    return judging


async def finished(commands: Commands) -> None:
    """Wait until every order under way has its outcome."""
    while commands._under_way:
        await asyncio.gather(*commands._under_way.values())
        await asyncio.sleep(0)


async def answer(hearing: Hearing, commands: Commands, says: Callable[..., Frame], command: str) -> None:
    """The pendant says that it did it."""

    def after(committed: Committed) -> None:
        for each in committed.answered:
            commands.answered(each)

    hearing.after = after
    await hearing.hear(says("pendant-1", result={"command": command, "outcome": "done"}))


async def test_the_device_of_the_decision_is_asked_and_the_outcome_is_told(
    fallen: Judging, commands: Commands, speaker: Speaker, hearing: Hearing, says: Callable[..., Frame],
    stored: SimpleNamespace,
) -> None:  # fmt: skip
    """The pendant that fell speaks, not the other; who asked and how it went stand in the journal that goes up."""
    await fallen.turn()
    while not speaker.sent:
        await asyncio.sleep(0)
    [(address, sent)] = speaker.sent
    assert (address, sent["text"]) == ("h1/pendant-1", "Hjelpen er på vei, Astrid")
    await answer(hearing, commands, says, sent["id"])
    await finished(commands)
    [result] = stored.bodies("result")
    assert {name: result[name] for name in ("device", "outcome", "name", "asked_by", "why")} == {
        "device": "pendant-1", "outcome": "done", "name": "message", "asked_by": "rule fall", "why": "Astrid har falt"
    }  # fmt: skip
    [decision] = stored.bodies("decision")
    assert (decision["do"], decision["do_args"]) == ("pendant.message", {"text": "Hjelpen er på vei, Astrid"})


async def test_judged_again_it_is_not_done_again(
    fallen: Judging, judging_with: Callable[[], Judging], commands: Commands, speaker: Speaker, writer: Writer,
    stored: SimpleNamespace,
) -> None:  # fmt: skip
    """A restart without a snapshot reads the whole journal again: the same decision is the same order."""
    await fallen.turn()
    await commands.close()
    await writer.write(
        lambda db: db.execute("UPDATE engine_state SET judged = 0, covers = 0, snapshot = 'null'")
    )
    again = judging_with()
    await again.start()
    await again.turn()
    await finished(commands)
    assert len(stored.rows("SELECT id FROM received_command")) == 1
    assert len(speaker.sent) <= 1


async def test_a_gateway_that_died_before_it_acted_says_that_it_does_not_know(
    fallen: Judging, commands: Commands, speaker: Speaker, stored: SimpleNamespace
) -> None:
    """Written down before a byte leaves, and never repeated after a restart."""
    assert fallen.action is not None
    fallen.action = replace(fallen.action, carry_out=lambda _order: None)
    await fallen.turn()
    assert stored.rows("SELECT status FROM received_command") == ["under_way"]
    await commands.start()
    [result] = stored.bodies("result")
    assert (result["outcome"], result["asked_by"]) == ("failed", "rule fall")
    assert "not known" in result["reason"]
    assert speaker.sent == []


async def test_a_line_that_is_down_is_an_outcome(
    fallen: Judging, commands: Commands, speaker: Speaker, stored: SimpleNamespace
) -> None:
    """Nobody believes that the pendant spoke."""
    speaker.down = "the device broker cannot be reached"
    await fallen.turn()
    await finished(commands)
    [result] = stored.bodies("result")
    assert (result["outcome"], "device broker" in result["reason"]) == ("failed", True)


async def test_what_is_decided_too_late_is_told_and_not_done(
    judging_with: Callable[[], Judging], commands: Commands, speaker: Speaker, stored: SimpleNamespace,
    clock: ManualClock,
) -> None:  # fmt: skip
    """A fall judged after a long outage raises its alert; a comforting word an hour later would be none."""
    judging, then = judging_with(), clock.now()
    await judging.start()
    await clock.advance((IN_TIME + 60_000) / 1000)
    judging.take([Noted(1, Event("e1", then, then, "h1", "pendant-1", "pendant.fall"), new=True)])
    await judging.turn()
    await finished(commands)
    assert speaker.sent == []
    assert stored.rows("SELECT status FROM received_command") == ["expired"]
    assert [one["action"] for one in stored.bodies("decision")] == ["raise"]


def decided(at: Millis, **other: Any) -> Decision:
    """A raise that asks for something."""
    return Decision(**{"action": "raise", "rule": "r", "key": "h1", "home": "h1", "at": at, **other})


@pytest.mark.parametrize(
    ("other", "devices"),
    [
        ({"do": "pendant.message", "device": "pendant-2"}, ["pendant-2"]),
        ({"do": "pendant.message", "device": "room-1"}, ["pendant-1", "pendant-2"]),
        ({"do": "pendant.message", "device": "old-pendant"}, ["pendant-1", "pendant-2"]),
        ({"do": "room.state"}, ["room-1"]),  # takes no such command, and its outcome says so
        ({"do": "bed.state"}, ["bed"]),  # there is none, and its outcome says so
        ({"do": "lock.lock", "device": "lock-1"}, []),
        ({"do": "lock.unlock", "device": "lock-1"}, []),
        ({"do": "dispenser.dispense"}, []),
        ({"do": "pendant.message", "action": "repeat"}, []),
        ({"do": "pendant.message", "action": "clear"}, []),
        ({"do": "no.such"}, []),
        ({"do": ""}, []),
    ],
)
def test_who_is_asked(
    speaking_roll: Roll, clock: ManualClock, other: dict[str, Any], devices: list[str]
) -> None:
    """The decision's own device, else all of the class; never for what is left to people, whatever a decision says."""
    action = LocalAction(lambda: speaking_roll, lambda _order: None)
    found = action.orders(decided(clock.now(), **other), clock.now())
    assert [order.device for order in found] == devices
    assert [order.id for order in found] == [
        order.id for order in action.orders(decided(clock.now(), **other), clock.now() + 1)
    ]


async def test_nothing_that_takes_it_is_an_outcome_in_words(
    writer: Writer, commands: Commands, speaking_roll: Roll, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """A book that asks beds where none is: somebody reads why nothing happened."""
    action = LocalAction(lambda: speaking_roll, commands.carry_out)
    for order in action.orders(decided(clock.now(), do="bed.state"), clock.now()):
        assert await writer.write(partial(orders.begin, order=order, now=clock.now()))
        commands.carry_out(order)
    await finished(commands)
    [result] = stored.bodies("result")
    assert (result["outcome"], "no device 'bed' in the home 'h1'" in result["reason"]) == ("refused", True)
