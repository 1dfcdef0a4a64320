"""One of every device type, each on its own wire, heard by a real gateway process."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pytest

from drivers.links.mqtt_client import Message, MqttClient
from hub.broker.backend import Broker
from hub.supervisor.setting_up import make_keys
from simulators.__main__ import describe
from simulators.scenario.load import load
from simulators.scenario.plan import day_begin
from tests.ports import free_port

pytestmark = [pytest.mark.alone, pytest.mark.broker, pytest.mark.timeout(150)]

DAY = date(2026, 1, 15)
SPEED = 120
SETTING_UP = 15.0
"""Real seconds between the start of the processes and the day's beginning."""
PATIENCE = 120.0
"""Real seconds for everything; on an idle machine less than a third of it passes."""

HEARD: dict[str, str] = {
    "m-dispenser": "dispenser.battery", "m-lock": "lock.locked", "m-pendant": "pendant.battery",
    "m-zigbee-door": "door.closed", "m-nuki": "lock.locked", "m-lora": "pendant.pressed", "m-announced": "room.motion",
    "b-pendant": "pendant.pressed", "b-door": "door.closed", "b-motion": "room.motion", "b-smoke": "smoke.detected",
    "b-leak": "water.detected", "b-climate": "room.temperature", "b-nuki": "lock.locked",
    "v-oximeter": "vitals.spo2", "v-cuff": "vitals.blood_pressure", "v-glucose": "vitals.glucose",
    "v-thermometer": "vitals.temperature", "v-scale": "vitals.weight", "v-strap": "vitals.pulse",
    "s-call": "call.raised", "s-contact": "door.closed", "s-motion": "room.motion", "s-smoke": "smoke.detected",
    "s-leak": "water.detected", "s-rocker": "pendant.pressed", "s-button": "pendant.pressed",
    "s-card": "room.presence", "s-cabinet": "lock.locked", "s-reader": "door.closed", "s-sms": "pendant.pressed",
    "i-phone": "pendant.pressed", "i-panel": "smoke.detected",
}  # fmt: skip
"""Device → what the gateway must have written down of it within the day's first hour."""


def staged(folder: Path, sip: int, tcp: int) -> Path:
    """The shipped scenario and its registry with other ports for the alarm receivers."""
    shipped = load("all_links")
    assert shipped.file is not None
    assert shipped.registry is not None
    for path in (shipped.file, shipped.registry):
        text = path.read_text("utf-8").replace(":15060", f":{sip}").replace(":12012", f":{tcp}")
        (folder / path.name).write_text(text, "utf-8")
    return folder / shipped.file.name


@contextmanager
def process(name: str, words: list[str], log: Path, **told: object) -> Iterator[subprocess.Popen[bytes]]:
    """A child of ours, ended with the test."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("TRYGGHUB_")}
    mine = {f"TRYGGHUB_{key}": str(value) for key, value in told.items()}
    with (
        (log / f"{name}.log").open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-P", "-m", *words], env=plain | mine, stdout=out, stderr=out
        ) as child,
    ):
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


def written(database: Path) -> set[tuple[str, str]]:
    """Device and kind of every event in the gateway's journal."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            return set(db.execute("select distinct device, kind from journal where type = 'event'"))
    except sqlite3.OperationalError:
        return set()


async def test_every_device_type_is_heard_on_its_own_wire(broker: Broker, tmp_path: Path) -> None:
    """Broker, radio, serial lines, SIP and TCP: each of the devices stands in the journal with a fact of its own."""
    ble, sip, tcp = free_port(), free_port(), free_port()
    scenario = staged(tmp_path, sip, tcp)
    data = tmp_path / "data"
    (data / "gateway" / "secrets").mkdir(parents=True)
    keys = describe(load("all_links"))["keys"]
    assert isinstance(keys, dict)
    make_keys(data / "gateway" / "secrets", keys)
    begin = day_begin(load("all_links"), DAY)
    clock = f"scaled:{begin}:{round((time.time() + SETTING_UP) * 1000)}:{SPEED}"
    news = asyncio.Event()

    async def uplink(_message: Message) -> None:
        news.set()

    async with asyncio.TaskGroup() as tasks:
        centre = MqttClient(
            broker.url("centre"), "centre", subscriptions=("gateways/+/up/#",), on_message=uplink
        )
        listening = tasks.create_task(centre.run())
        with (
            process("simulators", ["simulators", str(scenario)], tmp_path, DATA=data, CLOCK=clock, FIRST_DAY=DAY,
                    BROKER=broker.url("devices"), BRIDGES=broker.url("bridges"), BLE_PORT=ble),
            process("gateway", ["hub.cli", "gateway"], tmp_path, DATA=data, CLOCK=clock, ID="gw1",
                    UPLINK=broker.url("gateway-gw1"), DEVICES=broker.url("hearing"), BLE=f"tcp:127.0.0.1:{ble}",
                    REGISTRY=tmp_path / "all_links_registry.yaml"),
        ):  # fmt: skip
            missing = await until_written(data / "gateway" / "gateway.db", news)
        listening.cancel()
    assert missing == set(), last_words(tmp_path)


async def until_written(database: Path, news: asyncio.Event) -> set[tuple[str, str]]:
    """Look into the journal whenever something goes up, until everything is there; what is not in the end."""
    missing = set(HEARD.items())
    try:
        async with asyncio.timeout(PATIENCE):
            while missing := missing - await asyncio.to_thread(written, database):
                await news.wait()
                news.clear()
    except TimeoutError:
        pass
    return missing


def last_words(logs: Path) -> str:
    """What the processes said last, without what is common."""
    return "\n".join(
        re.sub(r"(?m)^", f"{one.stem}: ", one.read_text("utf-8", "replace")[-3000:])
        for one in logs.glob("*.log")
    )


def test_the_list_above_has_every_device_that_is_played() -> None:
    """As many devices as the scenario has; that they are of every type that can be played says its own test."""
    assert HEARD.keys() == load("all_links").devices.keys()
