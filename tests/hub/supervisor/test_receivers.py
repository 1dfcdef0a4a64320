"""Demonstrations that have alarm receivers do not get in each other's way."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from hub.supervisor import ports
from hub.supervisor.folder import DataFolder, Memory
from hub.supervisor.receivers import with_free_receivers
from simulators.play.stage import StageError, at_receiver, receivers_in
from simulators.scenario.load import load
from tests.ports import free_port


def registry(folder: Path, sip: int, tcp: int) -> Memory:
    """A registry with a care phone and a panel, and a memory that names it."""
    devices = {
        "phone": {"type": "scaip_unit", "settings": {"listen": f"127.0.0.1:{sip}"}},
        "other": {"type": "scaip_unit", "settings": {"listen": f"127.0.0.1:{sip}"}},
        "panel": {"type": "dc09_panel", "settings": {"listen": f"127.0.0.1:{tcp}"}},
        "door": {"type": "native_lock"},
    }
    path = folder / "registry.yaml"
    path.write_text(yaml.safe_dump({"devices": devices}))
    return Memory(gateway="gw1", demo=True, registry=str(path))


def test_where_everything_is_free_nothing_changes(tmp_path: Path) -> None:
    """The shipped registry is imported as it is."""
    memory = registry(tmp_path, free_port(), free_port())
    assert with_free_receivers(DataFolder(tmp_path), memory) == memory
    assert not (tmp_path / "simulators").exists()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_taken_port_is_another_one_for_gateway_and_simulators(
    tmp_path: Path, kind: socket.SocketKind
) -> None:
    """Both units that share it move together; the other receiver stays; the shipped file is not touched."""
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        sip, tcp = taken.getsockname()[1], free_port()
        memory = registry(tmp_path, sip, tcp)
        before = Path(memory.registry).read_text()
        found = with_free_receivers(DataFolder(tmp_path), memory)
    devices = yaml.safe_load(Path(found.registry).read_text())["devices"]
    new = devices["phone"]["settings"]["listen"]
    assert new == devices["other"]["settings"]["listen"] != f"127.0.0.1:{sip}"
    assert devices["panel"]["settings"]["listen"] == f"127.0.0.1:{tcp}"
    assert receivers_in(tmp_path / "simulators" / "receivers.json") == {f"127.0.0.1:{sip}": new}
    assert Path(memory.registry).read_text() == before


def test_receivers_that_move_keep_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None comes where another went, nor where a process of the run itself will listen."""
    with socket.socket() as one, socket.socket() as other:
        for taken in (one, other):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
        memory = registry(tmp_path, one.getsockname()[1], other.getsockname()[1])
        near = free_port()
        monkeypatch.setattr(ports, "OWN", range(near, near + 20))
        with_free_receivers(DataFolder(tmp_path), replace(memory, ports={"broker": near}))
    said = receivers_in(tmp_path / "simulators" / "receivers.json")
    assert len({*said.values(), f"127.0.0.1:{near}"}) == 3


def test_a_simulated_unit_reports_where_its_receiver_went(tmp_path: Path) -> None:
    """And where nothing is said, where the scenario says."""
    phone = load("all_links").devices["i-phone"]
    assert at_receiver(phone, {}) is phone
    moved = at_receiver(phone, {"127.0.0.1:15060": "127.0.0.1:40001"})
    assert moved.settings["receiver"] == ("127.0.0.1", 40001)
    assert receivers_in(tmp_path / "none.json") == {}


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_list_of_receivers_is_said(tmp_path: Path, text: str) -> None:
    """In a sentence that names the file."""
    (tmp_path / "receivers.json").write_text(text)
    with pytest.raises(StageError, match=r"receivers\.json"):
        receivers_in(tmp_path / "receivers.json")


def test_a_new_place_that_is_none_is_said() -> None:
    """Rather than an alarm sent nowhere."""
    with pytest.raises(StageError, match="host:port"):
        at_receiver(load("all_links").devices["i-phone"], {"127.0.0.1:15060": "there"})


def test_the_shipped_scenario_and_its_registry_agree() -> None:
    """Each unit reports where its gateway listens."""
    scenario = load("all_links")
    assert scenario.registry is not None
    devices = yaml.safe_load(scenario.registry.read_text("utf-8"))["devices"]
    for name in ("i-phone", "i-panel"):
        host, port = scenario.devices[name].settings["receiver"]
        assert devices[name]["settings"]["listen"] == f"{host}:{port}"
    assert json.dumps(sorted(devices)) == json.dumps(sorted(scenario.devices))
