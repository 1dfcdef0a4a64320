"""Several gateways in one demonstration: each with a folder, a login, a port and a name of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.broker.external import ExternalBroker
from hub.broker.logins import Login
from hub.settings import RunSettings, SettingError, read
from hub.supervisor import boxes, plan, setting_up
from hub.supervisor.folder import DataFolder, Memory
from hub.supervisor.welcome import _gateways

PORTS = {"web": 8420, "centre": 8431, "ble": 9100, "broker": 1883, "gateway-gw1": 8432, "gateway-gw2": 8433}


def device(home: str, link: str, address: str, **more: Any) -> dict[str, Any]:
    """An entry as a registry file has it."""
    return {"home": home, "link": link, "address": address, **more}


TOLD: dict[str, Any] = {
    "gateways": {"gw1": {}, "gw2": {}},
    "homes": {"h1": {"gateway": "gw1"}, "h2": {"gateway": "gw2"}, "h3": {}},
    "devices": {
        "a": device("h1", "mqtt", "h1/a"),
        "b": device("h2", "mqtt", "zigbee2mqtt/kitchen", secret="b.key"),
        "c": device("h2", "serial", "serial/stick#01"),
        "d": device("h3", "mqtt", "h3/d"),
    },
}


def memory(**more: Any) -> Memory:
    """What a run with two gateways remembers."""
    return Memory(
        gateway="gw1", others=["gw2"], demo=True, registry="/r.yaml", ports=PORTS, speed=60.0, **more
    )


def stage(root: Path, memory: Memory) -> plan.Stage:
    """A run that has decided everything."""
    settings = read(RunSettings, ["--data", str(root)], {})
    return plan.Stage(settings, root, memory, ExternalBroker("mqtt://127.0.0.1:1883"), None)


def test_one_gateway_is_as_it_was(tmp_path: Path) -> None:
    """A run with one keeps its folder, its process and what it hears: strangers too."""
    [box] = boxes.boxes(Memory(gateway="gw1", demo=True, registry=""), tmp_path)
    assert (box.process, box.folder, box.ear, box.alone) == ("gateway", tmp_path / "gateway", "hearing", True)


def test_each_gateway_is_a_process_of_its_own(tmp_path: Path) -> None:
    """Folder, port and what it hears differ; serial lines lie where the simulated homes put them."""
    first, _ = plan.in_order(stage(tmp_path, memory()))
    told = {spec.name: spec.environment for spec in first if spec.name.startswith("gateway")}
    assert list(told) == ["gateway-gw1", "gateway-gw2"]
    assert [one["TRYGGHUB_DATA"] for one in told.values()] == [str(tmp_path), str(tmp_path / "gateways/gw2")]
    assert [one["TRYGGHUB_HTTP"] for one in told.values()] == ["8432", "8433"]
    assert {one["TRYGGHUB_DEVICE_TOPICS"] for one in told.values()} == {"own"}
    assert {one["TRYGGHUB_SERIAL_ROOT"] for one in told.values()} == {str(tmp_path)}


def test_each_further_gateway_has_its_own_radio(tmp_path: Path) -> None:
    """Two programs cannot share an adapter: the second is on the virtual radio by itself."""
    first, _ = plan.in_order(stage(tmp_path, memory()))
    second = next(spec.environment for spec in first if spec.name == "gateway-gw2")
    assert second["TRYGGHUB_BLE"] == "tcp:127.0.0.1:9100"
    assert "DBUS_SYSTEM_BUS_ADDRESS" not in second


def test_each_hears_and_tells_its_own_devices_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its login at the broker can do no more."""
    folder = DataFolder(tmp_path)
    folder.prepare()
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(TOLD))
    settings = read(RunSettings, ["--data", str(tmp_path)], {})
    kept = Memory(**{**vars_of(memory()), "registry": str(tmp_path / "r.yaml")})
    made: Any = setting_up.make_broker(settings, folder, kept)
    known: dict[str, Login] = {one.name: one for one in made.logins}
    assert {"gateway-gw1", "gateway-gw2", "hearing-gw1", "hearing-gw2", "centre"} <= known.keys()
    assert known["hearing-gw1"].subscribe == tuple(
        f"homes/h1/devices/+/{one}" for one in ("event", "state", "result")
    )
    assert known["hearing-gw1"].publish == ("homes/h1/devices/+/ack", "homes/h1/devices/+/command")
    assert "zigbee2mqtt/kitchen" in known["hearing-gw2"].subscribe
    assert not [one for one in known["hearing-gw2"].subscribe if one.startswith("homes/h1")]


