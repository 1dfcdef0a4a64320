"""A scenario played over a real broker, a real pty and the virtual radio."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.broker.backend import Broker
from simulators.play.stage import StageError, play
from simulators.scenario.load import read
from simulators.scenario.model import Scenario
from simulators.scenario.plan import day_begin, day_plan
from simulators.world import World, starting_at

DAY = date(2026, 1, 15)
HOUR = 3_600_000

HOMES = """\
format: trygghub-scenario-1
name: trial
homes:
  h1:
    resident: Astrid
    wakes: 07:05
    carers: [08:20]
    devices:
      door: {type: door}
      dispenser: {type: dispenser, doses: [08:00]}
      lock: {type: lock}
incidents:
  - {at: 08:00, device: dispenser, do: miss}
"""


@asynccontextmanager
async def playing(scenario: Scenario, world: World, data: Path, broker: Broker | None) -> AsyncIterator[None]:
    """Play in the background; what goes wrong there ends the test."""
    url = broker.url("devices") if broker else ""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(play(scenario, DAY, world, data, broker=url, ble_port=None))
        yield
        task.cancel()


def hours_in(scenario: Scenario, hours: float) -> World:
    """A world at its natural pace that stands so long after the day's begin."""
    return starting_at(day_begin(scenario, DAY) + round(hours * HOUR), 1.0)


def heard(hub: Any) -> Counter[tuple[str, str, int]]:
    """What the hub has heard, and how often."""
    return Counter((device, event["kind"], event["at"]) for (device, _), event in hub.events.items())


@pytest.mark.broker
async def test_every_beat_arrives_once_with_its_own_time(hub: Any, broker: Broker, tmp_path: Path) -> None:
    """Two hours of a morning are made up for at once; each event is what the plan says, at the plan's time."""
    scenario = read(HOMES)
    upto = day_begin(scenario, DAY) + 2 * HOUR
    planned = Counter((one.device, one.kind, one.at) for one in day_plan(scenario, DAY) if one.at <= upto)
    async with playing(scenario, hours_in(scenario, 2), tmp_path, broker):
        await asyncio.wait_for(hub.until_so(lambda: not planned - heard(hub)), 30)
    assert planned - heard(hub) == Counter()


@pytest.mark.broker
async def test_a_restart_goes_on_where_it_was(hub: Any, broker: Broker, tmp_path: Path) -> None:
    """What was said in the first run is not said again in the second."""
    scenario = read(HOMES)
    async with playing(scenario, hours_in(scenario, 1.4), tmp_path, broker):
        await hub.until("dispenser", "dispenser.due")
        await hub.until("door", "door.opened")
    upto = json.loads((tmp_path / "simulators" / "trial.json").read_text())["upto"]
    async with playing(scenario, hours_in(scenario, 2.1), tmp_path, broker):
        await hub.until("dispenser", "dispenser.missed")
    again = [event for (_, own_id), event in hub.events.items() if event["kind"] == "dispenser.due"]
    assert len(again) == 1
    assert upto >= day_begin(scenario, DAY) + round(1.4 * HOUR)


@pytest.mark.broker
async def test_a_command_reaches_the_lock_and_is_answered(hub: Any, broker: Broker, tmp_path: Path) -> None:
    """Unlock over the broker: the bolt moves, the fact is reported, the result says done."""
    scenario = read(HOMES)
    world = World(day_begin(scenario, DAY), starting_at(0, 1.0).anchor, 100.0)
    expires = datetime.fromtimestamp(world.world / 1000 + 3600, UTC).isoformat()
    command = {"id": "command-1", "command": "unlock", "args": {}, "expires": expires}
    async with playing(scenario, world, tmp_path, broker):
        await hub.until("lock", "lock.locked")
        await hub.client.publish("homes/h1/devices/lock/command", json.dumps(command).encode())
        assert await hub.results.get() == {"id": "command-1", "outcome": "done", "reason": ""}
        await hub.until("lock", "lock.unlocked")


async def test_a_nurse_call_is_plugged_in_and_speaks(tmp_path: Path) -> None:
    """The ESPA unit appears under its name in the data folder and selects whoever polls it with its call."""
    scenario = read(
        "format: trygghub-scenario-1\nname: trial\nhomes:\n  h2:\n    devices:\n"
        "      call: {type: nurse_call, port: serial/call}\n"
        "incidents:\n  - {at: 07:10, device: call, do: raised, data: {place: '201'}}\n"
    )
    async with playing(scenario, hours_in(scenario, 0.5), tmp_path, None):
        port = tmp_path / "serial" / "call"
        while not port.exists():
            await asyncio.sleep(0)
        line = await asyncio.wait_for(_poll(_open(port)), 30)
    assert b"1\x1f201\x1e" in line


async def test_mqtt_devices_without_a_broker_are_said(tmp_path: Path) -> None:
    """The sentence names the flag."""
    with pytest.raises(StageError, match="name their broker with --broker"):
        await play(read(HOMES), DAY, hours_in(read(HOMES), 0), tmp_path, broker="", ble_port=None)


async def test_a_missing_key_is_said(tmp_path: Path) -> None:
    """A pendant without its key file does not come on the air in the clear."""
    scenario = read(
        "format: trygghub-scenario-1\nname: trial\nhomes:\n  h1:\n    devices:\n"
        "      pendant: {type: pendant, address: 'c0:00:00:00:00:01', key: p.key}\n"
    )
    with pytest.raises(StageError, match=r"the key .*p\.key cannot be read: No such file or directory$"):
        await play(scenario, DAY, hours_in(scenario, 0), tmp_path, broker="", ble_port=None)


class _Port:
    """A program's side of a serial line: reads what comes, writes what it is told."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.came = bytearray()
        self.news = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        self.came += os.read(self.descriptor, 4096)
        self.news.set()

    def write(self, data: bytes) -> None:
        """Send to the unit."""
        os.write(self.descriptor, data)

    async def until(self, mark: bytes) -> bytes:
        """What came up to and including this mark."""
        while mark not in self.came:
            self.news.clear()
            await self.news.wait()
        return bytes(self.came)


def _open(path: Path) -> _Port:
    return _Port(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))


async def _poll(port: _Port) -> bytes:
    """Poll as the control station of ESPA 4.4.4 does until the unit has something to say."""
    while True:
        port.write(b"\x042\x05")
        port.news.clear()
        await port.news.wait()
        if b"1\x05" in port.came:
            break
        port.came.clear()
    port.write(b"\x06")
    line = await port.until(b"\x03")
    port.write(b"\x06")
    return line
