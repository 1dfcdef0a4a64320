"""Which processes a run consists of, and what each is told. Pure: data in, specs out.

Settings go to children by environment, so that no password stands in a process list.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.broker.backend import Broker
from hub.broker.check import await_broker
from hub.clock import ScaledClock
from hub.settings import RunSettings
from hub.supervisor.asking import http_ready, listening_at, written
from hub.supervisor.boxes import Box, boxes
from hub.supervisor.child import Spec
from hub.supervisor.folder import Memory

PYTHON = (sys.executable, "-P", "-m")
"""-P: the folder we happen to stand in must not shadow our packages."""

LONGEST_SOCKET = 100
"""Characters of a socket's path; Linux takes 107 (unix(7))."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything a run has decided before the first process starts."""

    settings: RunSettings
    root: Path
    memory: Memory
    broker: Broker
    clock: ScaledClock | None
    listener: socket.socket | None = None
    """The dashboard's port, held from the beginning and handed on."""

    @property
    def gateway_login(self) -> str:
        """The broker login of this machine's gateway, the first of several."""
        return f"gateway-{self.memory.gateway}"

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The gateways."""
        return boxes(self.memory, self.root)

    @property
    def radio(self) -> str:
        """The virtual radio of a demo."""
        return f"tcp:127.0.0.1:{self.memory.ports['ble']}"

    @property
    def with_bluez(self) -> bool:
        """Whether Bluetooth goes through BlueZ's stand-in: in a demo, where there is a D-Bus daemon to run it on."""
        return self.memory.demo and shutil.which("dbus-daemon") is not None

    @property
    def shared(self) -> Mapping[str, str]:
        """What every process is told."""
        told = {"TRYGGHUB_DATA": str(self.root), "PYTHONUNBUFFERED": "1"}
        if self.clock is not None:
            told["TRYGGHUB_CLOCK"] = self.clock.as_text()
        return told


def broker(stage: Stage, command: tuple[str, ...]) -> Spec:
    """The broker, where it is ours to start."""
    url = stage.broker.url("centre")

    async def ready() -> bool:
        try:
            await asyncio.to_thread(await_broker, url, 1.0)
        except TimeoutError:
            return False
        return True

    return Spec("broker", command, {}, ready)


def centre(stage: Stage) -> Spec:
    """The centre, with its embedded database unless another is named."""
    http = stage.memory.ports["centre"]
    told = {
        "TRYGGHUB_BROKER": stage.broker.url("centre"),
        "TRYGGHUB_HTTP": str(http),
        **_database(stage),
        **_rules(stage),
    }
    return Spec("centre", (*PYTHON, "hub.cli", "centre"), {**stage.shared, **told}, http_ready(http))


def gateway(stage: Stage, box: Box | None = None) -> Spec:
    """A gateway, the first if none is named, with simulated homes on its ports in a demo."""
    box = box or stage.boxes[0]
    http = stage.memory.ports[box.process]
    told = {
        "TRYGGHUB_ID": box.id,
        "TRYGGHUB_DATA": str(box.data),
        "TRYGGHUB_SERIAL_ROOT": str(stage.root),
        "TRYGGHUB_UPLINK": stage.broker.url(f"gateway-{box.id}"),
        "TRYGGHUB_DEVICES": stage.broker.url(box.ear),
        "TRYGGHUB_DEVICE_TOPICS": "all" if box.alone else "own",
        "TRYGGHUB_HTTP": str(http),
        **_bluetooth(stage, box),
        **_rules(stage),
    }
    return Spec(box.process, (*PYTHON, "hub.cli", "gateway"), {**stage.shared, **told}, http_ready(http))


def web(stage: Stage) -> Spec:
    """The dashboard."""
    port, host = stage.memory.ports["web"], stage.settings.host
    told = {
        "TRYGGHUB_BROKER": stage.broker.url("web"),
        "TRYGGHUB_HOST": host,
        "TRYGGHUB_PORT": str(port),
        **_database(stage),
        **_rules(stage),  # for the questions "why" and "what if"
    }
    handed = () if stage.listener is None else (stage.listener.fileno(),)
    if handed:
        told["TRYGGHUB_LISTENER"] = str(handed[0])
    asked = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  only to ask ourselves
    ready = http_ready(port, host=asked)
    return Spec("web", (*PYTHON, "dashboard"), {**stage.shared, **told}, ready, handed)


def simulators(stage: Stage) -> Spec:
    """The simulated homes of a demo."""
    told = {
        "TRYGGHUB_BROKER": stage.broker.url("devices"),
        "TRYGGHUB_BRIDGES": stage.broker.url("bridges"),
        "TRYGGHUB_BLE_PORT": str(stage.memory.ports["ble"]),
        "TRYGGHUB_FIRST_DAY": stage.memory.first_day,
    }
    command = (*PYTHON, "simulators", stage.settings.scenario)
    return Spec("simulators", command, {**stage.shared, **told}, written(homes_there(stage.root)))


def homes_there(root: Path) -> Path:
    """The file that the simulated homes write when they are there."""
    return root / "simulators" / "ready"


def bluez(stage: Stage) -> Spec:
    """BlueZ's stand-in on a private bus, so that a demo's gateway uses Bluetooth as a box with a dongle does."""
    path = bus_socket(stage.root)
    command = (*PYTHON, "simulators.bluez", "--radio", stage.radio, "--socket", str(path), "--stay")
    return Spec("bluez", command, stage.shared, listening_at(path))


def in_order(stage: Stage) -> tuple[tuple[Spec, ...], ...]:
    """Everything but the broker: what starts together, one group after the other is ready.

    The homes of a demo begin to speak when somebody listens: what they said before would be judged as come too late.
    """
    homes = (simulators(stage),) if stage.memory.demo else ()
    stand_in = (bluez(stage),) if stage.with_bluez else ()
    gateways = [gateway(stage, box) for box in stage.boxes]
    return (centre(stage), *stand_in, *gateways), (*homes, web(stage))


def bus_socket(root: Path) -> Path:
    """Where the private bus listens: in the data folder, or in our runtime folder where that path is too long."""
    inside = root / "simulators" / "bus"
    if len(str(inside)) <= LONGEST_SOCKET:
        return inside
    name = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"trygghub-{name}.bus"


def _bluetooth(stage: Stage, box: Box) -> dict[str, str]:
    """The first gateway hears through the stand-in, each further one by a stack of its own on the virtual radio."""
    if stage.with_bluez and box == stage.boxes[0]:
        return {
            "TRYGGHUB_BLE": "bluez",
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus_socket(stage.root)}",
        }
    return {"TRYGGHUB_BLE": stage.radio if stage.memory.demo else stage.settings.ble}


def _database(stage: Stage) -> dict[str, str]:
    return {"TRYGGHUB_DATABASE": stage.settings.database} if stage.settings.database else {}


def _rules(stage: Stage) -> dict[str, str]:
    return {"TRYGGHUB_RULES": str(stage.settings.rules.absolute())} if stage.settings.rules else {}
