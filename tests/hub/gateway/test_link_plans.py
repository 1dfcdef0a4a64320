"""Which links a gateway makes for the devices on its roll."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.registry import DEVICE_TYPES
from hub.clock import ManualClock
from hub.gateway.link_plans import Ports, plans_for
from hub.gateway.roll import call_the_roll
from hub.registry.models import GatewayPart

SINCE = "2026-01-01T00:00:00Z"


def unit(type_: str, address: str, **more: Any) -> dict[str, Any]:
    """One registered device."""
    type_of = DEVICE_TYPES[type_]
    return {"home": "h1", "class": type_of.device_class, "type": type_, "link": type_of.link, "address": address,
            "since": SINCE, **more}  # fmt: skip


def plans(tmp_path: Path, **devices: dict[str, Any]) -> dict[str, Any]:
    """The plans for these devices."""
    part = GatewayPart.model_validate(
        {
            "gateway": "g1",
            "homes": {"h1": {"address": "Storgata 1", "zone": "z1"}},
            "residents": {},
            "devices": devices,
        }
    )
    ports = Ports("g1", "mqtt://127.0.0.1:1", "off", tmp_path, tmp_path, ManualClock().now)
    return dict(plans_for(call_the_roll(part, DEVICE_TYPES, tmp_path), ports))


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
