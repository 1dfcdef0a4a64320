"""Orders: carried out once and in time, or not at all, and always answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from drivers.device_type import Outgoing
from drivers.events import Frame
from drivers.links.link import LinkDown
from hub.clock import ManualClock
from hub.gateway import orders
from hub.gateway.commands import Commands
from hub.gateway.hearing import Committed, Hearing
from hub.gateway.journal import Noted
from hub.gateway.roll import Roll
from hub.store.writer import Writer
from hub.uplink.messages import Order


class FakeLock:
    """What goes out to the lock; `down` makes the link refuse."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.down = ""

    async def send(self, kind: str, address: str, outgoing: Outgoing) -> None:
        """Take bytes for a device."""
        assert (kind, address) == ("mqtt", "h1/lock-1")
        if self.down:
            raise LinkDown(self.down)
        self.sent.append(orjson.loads(outgoing.payload))
        self.arrived.set()


@pytest.fixture
def lock() -> FakeLock:
    """Astrid's front door."""
    return FakeLock()


@pytest.fixture
async def commands(
    writer: Writer, clock: ManualClock, roll: Roll, lock: FakeLock, hearing: Hearing
) -> AsyncIterator[Commands]:
    """Commands at work, told of answers by the hearing."""
    commands = Commands(writer, clock, lambda: roll, lock.send, lambda _lanes: None)

    def after(committed: Committed) -> None:
        for command in committed.answered:
            commands.answered(command)

    hearing.after = after
    yield commands
    await commands.close()


@pytest.fixture
def order(clock: ManualClock) -> Callable[..., Order]:
    """An order to lock Astrid's door; every field can be another."""

    def make(**other: Any) -> Order:
        given = {"id": "order-0001", "home": "h1", "device": "lock-1", "name": "lock", "asked_by": "eva",
                 "expires": clock.now() + 60_000}  # fmt: skip
        return Order.model_validate(given | other)

    return make


async def finished(commands: Commands) -> None:
    """Wait until every order has its outcome."""
    while commands._under_way:
        await asyncio.gather(*commands._under_way.values())
        await asyncio.sleep(0)


async def test_an_order_is_carried_out_and_answered(
    commands: Commands,
    lock: FakeLock,
    order: Callable[..., Order],
    hearing: Hearing,
    says: Callable[..., Frame],
    stored: SimpleNamespace,
) -> None:
    """The lock gets the command; its answer ends the order and goes up."""
    await commands.take(order(args={"by": "eva"}))
    await lock.arrived.wait()
    assert stored.rows("SELECT status FROM received_command") == ["under_way"]
    await hearing.hear(says("lock-1", result={"command": "order-0001", "outcome": "done"}))
    await finished(commands)
    assert lock.sent == [{"id": "order-0001", "name": "lock", "by": "eva"}]
    [result] = stored.bodies("result")
    assert (result["command"], result["outcome"]) == ("order-0001", "done")
    assert (result["home"], result["device"]) == ("h1", "lock-1")
    assert stored.rows("SELECT status, asked_by FROM received_command") == [("done", "eva")]


async def test_a_second_delivery_does_nothing(
    commands: Commands, lock: FakeLock, order: Callable[..., Order], stored: SimpleNamespace
) -> None:
    """The same order delivered three times is carried out once."""
    for _ in range(3):
        await commands.take(order())
    await finished(commands)
    assert len(lock.sent) == 1
    assert len(stored.bodies("result")) == 1


