"""A device that says what nobody understands: nothing it may have meant is swallowed, and nobody is flooded."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.device_type import DeviceType
from drivers.devices import bthome_pendant
from drivers.events import Frame
from hub.clock import ManualClock
from hub.gateway.gateway import Gateway
from hub.gateway.roll import Roll, call_the_roll
from hub.gateway.storage import open_storage
from hub.registry.models import GatewayPart
from hub.settings import GatewaySettings

Says = Callable[..., Frame]
ADDRESS = "54:48:e6:8f:80:a5"


@pytest.fixture
async def gateway(
    database: Path,
    tmp_path: Path,
    clock: ManualClock,
    part_and_types: tuple[GatewayPart, dict[str, DeviceType]],
) -> AsyncIterator[Gateway]:
    """Astrid's gateway, whose links the test speaks for."""
    part, types = part_and_types
    settings = GatewaySettings(data=tmp_path, id="gw1", uplink="mqtt://127.0.0.1:1")
    settings.folder.mkdir()
    gateway = Gateway(settings, await open_storage(database, clock.now()), clock, types)
    await gateway.boot()
    gateway.roll = call_the_roll(part, types, tmp_path)
    yield gateway
    await gateway.stop()


def junk(roll: Roll, device: str, payload: bytes, clock: ManualClock) -> Frame:
    """A frame of a registered device that makes no sense."""
    return Frame("mqtt", roll.devices[device].part.address, payload, clock.now(), "event")


def told(stored: SimpleNamespace, rule: str) -> list[dict[str, Any]]:
    """The alerts of one name."""
    return [body for body in stored.bodies("decision") if body["rule"] == rule]


async def test_a_pendant_that_is_not_understood_is_called_back(
    gateway: Gateway, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """Astrid's pendant after a firmware change: care workers call, technicians look at it."""
    await gateway.hearing.hear(junk(gateway.roll, "pendant-1", b"pressed, newly said", clock))
    [care] = told(stored, "not-understood-call")
    assert care["says"]["nb"] == "pendant-1 sendte noe som ikke kunne forstås. Ring opp."
    assert care["says"]["en"] == "pendant-1 sent something that could not be understood. Call back."
    assert (care["queue"], care["urgency"], care["life_safety"], care["home"]) == (
        "care",
        "high",
        False,
        "h1",
    )
    [technical] = told(stored, "not-understood")
    assert (technical["queue"], technical["urgency"]) == ("technical", "high")
    assert len(stored.bodies("unreadable")) == 1


async def test_a_lock_that_is_not_understood_is_for_technicians(
    gateway: Gateway, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """Nobody is called because of a lock."""
    await gateway.hearing.hear(junk(gateway.roll, "lock-1", b"?", clock))
    assert told(stored, "not-understood-call") == []
    assert [one["urgency"] for one in told(stored, "not-understood")] == ["moderate"]


async def test_a_flood_counts_as_one(gateway: Gateway, clock: ManualClock, stored: SimpleNamespace) -> None:
    """A thousand frames in an hour: one technical alert, and care is told at most every six minutes."""
    for number in range(1000):
        await gateway.hearing.hear(junk(gateway.roll, "pendant-1", b"junk %d" % number, clock))
        clock.at += 3_600
    assert len(told(stored, "not-understood")) == 1
    at = [one["at"] for one in told(stored, "not-understood-call")]
    assert len(at) == 10
    await gateway.hearing.hear(junk(gateway.roll, "pendant-1", b"still", clock))
    assert len(told(stored, "not-understood")) == 2, "it goes on, so it is told again after an hour"


async def test_the_same_bytes_are_told_again(
    gateway: Gateway, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """A button without a counter says every press alike; the journal has a line for each alert."""
    for _ in range(3):
        await gateway.hearing.hear(junk(gateway.roll, "pendant-1", b"pressed", clock))
        clock.at += 360_000
    assert len(told(stored, "not-understood-call")) == 3
    assert len(stored.bodies("unreadable")) == 3


async def test_what_the_broker_kept_is_no_news(
    gateway: Gateway, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """Old news that is not understood calls nobody, nor do frames of strangers."""
    frame = junk(gateway.roll, "pendant-1", b"?", clock)
    await gateway.hearing.hear(replace(frame, retained=True))
    await gateway.hearing.hear(replace(frame, retained=True, channel="state"))
    await gateway.hearing.hear(replace(frame, address="h9/pendant"))
    assert stored.bodies("decision") == []


async def test_an_alert_that_was_not_written_comes_with_the_next_frame(
    gateway: Gateway, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """While the disk is full the device is not answered; its repetition raises what could not be written."""
    fails = iter([True])

    def full() -> None:
        if next(fails, False):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    gateway.storage.writer.before_commit = full
    frame = junk(gateway.roll, "pendant-1", b"pressed", clock)
    assert not (await gateway.hearing.hear(frame)).accepted
    assert (await gateway.hearing.hear(frame)).accepted
    assert len(told(stored, "not-understood-call")) == 1


async def test_advertisements_that_repeat_are_understood(
    gateway: Gateway, clock: ManualClock, stored: SimpleNamespace, tmp_path: Path
) -> None:
    """A radio pendant says each thing many times, also minutes later; that is neither news nor a fault."""
    type_ = bthome_pendant.DEVICE
    entry = {"home": "h1", "class": "pendant", "type": type_.id, "link": "ble", "address": ADDRESS,
             "since": "2026-01-01T00:00:00Z"}  # fmt: skip
    part = gateway.roll.part.model_dump(by_alias=True) | {"devices": {"p": entry}}
    gateway.roll = call_the_roll(GatewayPart.model_validate(part), {type_.id: type_}, tmp_path)
    pressed = bytes.fromhex("4400013a01")
    for _ in range(20):
        await gateway.hearing.hear(Frame("ble", ADDRESS, pressed, clock.now(), "adv:fcd2"))
        clock.at += 500
    assert stored.bodies("unreadable") == []
    assert stored.bodies("decision") == []
    assert [body["kind"] for body in stored.bodies("event") if body["kind"] == "pendant.pressed"]
