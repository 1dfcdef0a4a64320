"""A gateway's parts for tests: a database of its own, a clock that stands still, a home with a few devices."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from drivers.device_type import Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame
from hub.clock import ManualClock
from hub.gateway import journal, outbox
from hub.gateway.hearing import Committed, Hearing, nothing_to_write
from hub.gateway.ids import Ids
from hub.gateway.roll import Roll, call_the_roll
from hub.registry.models import GatewayPart
from hub.store.engine import open_store, sqlite_url
from hub.store.writer import Writer

SINCE = "2026-01-01T00:00:00Z"


def decode_words(frame: Frame, unit: Unit) -> Iterable[Fact | Result]:
    """A made-up wire for tests: JSON with facts or a result; `count` is remembered and must grow."""
    try:
        said = orjson.loads(frame.payload)
    except orjson.JSONDecodeError:
        raise DecodeError(f"expected JSON, not {frame.payload[:20]!r}") from None
    if said.get("break"):
        raise ZeroDivisionError(said["break"])
    if "count" in said:
        if said["count"] <= unit.memory.get("count", -1):
            raise DecodeError(f"the counter {said['count']} was heard before")
        unit.memory["count"] = said["count"]
    if "result" in said:
        return [Result(**said["result"])]
    return [Fact(**fact) for fact in said.get("facts", [])]


def encode_words(command: Command, unit: Unit) -> Outgoing:
    """Commands as JSON; `explode` is refused."""
    if command.name == "explode":
        raise ValueError("the lock does not explode")
    return Outgoing(
        "command", orjson.dumps({"id": command.id, "name": command.name, **command.args}), wait=30
    )


def made_up(id_: str, device_class: str, emits: set[str], **more: Any) -> DeviceType:
    """A device type on the made-up wire."""
    return DeviceType(
        id=id_,
        vendor="Test",
        product=id_,
        name={"nb": id_, "en": id_},
        link=more.pop("link", "mqtt"),
        device_class=device_class,
        emits=frozenset(emits),
        decode=decode_words,
        encode=encode_words,
        signature="JSON of the tests",
        silent_after=more.pop("silent_after", 7200),
        **more,
    )


TYPES = {
    "test_pendant": made_up(
        "test_pendant", "pendant", {"pendant.pressed", "pendant.fall", "pendant.battery"}
    ),
    "test_lock": made_up(
        "test_lock",
        "lock",
        {"lock.locked", "lock.unlocked", "lock.jammed"},
        commands={"lock": ("by",), "explode": (), "unlock": ()},
        own_clock=True,
    ),
    "test_room": made_up("test_room", "room", {"room.temperature", "room.motion"}),
}


def device(home: str, device_class: str, type_: str, address: str, **more: Any) -> dict[str, Any]:
    """A device's entry in the registry."""
    return {
        "home": home,
        "class": device_class,
        "type": type_,
        "link": "mqtt",
        "address": address,
        "since": SINCE,
    } | more


PART = {
    "gateway": "gw1",
    "homes": {"h1": {"address": "Storgata 1", "zone": "north", "gateway": "gw1"}},
    "residents": {"astrid": {"home": "h1", "name": "Astrid"}},
    "devices": {
        "pendant-1": device("h1", "pendant", "test_pendant", "h1/pendant-1"),
        "lock-1": device("h1", "lock", "test_lock", "h1/lock-1"),
        "room-1": device("h1", "room", "test_room", "h1/room-1"),
        "old-pendant": device("h1", "pendant", "test_pendant", "h1/old", until="2026-01-02T00:00:00Z"),
    },
}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty gateway database, migrated once."""
    path = tmp_path_factory.mktemp("template") / "gateway.db"

    async def make() -> None:
        await (await open_store(sqlite_url(path), "gateway")).close()

    asyncio.run(make())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    return path.read_bytes()


@pytest.fixture
def database(template: bytes, tmp_path: Path) -> Path:
    """A gateway's database of its own."""
    path = tmp_path / "gateway.db"
    path.write_bytes(template)
    return path


@pytest.fixture
async def writer(database: Path) -> AsyncIterator[Writer]:
    """A writer at work on it."""
    writer = Writer(database, busy_seconds=0.2)
    await writer.start()
    await writer.write(journal.ensure_marks)
    await writer.write(outbox.epoch)
    yield writer
    await writer.close()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at eight in the morning of 15 January 2026 in Oslo."""
    return ManualClock()


@pytest.fixture(scope="session")
def part_and_types() -> tuple[GatewayPart, dict[str, DeviceType]]:
    """Astrid's gateway's part of the registry, and the device types in it."""
    return GatewayPart.model_validate(PART), TYPES


@pytest.fixture
def roll(tmp_path: Path) -> Roll:
    """Astrid's devices."""
    return call_the_roll(GatewayPart.model_validate(PART), TYPES, tmp_path)


@pytest.fixture
def heard() -> list[Committed]:
    """What the hearing has committed, in order."""
    return []


@pytest.fixture
def hearing(writer: Writer, roll: Roll, heard: list[Committed]) -> Hearing:
    """The hearing of Astrid's gateway; alerts about what drivers break on or refuse are none here."""
    return Hearing(writer, lambda: roll, heard.append, nothing_to_write, ids=Ids(run="aaaaaa"))


@pytest.fixture
def says(clock: ManualClock) -> Callable[..., Frame]:
    """A frame of one of Astrid's devices on the made-up wire: `says("pendant-1", facts=[…])`."""

    def frame(name: str, *facts: dict[str, Any], **said: Any) -> Frame:
        payload = orjson.dumps({"facts": list(facts)} | said)
        return Frame("mqtt", f"h1/{name}", payload, clock.now(), channel="event")

    return frame


@pytest.fixture
def stored(database: Path) -> SimpleNamespace:
    """What another process reads in the gateway's database."""

    def rows(sql: str, *args: Any) -> list[Any]:
        with closing(sqlite3.connect(database)) as connection:
            found = connection.execute(sql, args).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    def bodies(kind: str) -> list[dict[str, Any]]:
        return [
            orjson.loads(body) for body in rows("SELECT body FROM journal WHERE type = ? ORDER BY seq", kind)
        ]

    return SimpleNamespace(rows=rows, bodies=bodies)
