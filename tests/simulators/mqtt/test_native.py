"""A native device repeats an event until the hub has acknowledged it, and obeys a command once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import pytest

from drivers.protocols.native_schema_files import schemas
from simulators.mqtt import native as native_module
from simulators.mqtt.lock import Lock, expiry
from simulators.mqtt.native import MEMORY, Native
from simulators.scenario.model import Beat
from simulators.world import World

NOON = 1_768_478_400_000  # 2026-01-15T12:00:00Z


@dataclass
class Air:
    """Takes what a device publishes; `up` says whether the broker is there."""

    up: bool = True
    sent: asyncio.Queue[tuple[str, dict[str, Any]]] = field(default_factory=asyncio.Queue)
    failed: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, topic: str, payload: bytes) -> bool:
        """Take it, or not."""
        if not self.up:
            self.failed.set()
            return False
        self.sent.put_nowait((topic.rpartition("/")[2], json.loads(payload)))
        return True


@pytest.fixture
def air() -> Air:
    """A broker that takes everything."""
    return Air()


@pytest.fixture
def device(air: Air) -> Native:
    """Astrid's door sensor."""
    return Native("h1", "h1-door", air.publish, "b1")


@pytest.fixture
def lock(air: Air) -> Lock:
    """Astrid's lock, in a world fast enough not to be waited for."""
    one = Lock(World(NOON, 0, 100_000), frozenset)
    one.world = Standing(NOON)  # type: ignore[assignment]
    one.native = Native("h1", "h1-lock", air.publish, "b1", answering=one)
    return one


@dataclass
class Standing:
    """A world in which time stands still and waiting takes none."""

    at: int
    waited: list[float] = field(default_factory=list)

    def now(self) -> int:
        """Always the same."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Note it and go on."""
        self.waited.append(seconds)


def command(name: str = "unlock", **changes: Any) -> bytes:
    """A command as the hub writes it."""
    whole = {"id": "c1", "command": name, "args": {}, "expires": "2026-01-15T12:00:30.000Z"}
    return json.dumps(whole | changes).encode()


async def results(air: Air, number: int = 1) -> list[dict[str, Any]]:
    """The next results a device publishes, its events left out."""
    found = []
    while len(found) < number:
        part, payload = await air.sent.get()
        if part == "result":
            found.append(payload)
    return found


