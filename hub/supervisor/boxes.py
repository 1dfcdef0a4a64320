"""The gateways of a run: as a rule one, in a demonstration whose registry has several each of them.

The first keeps its things in DATA/gateway, like a run's only one; every other has a data folder of its own,
DATA/gateways/<id>. Where there are several, each is a process `gateway-<id>` with a log of that name, and hears at the
broker only what its own devices say, by a login that can do no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from drivers.links.ip_lines import LISTEN
from drivers.links.serial_settings import port_of
from hub.files import write_private
from hub.supervisor.folder import DataFolder, Memory

MOST: Final = 8
"""Gateways that a run starts: each is a process of some 80 MB that judges at the demonstration's pace."""

Devices = Mapping[str, Mapping[str, Any]]
"""Entries of a registry file by id; anything may be in them."""


@dataclass(frozen=True, slots=True)
class Box:
    """One gateway. process: its name at the console, in logs and among the ports. data: its data folder.

    ear: its login towards the homes. alone: nobody else listens to devices at this broker.
    """

    id: str
    process: str
    data: Path
    ear: str
    alone: bool

    @property
    def folder(self) -> Path:
        """Its database, its part of the registry and its secrets."""
        return self.data / "gateway"


def boxes(memory: Memory, root: Path) -> tuple[Box, ...]:
    """The gateways that run, the first one first."""
    if not memory.others:
        return (Box(memory.gateway, "gateway", root, "hearing", alone=True),)
    return tuple(
        Box(
            id_,
            f"gateway-{id_}",
            root if id_ == memory.gateway else root / "gateways" / id_,
            f"hearing-{id_}",
            False,
        )
        for id_ in (memory.gateway, *memory.others)
    )


def devices_of(told: object, gateway: str) -> Devices:
    """The devices that a registry file puts behind a gateway."""
    homes, devices = (_part(told, name) for name in ("homes", "devices"))
    served = {id_ for id_, home in homes.items() if home.get("gateway") == gateway}
    return {id_: one for id_, one in devices.items() if one.get("home") in served}


def clash(told: object, memory: Memory) -> str:
    """Which two gateways want the same port of this machine, in a sentence; empty where none do."""
    taken: dict[str, str] = {}
    for gateway in (memory.gateway, *memory.others):
        for place in sorted(set(_places(devices_of(told, gateway)))):
            other = taken.setdefault(place, gateway)
            if other != gateway:
                return (
                    f"the gateways {other} and {gateway} would both open {place}; give the devices of one of them"
                    " another, or name with --gateway which one runs here"
                )
    return ""


def share_keys(folder: DataFolder, memory: Memory, told: object) -> None:
    """Each further gateway has its own devices' keys in its own folder; the simulated devices read the first's."""
    for box in boxes(memory, folder.root)[1:]:
        for entry in devices_of(told, box.id).values():
            for name in _secrets(entry):
                key, copy = folder.device_secrets / name, box.folder / "secrets" / name
                if key.is_file() and not copy.exists():
                    write_private(copy, key.read_text(encoding="utf-8"))


def prepare(folder: DataFolder, memory: Memory) -> None:
    """The folders of further gateways; only their owner can enter."""
    for box in boxes(memory, folder.root)[1:]:
        for one in (box.data.parent, box.data, box.folder, box.folder / "secrets"):
            one.mkdir(parents=True, exist_ok=True)
            one.chmod(0o700)


def _secrets(entry: Mapping[str, Any]) -> Iterator[str]:
    settings = entry.get("settings")
    found = [entry.get("secret"), *(settings.values() if isinstance(settings, Mapping) else ())]
    yield from (
        name for name in found if isinstance(name, str) and name and "/" not in name and len(name) <= 100
    )


def _places(devices: Devices) -> Iterator[str]:
    """What the links of these devices open on this machine."""
    for entry in devices.values():
        link, settings = entry.get("link"), entry.get("settings")
        if link == "serial":
            yield f"the serial port {port_of(str(entry.get('address')))}"
        elif isinstance(link, str) and link in LISTEN:
            told = settings if isinstance(settings, Mapping) else {}
            yield f"the address {told.get('listen', LISTEN[link])}"


def _part(told: object, name: str) -> Devices:
    found = told.get(name) if isinstance(told, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    return {str(id_): one for id_, one in found.items() if isinstance(one, Mapping)}