def vars_of(memory: Memory) -> dict[str, Any]:
    """A memory as its fields."""
    return {name: getattr(memory, name) for name in Memory.__dataclass_fields__}


def test_the_keys_of_a_further_gateway_lie_in_its_own_folder(tmp_path: Path) -> None:
    """Those of its devices, readable by nobody else; other devices' keys are not its business."""
    folder = DataFolder(tmp_path)
    folder.prepare()
    for name in ("a.key", "b.key"):
        (folder.device_secrets / name).write_text("00ff\n")
    boxes.prepare(folder, memory())
    boxes.share_keys(folder, memory(), TOLD)
    there = tmp_path / "gateways" / "gw2" / "gateway" / "secrets"
    assert [one.name for one in there.iterdir()] == ["b.key"]
    assert (there / "b.key").stat().st_mode & 0o077 == 0
    assert there.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (device("h1", "serial", "serial/stick#02"), "the gateways gw1 and gw2 would both open the serial port"),
        (device("h1", "mqtt", "h1/b"), ""),
        (device("h1", "serial", "serial/other#02"), ""),
    ],
)  # fmt: skip
def test_two_gateways_that_want_one_port_are_refused(more: dict[str, Any], says: str) -> None:
    """A cable ends in one box; the sentence names both and the port."""
    told = {**TOLD, "devices": {**TOLD["devices"], "e": more}}
    found = boxes.clash(told, memory())
    assert found.startswith(says)
    assert bool(found) is bool(says)


def test_two_receivers_at_one_address_are_refused() -> None:
    """Also where it is the usual one, which nobody wrote."""
    phones = {name: device(home, "sip", name) for name, home in (("p1", "h1"), ("p2", "h2"))}
    assert "both open the address 127.0.0.1:5060" in boxes.clash({**TOLD, "devices": phones}, memory())


def test_more_gateways_than_a_machine_holds_are_refused(tmp_path: Path) -> None:
    """The sentence says how many there are, how many there may be, and what to do."""
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"gateways": {f"gw{n}": {} for n in range(9)}}))
    settings = read(RunSettings, ["--data", str(tmp_path), "--registry", str(tmp_path / "r.yaml")], {})
    with pytest.raises(SettingError, match="names 9 gateways, and a demonstration starts at most 8"):
        setting_up._first_memory(settings, demo=True, scenario={})
    with pytest.raises(SettingError, match="say with --gateway which one runs here"):
        setting_up._first_memory(settings, demo=False, scenario={})
    one = read(
        RunSettings, ["--data", str(tmp_path), "--registry", str(tmp_path / "r.yaml"), "--gateway", "gw3"], {}
    )
    assert setting_up._first_memory(one, demo=True, scenario={}).others == []


def test_the_banner_tells_them_apart(tmp_path: Path) -> None:
    """Where each answers, keeps its things and writes its log."""
    rows = dict(_gateways(stage(tmp_path, memory()), DataFolder(tmp_path)))
    assert rows["gw2"] == (
        f"127.0.0.1:8433/readyz, {tmp_path}/gateways/gw2/gateway, {tmp_path}/logs/gateway-gw2.log"
    )
    assert (
        _gateways(stage(tmp_path, Memory(gateway="gw1", demo=True, registry="")), DataFolder(tmp_path)) == []
    )
