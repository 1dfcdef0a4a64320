"""The devices of the benchmark, and the gateway that hears them.

The gateway is the real command with its database on a real disk, behind a Mosquitto; devices and virtual radio live in
the benchmark's own process, so that their cost is not the gateway's. A reading's way ends when it arrives at whoever
plays the centre: decoded, committed, sent up. That is longer than the commit alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "devices"))

import crowd

from drivers.links.mqtt_client import Message
from simulators.ble import BthomePendant, PulseOximeter
from simulators.bluez import FakeBluez, PrivateBus
from simulators.radio import Ether, RadioHub, Station, join

PENDANT, METER, STRANGER = (f"c4:7c:8d:0{kind}:{{:02x}}:{{:02x}}" for kind in range(3))
READY_WITHIN = 120.0
ARRIVES_WITHIN = 60.0


@dataclass
class Arrivals(crowd.Centre):
    """The centre's part, noting when the first word of a kind comes from a device after it was asked for."""

    url: str
    waited: dict[tuple[str, str], asyncio.Future[float]] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        """Connect as the centre does."""
        super().__init__(self.url)

    def expect(self, device: str, kind: str) -> asyncio.Future[float]:
        """When the next fact of this kind arrives, in seconds of the monotonic clock."""
        future = asyncio.get_running_loop().create_future()
        self.waited[device, kind] = future
        return future

    async def take(self, message: Message) -> None:
        """One batch."""
        now = time.monotonic()
        for entry in orjson.loads(message.payload)["entries"]:
            for device, kind in _facts(entry):
                self.heard[kind] += 1
                future = self.waited.pop((device, kind), None)
                if future is not None and not future.done():
                    future.set_result(now)
        await super().take(message)


def _facts(entry: Any) -> Iterator[tuple[str, str]]:
    """Every event in an entry, wherever the entry keeps it."""
    if isinstance(entry, dict):
        if isinstance(entry.get("device"), str) and isinstance(entry.get("kind"), str) and "id" in entry:
            yield entry["device"], entry["kind"]
        for value in entry.values():
            yield from _facts(value)


def registry(pendants: int, meters: int) -> str:
    """One building: a pendant or a meter in each home, all on one gateway."""
    since = {"since": "2026-01-01T00:00:00Z", "link": "ble"}
    devices = {
        f"p{n}": {
            "home": f"b{n:04d}",
            "class": "pendant",
            "type": "bthome_pendant",
            "address": _at(PENDANT, n),
            **since,
        }
        for n in range(pendants)
    } | {
        f"m{n}": {
            "home": f"b{n:04d}",
            "class": "vitals",
            "type": "sig_pulse_oximeter",
            "address": _at(METER, n),
            **since,
        }
        for n in range(meters)
    }
    homes = [f"b{n:04d}" for n in range(max(pendants, meters))]
    whole = {
        "format": "trygghub-registry-1",
        "municipality": {"name": "Bench", "duty_phone": "+47 55 50 10 00"},
        "districts": {"d": {"name": "D"}},
        "zones": {"z": {"name": "Z", "district": "d"}},
        "homes": {home: {"address": home, "zone": "z", "gateway": "gw1"} for home in homes},
        "residents": {f"r{home}": {"home": home, "name": home} for home in homes},
        "gateways": {"gw1": {"name": "gw1", "since": "2026-01-01T00:00:00Z"}},
        "devices": devices,
    }
    return str(yaml.dump(whole))


def _at(pattern: str, number: int) -> str:
    return pattern.format(number // 256, number % 256)


@dataclass
class Neighbourhood:
    """Everything that runs. bluez: the stand-in, where the gateway goes through it."""

    ether: Ether
    hub: RadioHub
    pid: int
    http: int
    centre: Arrivals
    pendants: list[BthomePendant]
    meters: list[PulseOximeter]
    strangers: list[Station]
    bluez: FakeBluez | None

    async def press(self, number: int) -> float:
        """Press a pendant; seconds until it is heard of, NaN when it never is."""
        arrives = self.centre.expect(f"p{number}", "pendant.pressed")
        begun = time.monotonic()
        pressing = asyncio.ensure_future(self.pendants[number].press())
        try:
            async with asyncio.timeout(ARRIVES_WITHIN):
                return await arrives - begun
        except TimeoutError:
            return float("nan")
        finally:
            await pressing

    def bluetooth(self) -> str:
        """The state of the gateway's Bluetooth link."""
        link = crowd._status(self.http).get("links", {}).get("ble", {})
        return str(link.get("state", "unknown"))

    async def crowd_in(self, strangers: int) -> None:
        """So many devices of other people come on the air, each advertising once a second for ever."""
        for number in range(strangers):
            one = await join(self.ether, name=f"stranger {number}", address=_at(STRANGER, number))
            data = bytes([2, 1, 6, 9, 0xFF]) + number.to_bytes(8, "little")
            await one.device.start_advertising(
                advertising_data=data, advertising_interval_min=1000, advertising_interval_max=1000
            )
            self.strangers.append(one)

    async def is_up(self) -> None:
        """Wait until the gateway listens."""
        async with asyncio.timeout(READY_WITHIN):
            while await asyncio.to_thread(self.bluetooth) != "up":
                await asyncio.sleep(crowd.LOOK_EVERY)


@contextlib.asynccontextmanager
async def neighbourhood(
    folder: Path, pendants: int, meters: int, *, through_bluez: bool
) -> AsyncIterator[Neighbourhood]:
    """Start everything; meters are off the air until somebody measures."""
    ether = Ether(seed=1)
    async with contextlib.AsyncExitStack() as stack:
        hub = await stack.enter_async_context(RadioHub(ether))
        bluez, environment = None, {}
        if through_bluez:
            bus = PrivateBus()
            await bus.start()
            stack.push_async_callback(bus.stop)
            bluez = FakeBluez(ether, bus.address, slots=5)
            await bluez.start()
            stack.push_async_callback(bluez.stop)
            environment = {"DBUS_SYSTEM_BUS_ADDRESS": bus.address}
        buttons = [BthomePendant(_at(PENDANT, n), beacon=None) for n in range(pendants)]
        for one in buttons:
            await one.start(ether)
        broker = stack.enter_context(crowd.broker(folder))
        file, http = folder / "registry.yaml", crowd.free_port()
        file.write_text(registry(pendants, meters))
        command = crowd.gateway_command(folder, broker, file, http)
        command += ["--ble", "bluez" if through_bluez else hub.address]
        with _environment(environment):
            child = stack.enter_context(crowd.process(command, folder / "gateway.log"))
        await crowd.ready(http, child)
        centre = Arrivals(broker.url("centre"))
        running = asyncio.create_task(centre.client.run())
        stack.callback(running.cancel)
        await centre.client.up.wait()
        found = [PulseOximeter(_at(METER, n)) for n in range(meters)]
        one = Neighbourhood(ether, hub, child.pid, http, centre, buttons, found, [], bluez)
        await one.is_up()
        yield one


@contextlib.contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
