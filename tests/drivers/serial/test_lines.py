"""From the registry to links: what shares a port, what cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.links.ip_lines import dc09_line, listening, sip_line
from drivers.links.serial import SerialLink
from drivers.links.serial_lines import MACHINES, OSDP, PROTOCOLS, LineDevice, serial_line, serial_link
from drivers.registry import DEVICE_TYPES
from hub.clock import ManualClock

ROOT = Path("/data/serial")
LINE = {"line": "9600 8N1"}


def test_every_serial_device_type_has_a_conversation() -> None:
    """Whoever adds a serial device type finds it missing here."""
    assert {one.id for one in DEVICE_TYPES.values() if one.link == "serial"} == set(PROTOCOLS)
    assert set(PROTOCOLS.values()) == {*MACHINES, "OSDP"}


@pytest.mark.parametrize("type_", sorted(set(PROTOCOLS) - {OSDP}))
def test_every_serial_device_gets_its_link(type_: str) -> None:
    """By type, address and settings alone."""
    link = serial_link(type_, "port", LINE, ROOT, ManualClock().now)
    assert isinstance(link, SerialLink)
    assert link.name == "port"
    assert link.health().state == "configured"


def test_an_osdp_line_has_all_its_readers() -> None:
    """Each with its own key."""
    pytest.importorskip("osdp", reason="libosdp is not installed (extra osdp)")
    devices = [LineDevice(OSDP, f"door#{n}", LINE, key=bytes([n] * 16)) for n in (1, 2)]
    link = serial_line(devices, ROOT, ManualClock().now)
    assert [one.address for one in link._readers] == [1, 2]  # type: ignore[attr-defined]


def test_cabinets_that_share_a_line_are_all_read() -> None:
    """The boards are those of the registered addresses."""
    devices = [LineDevice("lock_board_cabinet", f"cabinet#{n}", LINE) for n in (3, 4)]
    link: Any = serial_line(devices, ROOT, ManualClock().now)
    assert link._machine._boards == (3, 4)


def test_stations_that_share_an_espa_line_are_all_polled() -> None:
    """And their frames carry their addresses."""
    devices = [LineDevice("espa_nurse_call", f"line#{n}", LINE) for n in (2, 3)]
    link: Any = serial_line(devices, ROOT, ManualClock().now)
    assert (link._machine.line.stations, link._machine.line.named) == (("2", "3"), True)


@pytest.mark.parametrize(
    ("devices", "says"),
    [
        ([LineDevice("espa_nurse_call", "a", {})], "a serial line is written like"),
        ([LineDevice("espa_nurse_call", "../a", LINE)], "inside the serial folder"),
        ([LineDevice("native_lock", "a", LINE)], "no protocol is known for a native_lock"),
        ([LineDevice("espa_nurse_call", "a", {**LINE, "role": "boss"})], "one of control, station"),
        ([LineDevice("espa_nurse_call", "a", LINE), LineDevice("enocean_leak", "a#01", LINE)], "at once"),
        ([LineDevice(OSDP, "a#1", LINE)], "needs its Secure Channel key"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(devices: list[LineDevice], says: str) -> None:
    """The gateway shows it instead of opening a strange line."""
    with pytest.raises(ValueError, match=says):
        serial_line(devices, ROOT, ManualClock().now)


@pytest.mark.parametrize("text", ["5060", ":5060", "host:", "host:x", "host:70000", "host:0"])
def test_where_to_listen_is_host_and_port(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="an address and a port"):
        listening("sip", {"listen": text})


def test_receivers_listen_on_this_machine_unless_told() -> None:
    """Nothing is opened to the world by accident."""
    assert listening("sip", {})[0] == listening("tcp", {})[0] == "127.0.0.1"
    assert sip_line([{}], ManualClock().now).name == "sip:127.0.0.1:5060"
    assert dc09_line([{}], {"12ab": None}, ManualClock().now).name == "dc09:127.0.0.1:12000"


def test_a_key_of_the_wrong_length_is_refused_without_repeating_it() -> None:
    """The sentence names the account, not the secret."""
    with pytest.raises(ValueError, match="account 1234 has 16, 24 or 32 bytes, not 6"):
        dc09_line([{}], {"1234": b"secret"}, ManualClock().now)
