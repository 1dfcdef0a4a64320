"""Set the stage for a scenario: MQTT homes, the virtual radio with its devices, serial lines, alarm units; play."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from simulators.play.conductor import Conductor
from simulators.play.keys import KeyMissing, key_of
from simulators.play.mqtt_units import MqttHome
from simulators.play.unit import Unit
from simulators.scenario.model import Beat, Device, Scenario
from simulators.scenario.text import endpoint
from simulators.world import World

log = logging.getLogger(__name__)

READY = "the homes are there"
"""Said once everything is set up."""
READY_FILE = Path("simulators", "ready")
"""Written into the data folder then; who started us may wait for it."""


class StageError(Exception):
    """Something the scenario needs is missing; the text says what, in one sentence."""


async def play(
    scenario: Scenario,
    first: date,
    world: World,
    data: Path,
    *,
    broker: str,
    ble_port: int | None,
    bridges: str = "",
) -> None:
    """Play until cancelled. bridges: the broker of makers' own bridges, if not `broker`. Raises StageError."""
    wires = {device.kind.wire for device in scenario.devices.values()}
    if "mqtt" in wires and not broker:
        raise StageError(
            "the scenario has MQTT devices; name their broker with --broker mqtt://user:password@host:port"
        )
    units: dict[str, Unit] = {}
    conductor = Conductor(scenario, first, world, units, data / "simulators" / f"{scenario.name}.json")
    if "mqtt" in wires:
        _mqtt(scenario, broker, world, conductor.trouble, units)
        _foreign(scenario, bridges or broker, world, units)
    if "ble" in wires:
        await put_on_air(scenario, ble_port or 0, world, data, units)
    if "serial" in wires:
        plug_in(scenario, data, units, world)
    connect_to_receivers(scenario, data, units, world)
    units.update((one.id, _ItselfUnit()) for one in _on("itself", scenario))
    async with asyncio.TaskGroup() as tasks:
        for unit in {id(one): one for one in units.values()}.values():
            tasks.create_task(unit.run())
        log.info("%s: %d homes, %d devices, %gx", READY, len(scenario.homes), len(units), world.speed)
        say_ready(data)
        tasks.create_task(conductor.run())


def say_ready(data: Path) -> None:
    """Let who started us know."""
    file = data / READY_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("ready\n", encoding="ascii")


def _mqtt(
    scenario: Scenario,
    broker: str,
    world: World,
    trouble: Callable[[str], frozenset[str]],
    units: dict[str, Unit],
) -> None:
    # Ids of this run's events begin with the world's time, so no restart repeats one.
    boot = f"{world.now():x}"
    for home in scenario.homes.values():
        connected = MqttHome(home, broker, world, boot, trouble)
        units.update(dict.fromkeys(connected.natives, connected))


def _foreign(scenario: Scenario, broker: str, world: World, units: dict[str, Unit]) -> None:
    from simulators.play.foreign_units import ForeignUnit, is_foreign  # noqa: PLC0415

    for home in scenario.homes.values():
        there = [one.id for one in home.devices.values() if is_foreign(one)]
        if there:
            units.update(dict.fromkeys(there, ForeignUnit(home, broker, f"{world.now():x}", world.speed)))


class _ItselfUnit:
    """A gateway in a scenario: the real one tells of itself, so nobody speaks for it."""

    def say(self, beat: Beat) -> None:
        """Nothing."""

    def silence(self, device: str, *, over: bool) -> None:
        """Nothing."""

    async def run(self) -> None:
        """Nothing."""


async def put_on_air(scenario: Scenario, port: int, world: World, data: Path, units: dict[str, Unit]) -> None:
    """Open the virtual radio, with the scenario's Bluetooth devices on it. Raises StageError."""
    # bumble is large; a scenario without Bluetooth does without it.
    from simulators.play.ble_units import ble_unit  # noqa: PLC0415
    from simulators.radio import Ether, RadioHub  # noqa: PLC0415

    hub = RadioHub(Ether(), port=port)
    try:
        await hub.start()
        for device in _on("ble", scenario):
            zone = scenario.homes[device.home].zone
            units[device.id] = ble_unit(device, hub.address, world, data / "gateway" / "secrets", zone)
    except (OSError, KeyMissing) as wrong:
        raise StageError(f"the virtual radio cannot start: {wrong}") from None
    log.info("the virtual radio is open to everybody at %s", hub.address)


def plug_in(scenario: Scenario, data: Path, units: dict[str, Unit], world: World) -> None:
    """Make the scenario's serial hardware ready to be plugged in. Raises StageError."""
    from simulators.play.shared_lines import line_units  # noqa: PLC0415

    try:
        units.update(line_units(_on("serial", scenario), data, world))
    except KeyMissing as wrong:
        raise StageError(f"the serial lines cannot be laid: {wrong}") from None


def connect_to_receivers(scenario: Scenario, data: Path, units: dict[str, Unit], world: World) -> None:
    """Make the scenario's alarm units on IP ready. Raises StageError."""
    from simulators.play.ip_units import PanelUnit, PhoneUnit  # noqa: PLC0415

    moved = receivers_in(data / "simulators" / "receivers.json")
    try:
        for device in _on("sip", scenario):
            units[device.id] = PhoneUnit(at_receiver(device, moved), world)
        for device in _on("tcp", scenario):
            key = key_of(device, data / "gateway" / "secrets")
            units[device.id] = PanelUnit(at_receiver(device, moved), world, key)
    except KeyMissing as wrong:
        raise StageError(f"an alarm panel cannot report: {wrong}") from None


def receivers_in(file: Path) -> Mapping[str, str]:
    """Where receivers listen that are not where the scenario says (old → new); empty where nothing is said.

    Raises StageError.
    """
    try:
        moved = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as wrong:
        raise StageError(f"{file} cannot be read: {wrong}") from None
    if not isinstance(moved, dict):
        raise StageError(f"{file} names receivers as an object, old place to new")
    return {str(old): str(new) for old, new in moved.items()}


def at_receiver(device: Device, moved: Mapping[str, str]) -> Device:
    """The unit with the receiver that it really reports to. Raises StageError."""
    host, port = device.settings["receiver"]
    if (new := moved.get(f"{host}:{port}")) is None:
        return device
    try:
        return replace(device, settings={**device.settings, "receiver": endpoint(new)})
    except ValueError as wrong:
        raise StageError(str(wrong)) from None


def _on(wire: str, scenario: Scenario) -> list[Device]:
    return [device for device in scenario.devices.values() if device.kind.wire == wire]
