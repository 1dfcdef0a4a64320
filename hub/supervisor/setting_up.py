"""What must be decided or made before the first process starts; on a later start most of it is remembered."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from hub.broker.adopted import devices_in, topics_of, with_adopted
from hub.broker.backend import Broker, Listener
from hub.broker.ears import ears
from hub.broker.external import ExternalBroker
from hub.broker.logins import logins
from hub.broker.mosquitto import Mosquitto
from hub.broker.nats import NatsServer
from hub.clock import ScaledClock, SystemClock
from hub.files import write_private
from hub.settings import RunSettings, SettingError
from hub.supervisor import boxes, ports, world
from hub.supervisor.folder import DataFolder, Memory
from hub.supervisor.receivers import with_free_receivers
from hub.supervisor.tools import call, describe_scenario

DEMO_SPEED = 60.0
FAST = 150.0
"""Times the pace from which a busy second of this machine is longer than devices may be quiet."""
OWN_BROKERS = frozenset({"nats", "mosquitto"})
OWN_PORTS = ("broker", "centre", "ble")


@dataclass(frozen=True, slots=True)
class Start:
    """The outcome: what to remember, the broker, the world's clock (None: the machine's own), the dashboard's port."""

    memory: Memory
    broker: Broker
    clock: ScaledClock | None
    first: bool
    listener: socket.socket


def set_up(settings: RunSettings, folder: DataFolder, *, demo: bool, say: Callable[[str], None]) -> Start:
    """Decide everything, import the registry on a first start. Raises SettingError, ToolFailed, FolderUnreadable."""
    kept = folder.recall()
    if demo and kept is not None and not kept.demo:
        raise SettingError(
            f"{folder.root} holds a real installation; give the demo a folder of its own with --data"
        )
    demo = demo or (kept is not None and kept.demo)
    if not demo and settings.speed is not None:
        raise SettingError("--speed belongs to --demo; a real home's day lasts 24 hours")
    scenario = describe_scenario(settings.scenario, environment(folder, settings)) if demo else {}
    last = kept.ports if kept else {}
    listener = ports.web_listener(settings.host, settings.port, last.get("web"))
    memory = kept or _first_memory(settings, demo=demo, scenario=scenario)
    memory = replace(
        memory,
        ports=_ports(memory, last, int(listener.getsockname()[1])),
        speed=_speed(settings, kept, demo=demo),
        broker=settings.broker if settings.broker in OWN_BROKERS else "external",
    )
    clock, memory = _clock(folder, memory, scenario)
    if demo and kept is None:
        memory = with_free_receivers(folder, memory)
    if memory.others:
        _several(folder, memory, scenario)
    broker = make_broker(settings, folder, memory)
    if kept is None:
        say(f"importing the registry {memory.registry}")
        call(["hub.cli", "registry", "import", memory.registry], environment(folder, settings, clock))
    if demo and not memory.others:
        make_keys(folder.device_secrets, scenario.get("keys", {}))
    folder.remember(memory)
    if memory.speed > FAST:
        say(
            f"at {memory.speed:g} times the pace ten minutes pass in {600 / memory.speed:.1f} s: where this machine is"
            " slow, devices may seem silent"
        )
    return Start(memory, broker, clock, kept is None, listener)