async def test_an_order_that_came_too_late_is_not_carried_out(
    commands: Commands,
    lock: FakeLock,
    order: Callable[..., Order],
    stored: SimpleNamespace,
    clock: ManualClock,
) -> None:
    """An unlock that waited on the way until after its time opens no door."""
    late = order()
    await clock.advance(60)
    await commands.take(late)
    await finished(commands)
    assert lock.sent == []
    [result] = stored.bodies("result")
    assert result["outcome"] == "refused"
    assert "before 2026-01-15T07:01:00.000Z" in result["reason"]
    assert stored.rows("SELECT status FROM received_command") == ["expired"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"device": "lock-9"}, "no device 'lock-9'"),
        ({"home": "h2"}, "in the home 'h2'"),
        ({"name": "sing"}, "takes no command 'sing'; it takes lock, explode, unlock"),
        ({"args": {"loudly": True}}, "has no argument 'loudly'"),
        ({"name": "explode"}, "does not explode"),
        ({"device": "old-pendant"}, "not assigned"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(
    commands: Commands,
    lock: FakeLock,
    order: Callable[..., Order],
    stored: SimpleNamespace,
    other: dict[str, Any],
    why: str,
) -> None:
    """Nothing is sent, and the answer says in a sentence why."""
    await commands.take(order(**other))
    await finished(commands)
    assert lock.sent == []
    [result] = stored.bodies("result")
    assert result["outcome"] == "refused"
    assert why in result["reason"]


async def test_a_link_that_is_down_is_said(
    commands: Commands, lock: FakeLock, order: Callable[..., Order], stored: SimpleNamespace
) -> None:
    """An order that cannot reach the device fails with the link's own sentence."""
    lock.down = "the broker is not there"
    await commands.take(order())
    await finished(commands)
    assert stored.bodies("result")[0]["reason"] == "the device could not be reached: the broker is not there"


async def test_without_an_answer_the_end_is_not_known(
    commands: Commands, order: Callable[..., Order], stored: SimpleNamespace
) -> None:
    """A device that does not answer in its time leaves the outcome open, and that is what is said."""
    await commands.take(order())
    await finished(commands)
    [result] = stored.bodies("result")
    assert result["outcome"] == "failed"
    assert "not known" in result["reason"]


async def test_an_answer_that_comes_late_corrects_what_was_said(
    commands: Commands,
    order: Callable[..., Order],
    hearing: Hearing,
    says: Callable[..., Frame],
    stored: SimpleNamespace,
) -> None:
    """A lock that reports the bolt moved after we gave up is believed."""
    await commands.take(order())
    await finished(commands)
    for _ in range(2):
        await hearing.hear(says("lock-1", result={"command": "order-0001", "outcome": "done"}))
    assert [result["outcome"] for result in stored.bodies("result")] == ["failed", "done"]
    assert stored.rows("SELECT status FROM received_command") == ["done"]


async def test_an_answer_nobody_asked_for_changes_nothing(
    commands: Commands, hearing: Hearing, says: Callable[..., Frame], stored: SimpleNamespace
) -> None:
    """A result for an unknown command is received, and no outcome is invented."""
    receipt = await hearing.hear(says("lock-1", result={"command": "order-7777", "outcome": "done"}))
    assert receipt.accepted
    assert stored.bodies("result") == []


async def test_a_restart_ends_what_was_under_way(
    commands: Commands,
    writer: Writer,
    order: Callable[..., Order],
    stored: SimpleNamespace,
    lock: FakeLock,
    clock: ManualClock,
) -> None:
    """An order cut off by a restart ends as failed with the honest reason, and is not sent again."""
    given = order()
    await writer.write(lambda db: orders.begin(db, given, clock.now()))
    await commands.start()
    await commands.take(given)
    assert lock.sent == []
    [result] = stored.bodies("result")
    assert result["reason"] == orders.UNKNOWN_OUTCOME


async def test_an_unlocking_nobody_answered_leaves_the_bolt_unknown(
    commands: Commands, order: Callable[..., Order], stored: SimpleNamespace
) -> None:
    """The rules are told in the commit of the outcome, once; a locking that was not answered says nothing new."""
    told: list[Noted] = []
    commands.noted = told.append
    await commands.take(order(id="order-0002"))
    await finished(commands)
    assert told == []
    await commands.take(order(name="unlock"))
    await finished(commands)
    assert [(one.event.kind, one.event.device, one.new) for one in told] == [("lock.unknown", "lock-1", True)]
    assert [event["kind"] for event in stored.bodies("event")] == ["lock.unknown"]


async def test_a_lock_that_spoke_is_believed_though_its_answer_is_missing(
    commands: Commands,
    order: Callable[..., Order],
    lock: FakeLock,
    hearing: Hearing,
    says: Callable[..., Frame],
    stored: SimpleNamespace,
) -> None:
    """It said that it is unlocked; that nobody said "done" makes nothing unknown."""
    await commands.take(order(name="unlock"))
    await lock.arrived.wait()
    await hearing.hear(says("lock-1", {"kind": "lock.unlocked"}))
    await finished(commands)
    assert stored.bodies("result")[0]["outcome"] == "failed"
    assert [event["kind"] for event in stored.bodies("event")] == ["lock.unlocked"]


async def test_a_restart_in_the_middle_of_an_unlocking_leaves_the_bolt_unknown(
    commands: Commands,
    writer: Writer,
    order: Callable[..., Order],
    stored: SimpleNamespace,
    clock: ManualClock,
) -> None:
    """Nobody waited for the answer any more, so nobody knows."""
    given = order(name="unlock")
    await writer.write(lambda db: orders.begin(db, given, clock.now()))
    for _ in range(2):
        await commands.start()
    assert [event["kind"] for event in stored.bodies("event")] == ["lock.unknown"]
