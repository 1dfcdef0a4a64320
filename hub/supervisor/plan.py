"""Which processes a run consists of, and what each is told. Pure: data in, specs out.

Settings go to children by environment, so that no password stands in a process list.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.broker.backend import Broker
from hub.broker.check import await_broker
from hub.clock import ScaledClock
from hub.settings import RunSettings
from hub.supervisor.asking import http_ready, listening, listening_at
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

    @property
    def gateway_login(self) -> str:
        """The broker login of this machine's gateway."""
        return f"gateway-{self.memory.gateway}"

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


def gateway(stage: Stage) -> Spec:
    """The gateway, with simulated homes on its ports in a demo."""
    http = stage.memory.ports["gateway"]
    told = {
        "TRYGGHUB_ID": stage.memory.gateway,
        "TRYGGHUB_UPLINK": stage.broker.url(stage.gateway_login),
        "TRYGGHUB_DEVICES": stage.broker.url("hearing"),
        "TRYGGHUB_HTTP": str(http),
        **_bluetooth(stage),
        **_rules(stage),
    }
    return Spec("gateway", (*PYTHON, "hub.cli", "gateway"), {**stage.shared, **told}, http_ready(http))


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
    asked = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  only to ask ourselves
    return Spec("web", (*PYTHON, "dashboard"), {**stage.shared, **told}, http_ready(port, host=asked))


def simulators(stage: Stage) -> Spec:
    """The simulated homes of a demo."""
    told = {
        "TRYGGHUB_BROKER": stage.broker.url("devices"),
        "TRYGGHUB_BRIDGES": stage.broker.url("bridges"),
        "TRYGGHUB_BLE_PORT": str(stage.memory.ports["ble"]),
        "TRYGGHUB_FIRST_DAY": stage.memory.first_day,
    }
    command = (*PYTHON, "simulators", stage.settings.scenario)
    return Spec("simulators", command, {**stage.shared, **told}, listening(stage.memory.ports["ble"]))


def bluez(stage: Stage) -> Spec:
    """BlueZ's stand-in on a private bus, so that a demo's gateway uses Bluetooth as a box with a dongle does."""
    socket = bus_socket(stage.root)
    command = (*PYTHON, "simulators.bluez", "--radio", stage.radio, "--socket", str(socket), "--stay")
    return Spec("bluez", command, stage.shared, listening_at(socket))


def in_order(stage: Stage) -> tuple[tuple[Spec, ...], ...]:
    """Everything but the broker: what starts together, one group after the other is ready.

    The homes of a demo begin to speak when somebody listens: what they said before would be judged as come too late.
    """
    homes = (simulators(stage),) if stage.memory.demo else ()
    stand_in = (bluez(stage),) if stage.with_bluez else ()
    return (centre(stage), *stand_in, gateway(stage)), (*homes, web(stage))


def bus_socket(root: Path) -> Path:
    """Where the private bus listens: in the data folder, or in our runtime folder where that path is too long."""
    inside = root / "simulators" / "bus"
    if len(str(inside)) <= LONGEST_SOCKET:
        return inside
    name = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"trygghub-{name}.bus"


def _bluetooth(stage: Stage) -> dict[str, str]:
    if stage.with_bluez:
        return {
            "TRYGGHUB_BLE": "bluez",
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus_socket(stage.root)}",
        }
    return {"TRYGGHUB_BLE": stage.radio if stage.memory.demo else stage.settings.ble}


def _database(stage: Stage) -> dict[str, str]:
    return {"TRYGGHUB_DATABASE": stage.settings.database} if stage.settings.database else {}


def _rules(stage: Stage) -> dict[str, str]:
    return {"TRYGGHUB_RULES": str(stage.settings.rules.absolute())} if stage.settings.rules else {}