async def test_an_event_is_repeated_until_it_is_acknowledged(
    device: Native, air: Air, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same id again and again, then silence once the hub has said that it is safe."""
    monkeypatch.setattr(native_module, "REPEAT_AFTER", 0.001)
    task = asyncio.create_task(device.run())
    own_id = device.report(NOON, "door.opened", {})
    assert [(await air.sent.get())[1]["id"] for _ in range(3)] == [own_id] * 3
    device.heard("ack", json.dumps({"id": own_id}).encode())
    assert device.waiting == {}
    assert device.acknowledged == 1
    task.cancel()


async def test_what_it_says_fits_the_published_schema(device: Native, air: Air) -> None:
    """Events carry id, time, kind and data as the contract wants them."""
    task = asyncio.create_task(device.run())
    device.say(Beat(NOON, "h1-door", "door.battery", "h1", {"value": 80}))
    _, event = await air.sent.get()
    jsonschema.validate(event, schemas()["event.json"])
    task.cancel()


async def test_an_acknowledgement_of_something_else_changes_nothing(device: Native) -> None:
    """Only the event's own id counts, and noise is ignored."""
    own_id = device.report(NOON, "door.opened", {})
    for payload in (b'{"id": "b1-99"}', b"{", b"[]", b'{"id": 5}', b"\xff"):
        device.heard("ack", payload)
    assert list(device.waiting) == [own_id]


async def test_nothing_is_lost_while_the_broker_is_away(device: Native, air: Air) -> None:
    """Three events reported offline come in order once the connection is back."""
    air.up = False
    task = asyncio.create_task(device.run())
    for _ in range(3):
        device.report(NOON, "door.opened", {})
    await air.failed.wait()
    air.up = True
    device.wake()
    assert [(await air.sent.get())[1]["id"] for _ in range(3)] == ["b1-1", "b1-2", "b1-3"]
    task.cancel()


async def test_its_memory_is_bounded(device: Native) -> None:
    """A device cut off for months forgets the oldest and counts what it forgot."""
    for _ in range(MEMORY + 5):
        device.report(NOON, "door.heartbeat", {})
    assert len(device.waiting) == MEMORY
    assert device.forgotten == 5
    assert next(iter(device.waiting)) == "b1-6"


async def test_ids_of_another_run_differ(air: Air) -> None:
    """A restarted device never reuses an id."""
    first, second = (
        Native("h1", "d", air.publish, boot).report(NOON, "door.opened", {}) for boot in ("b1", "b2")
    )
    assert first != second


async def test_a_muted_device_neither_sends_nor_hears(device: Native, air: Air) -> None:
    """Out of power it is deaf too; what it had to say comes when it is back."""
    device.muted = True
    task = asyncio.create_task(device.run())
    own_id = device.report(NOON, "door.opened", {})
    device.heard("ack", json.dumps({"id": own_id}).encode())
    assert own_id in device.waiting
    assert air.sent.empty()
    device.muted = False
    device.wake()
    assert (await air.sent.get())[1]["id"] == own_id
    task.cancel()


async def test_a_device_without_commands_refuses(device: Native, air: Air) -> None:
    """A door sensor asked to unlock says no, in a sentence."""
    device.heard("command", command())
    (answer,) = await results(air)
    assert answer == {"id": "c1", "outcome": "refused", "reason": "this device takes no commands"}


async def test_a_lock_says_done_only_after_the_bolt_has_moved(lock: Lock, air: Air) -> None:
    """The motor runs first, then the fact and the result."""
    assert lock.native is not None
    lock.native.heard("command", command())
    (answer,) = await results(air)
    jsonschema.validate(answer, schemas()["result.json"])
    assert answer["outcome"] == "done"
    assert lock.world.waited == [3.0]  # type: ignore[attr-defined]
    assert [json.loads(one.payload)["kind"] for one in lock.native.waiting.values()] == ["lock.unlocked"]


async def test_a_command_delivered_twice_moves_the_bolt_once(lock: Lock, air: Air) -> None:
    """The second delivery is answered with the first answer."""
    assert lock.native is not None
    lock.native.heard("command", command())
    first = await results(air)
    lock.native.heard("command", command())
    assert await results(air) == first
    assert len(lock.native.waiting) == 1


async def test_a_jammed_lock_fails_and_says_so(lock: Lock, air: Air) -> None:
    """While the scenario jams it, no command moves the bolt."""
    assert lock.native is not None
    lock.trouble = lambda: frozenset({"jammed"})
    lock.native.heard("command", command())
    (answer,) = await results(air)
    assert answer["outcome"] == "failed"
    assert lock.bolt == "jammed"


async def test_a_slow_lock_answers_late(lock: Lock, air: Air) -> None:
    """Slow answers take twenty-five seconds more of the world's time."""
    assert lock.native is not None
    lock.trouble = lambda: frozenset({"slow"})
    lock.native.heard("command", command())
    await results(air)
    assert lock.world.waited == [28.0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expires": "2026-01-15T11:59:59.000Z"}, "the command had expired"),
        ({"expires": "soon"}, "a command needs 'expires', a time with its offset"),
        ({"expires": "2026-01-15T12:30:00"}, "a command needs 'expires', a time with its offset"),
        ({"command": "explode"}, "a lock knows lock, unlock and state, not 'explode'"),
    ],
)
async def test_what_a_lock_refuses(lock: Lock, air: Air, changes: dict[str, Any], reason: str) -> None:
    """An expired or unreadable command never moves the bolt."""
    assert lock.native is not None
    lock.native.heard("command", command(**changes))
    (answer,) = await results(air)
    assert (answer["outcome"], answer["reason"]) == ("refused", reason)
    assert lock.bolt == "locked"


@pytest.mark.parametrize(
    ("written", "at"),
    [("2026-01-15T13:00:00+01:00", NOON), (NOON, NOON), (True, None), (None, None), ("x", None)],
)
def test_how_a_lock_reads_a_time(written: object, at: int | None) -> None:
    """ISO 8601 with offset or milliseconds; nothing else is a time."""
    assert expiry(written) == at
