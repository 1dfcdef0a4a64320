"""Which links a gateway makes for the devices on its roll."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.registry import DEVICE_TYPES
from hub.clock import ManualClock
from hub.gateway.link_plans import Ports, plans_for, unheard
from hub.gateway.problems import Problem
from hub.gateway.roll import call_the_roll
from hub.registry.models import GatewayPart

SINCE = "2026-01-01T00:00:00Z"


def unit(type_: str, address: str, **more: Any) -> dict[str, Any]:
    """One registered device."""
    type_of = DEVICE_TYPES[type_]
    return {"home": "h1", "class": type_of.device_class, "type": type_, "link": type_of.link, "address": address,
            "since": SINCE, **more}  # fmt: skip


def part_of(devices: dict[str, dict[str, Any]]) -> GatewayPart:
    """The registry part of one home with these devices."""
    homes = {"h1": {"address": "Storgata 1", "zone": "z1"}}
    return GatewayPart.model_validate({"gateway": "g1", "homes": homes, "residents": {}, "devices": devices})


def ports(tmp_path: Path, ble: str = "off") -> Ports:
    """The ports of the gateway."""
    return Ports("g1", "mqtt://127.0.0.1:1", ble, tmp_path, tmp_path, ManualClock().now)


def plans(tmp_path: Path, **devices: dict[str, Any]) -> dict[str, Any]:
    """The plans for these devices."""
    return dict(plans_for(call_the_roll(part_of(devices), DEVICE_TYPES, tmp_path), ports(tmp_path)))


def problems(tmp_path: Path, ble: str = "off", **devices: dict[str, Any]) -> list[Problem]:
    """Which of these devices cannot be heard."""
    roll = call_the_roll(part_of(devices), DEVICE_TYPES, tmp_path)
    where = ports(tmp_path, ble)
    return unheard(roll, where, plans_for(roll, where))


def test_devices_of_one_port_share_a_link(tmp_path: Path) -> None:
    """Three EnOcean devices behind one stick, and a nurse-call system on its own port."""
    line = {"settings": {"line": "57600 8N1"}}
    made = plans(
        tmp_path,
        door=unit("enocean_contact", "stick#01825dab", **line),
        button=unit("enocean_pendant", "stick#00298979", **line),
        leak=unit("enocean_leak", "stick#0029897a", **line),
        nurse=unit("espa_nurse_call", "nurse-call", settings={"line": "9600 8N1"}),
    )
    assert set(made) == {"mqtt", "serial:stick", "serial:nurse-call"}
    assert made["serial:stick"].make().name == "stick"
    assert made["serial:stick"].serves("serial", "stick#00298979")
    assert not made["serial:stick"].serves("serial", "nurse-call")


def test_a_modem_knows_the_pin_of_its_card(tmp_path: Path) -> None:
    """The PIN comes from its file; another PIN in the file makes another link, and the plan does not show it."""
    alarm = unit("sms_pendant", "modem#+4799000001", settings={"line": "115200 8N1", "pin_secret": "sim.pin"})
    (tmp_path / "sim.pin").write_text("4711")
    first = plans(tmp_path, alarm=alarm)["serial:modem"]
    assert first.make().name == "modem"
    assert "4711" not in repr(first)
    (tmp_path / "sim.pin").write_text("none")
    second = plans(tmp_path, alarm=alarm)["serial:modem"]
    assert second.fingerprint != first.fingerprint
    with pytest.raises(ValueError, match="a card's PIN is 4 to 8 digits"):
        second.make()


def test_readers_of_one_line_bring_their_keys(tmp_path: Path) -> None:
    """Each from a file of its own; a reader whose key is missing is said when the line is made."""
    pytest.importorskip("osdp", reason="libosdp is not installed (extra osdp)")
    (tmp_path / "front.key").write_text("00" * 16)
    settings = {"line": "9600 8N1"}
    front = unit("osdp_door", "doors#1", secret="front.key", settings=settings)
    link = plans(tmp_path, front=front)["serial:doors"].make()
    assert [one.key for one in link._readers] == [bytes(16)]
    back = unit("osdp_door", "doors#2", settings=settings)
    with pytest.raises(ValueError, match="needs its Secure Channel key"):
        plans(tmp_path, front=front, back=back)["serial:doors"].make()


def test_a_changed_key_makes_another_link(tmp_path: Path) -> None:
    """The fingerprint changes with the key, and does not tell it."""
    (tmp_path / "front.key").write_text("00" * 16)
    front = unit("osdp_door", "doors#1", secret="front.key", settings={"line": "9600 8N1"})
    before = plans(tmp_path, front=front)["serial:doors"].fingerprint
    (tmp_path / "front.key").write_text("11" * 16)
    assert plans(tmp_path, front=front)["serial:doors"].fingerprint != before


def test_alarm_units_share_a_receiver_where_they_listen_alike(tmp_path: Path) -> None:
    """Two care phones on one SIP port, a panel on another protocol."""
    here = {"settings": {"listen": "127.0.0.1:5070"}}
    made = plans(
        tmp_path,
        phone=unit("scaip_unit", "1000200030", **here),
        other=unit("scaip_unit", "1000200031", **here),
        panel=unit("dc09_panel", "1234", settings={"listen": "127.0.0.1:12009"}),
    )
    assert set(made) == {"mqtt", "sip:127.0.0.1:5070", "tcp:127.0.0.1:12009"}
    assert made["sip:127.0.0.1:5070"].make().port == 5070
    assert made["tcp:127.0.0.1:12009"].make().port == 12009


def test_a_device_on_a_link_that_is_off_is_a_problem(tmp_path: Path) -> None:
    """With Bluetooth off Astrid's pendant is named, in both languages; with a radio it is not."""
    pendant = unit("bthome_pendant", "aa:bb:cc:dd:ee:ff", name="Armbånd")
    lock = unit("native_lock", "h1/lock")
    [found] = problems(tmp_path, pendant=pendant, lock=lock)
    assert found.nb == "Armbånd (pendant) bruker Bluetooth, som er slått av i denne hjemmesentralen"
    assert found.en == "Armbånd (pendant) uses Bluetooth, which is switched off in this gateway"
    assert problems(tmp_path, "bluez", pendant=pendant, lock=lock) == []


