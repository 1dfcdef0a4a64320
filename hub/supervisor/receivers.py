"""Ports where simulated alarm units report: those of the registry where they are free, else others.

Two demonstrations on one machine would listen on the same ports otherwise. The run imports a copy of the registry with
the ports it found, and tells the simulators in `simulators/receivers.json` where the others went (old → new).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from hub.supervisor import ports
from hub.supervisor.folder import DataFolder, Memory

HERE: Final = "127.0.0.1"


def with_free_receivers(folder: DataFolder, memory: Memory) -> Memory:
    """Look at the registry's ports on a demonstration's first start; what to remember."""
    told = yaml.safe_load(Path(memory.registry).read_text(encoding="utf-8"))
    moved = _elsewhere([one for one in sorted(set(_listening(told))) if not _is_free(one)], memory)
    if not moved:
        return memory
    for settings in _settings(told):
        for name in ("listen", "listen_tls"):
            if settings.get(name) in moved:
                settings[name] = moved[settings[name]]
    copy = folder.root / "registry-of-the-demo.yaml"
    copy.write_text(yaml.safe_dump(told, allow_unicode=True, sort_keys=False), encoding="utf-8")
    said = folder.root / "simulators" / "receivers.json"
    said.parent.mkdir(parents=True, exist_ok=True)
    said.write_text(json.dumps(moved, indent=1) + "\n", encoding="utf-8")
    return replace(memory, registry=str(copy.absolute()))


def _elsewhere(taken: Sequence[str], memory: Memory) -> dict[str, str]:
    """Another place for each, none twice and none of the run's own."""
    given = set(memory.ports.values())
    found = {}
    for old in taken:
        port = ports.any_free(but=given)
        given.add(port)
        found[old] = f"{HERE}:{port}"
    return found


def _settings(told: Any) -> Iterator[dict[str, Any]]:
    devices = told.get("devices") if isinstance(told, dict) else None
    for device in devices.values() if isinstance(devices, dict) else ():
        settings = device.get("settings") if isinstance(device, dict) else None
        if isinstance(settings, dict):
            yield settings


def _listening(told: Any) -> Iterator[str]:
    for settings in _settings(told):
        for name in ("listen", "listen_tls"):
            if str(settings.get(name, "")).startswith(f"{HERE}:"):
                yield str(settings[name])


def _is_free(where: str) -> bool:
    port = where.rpartition(":")[2]
    if not port.isdigit() or not 0 < int(port) < 65_536:
        return True  # the import says what is wrong with it
    return ports.free(HERE, int(port)) and _is_free_for_datagrams(int(port))


def _is_free_for_datagrams(port: int) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((HERE, port))
        except OSError:
            return False
        return True