def environment(
    folder: DataFolder, settings: RunSettings, clock: ScaledClock | None = None
) -> dict[str, str]:
    """The environment of a command that only opens the data folder and the database."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TRYGGHUB_")}
    told = {"TRYGGHUB_DATA": str(folder.root)}
    if settings.database:
        told["TRYGGHUB_DATABASE"] = settings.database
    if clock is not None:
        told["TRYGGHUB_CLOCK"] = clock.as_text()
    return {**plain, **told}


def make_broker(settings: RunSettings, folder: DataFolder, memory: Memory) -> Broker:
    """The broker of our choice, with logins for everybody where it is ours."""
    if settings.broker not in OWN_BROKERS:
        return ExternalBroker(settings.broker)
    copy = folder.registry_copy
    known = devices_in(copy if copy.exists() else Path(memory.registry))  # the copy changes with the registry
    if memory.others:
        known = devices_in(Path(memory.registry))
    everybody = with_adopted(logins(folder.secrets, [memory.gateway, *memory.others]), topics_of(known))
    everybody += ears(folder.secrets, _heard(memory))
    listener = Listener(memory.ports["broker"])
    if settings.broker == "nats":
        return NatsServer(folder.broker, listener, everybody)
    return Mosquitto(folder.broker, listener, everybody)


def make_keys(folder: Path, lengths: Mapping[str, int]) -> None:
    """Random keys of so many bytes for simulated devices; the gateway and the simulator read the same files."""
    for name, length in lengths.items():
        if not (folder / name).exists():
            write_private(folder / name, secrets.token_hex(length) + "\n")


def gateways_in(path: Path) -> list[str]:
    """The gateways that a registry file names; the file itself is checked when it is imported."""
    told = _read(path)
    found = told.get("gateways") if isinstance(told, dict) else None
    return list(found) if isinstance(found, dict) else []


def _first_memory(settings: RunSettings, *, demo: bool, scenario: Mapping[str, Any]) -> Memory:
    registry = settings.registry or (Path(scenario["registry"]) if scenario.get("registry") else None)
    if registry is None:
        raise SettingError(
            f"there is no registry in {settings.data} yet; name one with --registry FILE, or see a demo with --demo"
        )
    names = gateways_in(registry)
    if demo and settings.gateway is None and len(names) > 1:
        if len(names) > boxes.MOST:
            raise SettingError(
                f"the registry names {len(names)} gateways, and a demonstration starts at most {boxes.MOST}; say with"
                " --gateway which one runs here, or let more homes share one"
            )
        return Memory(gateway=names[0], others=names[1:], demo=demo, registry=str(registry.absolute()))
    if settings.gateway is None and len(names) != 1:
        raise SettingError(
            f"the registry names {len(names)} gateways; say with --gateway which one runs here"
        )
    chosen = settings.gateway or names[0]
    if chosen not in names:
        raise SettingError(
            f"--gateway: the registry names no gateway {chosen!r}; it has {', '.join(names) or 'none'}"
        )
    return Memory(gateway=chosen, demo=demo, registry=str(registry.absolute()))


def _ports(memory: Memory, last: Mapping[str, int], web: int) -> dict[str, int]:
    """A port for everybody who listens. web: the one that is held already."""
    chosen = {"web": web}
    for name in (*OWN_PORTS, *(box.process for box in boxes.boxes(memory, Path()))):
        chosen[name] = ports.keep(last.get(name), but=chosen.values())
    return chosen


def _several(folder: DataFolder, memory: Memory, scenario: Mapping[str, Any]) -> None:
    """Folders and keys of several gateways. Raises SettingError where two of them want one port."""
    told = _registry(memory)
    if problem := boxes.clash(told, memory):
        raise SettingError(problem)
    boxes.prepare(folder, memory)
    make_keys(folder.device_secrets, scenario.get("keys", {}))
    boxes.share_keys(folder, memory, told)


def _heard(memory: Memory) -> dict[str, Iterable[Mapping[str, Any]]]:
    """Gateway → its devices, where several listen at our broker."""
    told = _registry(memory) if memory.others else None
    return {
        box.id: boxes.devices_of(told, box.id).values()
        for box in boxes.boxes(memory, Path())
        if not box.alone
    }


def _registry(memory: Memory) -> object:
    """The registry file as it stands; it was checked when it was imported."""
    return _read(Path(memory.registry))


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as wrong:
        raise SettingError(f"--registry: {path} cannot be read: {wrong}") from None


def _speed(settings: RunSettings, kept: Memory | None, *, demo: bool) -> float:
    if not demo:
        return 1.0
    return settings.speed or (kept.speed if kept else DEMO_SPEED)


def _clock(
    folder: DataFolder, memory: Memory, scenario: Mapping[str, Any]
) -> tuple[ScaledClock | None, Memory]:
    if not memory.demo:
        return None, memory
    day = world.Day(scenario["start"], scenario["tz"])
    clock = world.begin(folder.clock, memory.speed, day)
    first = memory.first_day or day.first(SystemClock().now()).isoformat()
    return clock, replace(memory, first_day=first)