def test_a_line_without_settings_is_a_problem_of_each_device(tmp_path: Path) -> None:
    """A port whose line nobody gave, a receiver that cannot listen there: the detail says what was expected."""
    found = problems(
        tmp_path,
        door=unit("enocean_contact", "stick#01825dab"),
        button=unit("enocean_pendant", "stick#00298979"),
        phone=unit("scaip_unit", "1000200030", settings={"listen": "everywhere"}),
        nurse=unit("espa_nurse_call", "nurse-call", settings={"line": "9600 8N1"}),
    )
    assert [one.nb.partition(" ")[0] for one in found] == ["door", "button", "phone"]
    assert all("er satt opp feil" in one.nb and one.detail for one in found)
    assert "an address and a port" in found[2].detail


def test_a_device_on_the_wrong_link_is_a_problem(tmp_path: Path) -> None:
    """A Bluetooth pendant registered on MQTT will never be heard."""
    [found] = problems(tmp_path, "bluez", pendant=unit("bthome_pendant", "h1/p", link="mqtt"))
    assert found.nb == "pendant er registrert på MQTT, men typen bruker Bluetooth"


def test_links_know_the_devices_behind_them(tmp_path: Path) -> None:
    """Each plan names the registered devices that are lost when its link is down."""
    made = plans(
        tmp_path,
        lock=unit("native_lock", "h1/lock"),
        nurse=unit("espa_nurse_call", "nurse-call", settings={"line": "9600 8N1"}),
    )
    assert {name: set(plan.carries) for name, plan in made.items()} == {
        "mqtt": {"lock"},
        "serial:nurse-call": {"nurse"},
    }
