"""How a demo's gateway hears Bluetooth: through BlueZ's stand-in where there is a D-Bus daemon, else directly."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hub.broker.external import ExternalBroker
from hub.settings import RunSettings, read
from hub.supervisor import plan
from hub.supervisor.folder import Memory
from hub.supervisor.running import STOP_ORDER

PORTS = {"web": 8420, "centre": 8431, "gateway": 8432, "ble": 9100}


def stage(root: Path, *argv: str, demo: bool) -> plan.Stage:
    """A run that has decided everything."""
    memory = Memory(gateway="gw1", demo=demo, registry="/r.yaml", ports=PORTS, speed=60.0)
    settings = read(RunSettings, ["--data", str(root), *argv], {})
    return plan.Stage(settings, root, memory, ExternalBroker("mqtt://127.0.0.1:1883"), None)


def with_daemon(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    """A machine with a dbus-daemon, or one without."""
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/dbus-daemon" if there else None)


def test_a_demo_hears_through_bluez(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway gets the setting of a real box, and the stand-in runs beside it on the same bus."""
    with_daemon(monkeypatch, there=True)
    one = stage(tmp_path, demo=True)
    told = plan.gateway(one).environment
    assert told["TRYGGHUB_BLE"] == "bluez"
    first, _ = plan.in_order(one)
    (stand_in,) = [spec for spec in first if spec.name == "bluez"]
    socket = stand_in.command[stand_in.command.index("--socket") + 1]
    assert told["DBUS_SYSTEM_BUS_ADDRESS"] == f"unix:path={socket}"
    assert "tcp:127.0.0.1:9100" in stand_in.command


def test_a_demo_without_a_d_bus_hears_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is missing on a machine without it but the BlueZ part."""
    with_daemon(monkeypatch, there=False)
    one = stage(tmp_path, demo=True)
    assert plan.gateway(one).environment["TRYGGHUB_BLE"] == "tcp:127.0.0.1:9100"
    assert "bluez" not in {spec.name for group in plan.in_order(one) for spec in group}


def test_a_real_run_uses_the_machine_s_own_bluetooth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is taken as it is, and no stand-in runs."""
    with_daemon(monkeypatch, there=True)
    one = stage(tmp_path, "--ble", "bluez:hci0,hci1", demo=False)
    told = plan.gateway(one).environment
    assert told["TRYGGHUB_BLE"] == "bluez:hci0,hci1"
    assert "DBUS_SYSTEM_BUS_ADDRESS" not in told
    assert "bluez" not in {spec.name for group in plan.in_order(one) for spec in group}


def test_a_long_data_folder_gets_a_short_socket(tmp_path: Path) -> None:
    """A path longer than a socket's address may be is replaced by one that fits, the same at every start."""
    deep = tmp_path / ("x" * 120)
    assert len(str(plan.bus_socket(deep))) < 108
    assert plan.bus_socket(deep) == plan.bus_socket(deep)
    assert plan.bus_socket(deep) != plan.bus_socket(deep / "y")
    assert plan.bus_socket(Path("/srv/t")) == Path("/srv/t/simulators/bus")


def test_whatever_is_started_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs any more when a run says that it has stopped: each has one place in the order of stopping."""
    with_daemon(monkeypatch, there=True)
    started = [spec.name for group in plan.in_order(stage(tmp_path, demo=True)) for spec in group]
    assert "bluez" in started
    for name in (*started, "broker"):
        assert sum(name.startswith(names) for names in STOP_ORDER) == 1, name
