"""What must be decided or made before the first process starts; on a later start most of it is remembered."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from hub.broker.adopted import devices_in, topics_of, with_adopted
from hub.broker.backend import Broker, Listener
from hub.broker.external import ExternalBroker
from hub.broker.logins import logins
from hub.broker.mosquitto import Mosquitto
from hub.broker.nats import NatsServer
from hub.clock import ScaledClock, SystemClock
from hub.files import write_private
from hub.settings import RunSettings, SettingError
from hub.supervisor import ports, world
from hub.supervisor.folder import DataFolder, Memory
from hub.supervisor.receivers import with_free_receivers
from hub.supervisor.tools import call, describe_scenario

DEMO_SPEED = 60.0
OWN_BROKERS = frozenset({"nats", "mosquitto"})
OWN_PORTS = ("broker", "centre", "gateway", "ble")


@dataclass(frozen=True, slots=True)
class Start:
    """The outcome: what to remember, the broker to use, the world's clock (None: the machine's own)."""

    memory: Memory
    broker: Broker
    clock: ScaledClock | None
    first: bool


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
    memory = replace(
        kept or _first_memory(settings, demo=demo, scenario=scenario),
        ports=_ports(settings, kept.ports if kept else {}),
        speed=_speed(settings, kept, demo=demo),
        broker=settings.broker if settings.broker in OWN_BROKERS else "external",
    )
    clock, memory = _clock(folder, memory, scenario)
    if demo and kept is None:
        memory = with_free_receivers(folder, memory)
    broker = make_broker(settings, folder, memory)
    if kept is None:
        say(f"importing the registry {memory.registry}")
        call(["hub.cli", "registry", "import", memory.registry], environment(folder, settings, clock))
    if demo:
        make_keys(folder.device_secrets, scenario.get("keys", {}))
    folder.remember(memory)
    return Start(memory, broker, clock, first=kept is None)


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
    everybody = with_adopted(logins(folder.secrets, [memory.gateway]), topics_of(known))
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
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as wrong:
        raise SettingError(f"--registry: {path} cannot be read: {wrong}") from None
    found = told.get("gateways") if isinstance(told, dict) else None
    return list(found) if isinstance(found, dict) else []


def _first_memory(settings: RunSettings, *, demo: bool, scenario: Mapping[str, Any]) -> Memory:
    registry = settings.registry or (Path(scenario["registry"]) if scenario.get("registry") else None)
    if registry is None:
        raise SettingError(
            f"there is no registry in {settings.data} yet; name one with --registry FILE, or see a demo with --demo"
        )
    names = gateways_in(registry)
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


def _ports(settings: RunSettings, last: Mapping[str, int]) -> dict[str, int]:
    chosen: dict[str, int] = {}
    for name in OWN_PORTS:
        chosen[name] = ports.keep(last.get(name), but=chosen.values())
    chosen["web"] = ports.web_port(settings.host, settings.port, last.get("web"))
    return chosen


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
