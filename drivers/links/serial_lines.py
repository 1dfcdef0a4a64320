"""From the registry to a running serial link: one link a port, whatever number of units share it.

A device's address is its port (`nurse-call`, `/dev/serial/by-id/…`, `socket://host:port`), with `#unit` behind
it where several devices share a line (`cabinet#3`, `stick#0029aa79`, `modem#+4790000000`). Its settings name the
line (`line: "9600 8N1"`) and what the protocol needs; of devices that share a line the first one's count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from drivers.events import Millis
from drivers.links.link import Link, LinkHealth
from drivers.links.serial import SerialLink
from drivers.links.serial_settings import LineSettings, port_of, port_url, unit_of
from drivers.protocols.esp3_line import enocean_machine
from drivers.protocols.espa444_line import espa_machine
from drivers.protocols.gsm_modem import gsm_machine
from drivers.protocols.line import LineMachine
from drivers.protocols.lock_board_line import lock_board_machine

MakeMachine: TypeAlias = Callable[[Mapping[str, Any]], LineMachine]
OnChange: TypeAlias = Callable[[LinkHealth], None]

OSDP: Final = "osdp_door"

PROTOCOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "enocean_button": "EnOcean",
        "enocean_contact": "EnOcean",
        "enocean_key_card": "EnOcean",
        "enocean_leak": "EnOcean",
        "enocean_motion": "EnOcean",
        "enocean_pendant": "EnOcean",
        "enocean_smoke": "EnOcean",
        "espa_nurse_call": "ESPA 4.4.4",
        "lock_board_cabinet": "lock board",
        OSDP: "OSDP",
        "sms_pendant": "GSM",
    }
)
"""Device type → what is spoken on its line."""

MACHINES: Final[Mapping[str, MakeMachine]] = MappingProxyType(
    {
        "EnOcean": enocean_machine,
        "ESPA 4.4.4": espa_machine,
        "GSM": gsm_machine,
        "lock board": lock_board_machine,
    }
)
"""What is spoken → the conversation. OSDP's is libosdp's."""


@dataclass(frozen=True, slots=True)
class LineDevice:
    """A registered device on a serial line. key: its secret, if it has one."""

    type: str
    address: str
    settings: Mapping[str, Any]
    key: bytes | None = field(default=None, repr=False)


def serial_line(
    devices: Sequence[LineDevice], root: Path, now: Callable[[], Millis], *, on_change: OnChange | None = None
) -> Link:
    """The link for all devices of one port, which is at least one.

    root: where relative ports lie. now: world time. Raises ValueError with a sentence for settings that
    cannot be meant, and for devices of different protocols on one line.
    """
    first = devices[0]
    port = port_of(first.address)
    spoken = {PROTOCOLS.get(one.type) or _unknown(one.type) for one in devices}
    if len(spoken) > 1:
        raise ValueError(f"the line {port} cannot speak {' and '.join(sorted(spoken))} at once")
    line = LineSettings.parse(first.settings.get("line"))
    url = port_url(port, root)
    if first.type == OSDP:
        return _osdp(port, url, devices, line, now, on_change)
    machine = MACHINES[spoken.pop()]({"bits": line.bits, **_shared(devices), **first.settings})
    return SerialLink(port, url, machine, line, now, on_change=on_change)


def serial_link(
    device_type: str,
    address: str,
    settings: Mapping[str, Any],
    root: Path,
    now: Callable[[], Millis],
    *,
    on_change: OnChange | None = None,
) -> Link:
    """The link for a port with one device that has no secret."""
    return serial_line([LineDevice(device_type, address, settings)], root, now, on_change=on_change)


def _shared(devices: Sequence[LineDevice]) -> dict[str, Any]:
    """Which units are on the line, as their addresses name them; none where it has one nameless device."""
    units = sorted({unit_of(one.address) for one in devices} - {""})
    return {"unit": units[0], "units": units} if units else {"unit": ""}


def _osdp(
    port: str,
    url: str,
    devices: Sequence[LineDevice],
    line: LineSettings,
    now: Callable[[], Millis],
    on_change: OnChange | None,
) -> Link:
    try:
        from drivers.links.osdp import OsdpLink, reader_of  # noqa: PLC0415  only where libosdp is installed
    except ImportError:
        raise ValueError("OSDP doors need the extra osdp: pip install trygghub[osdp]") from None
    readers = tuple(reader_of(one.address, one.settings, one.key) for one in devices)
    return OsdpLink(port, url, readers, line, now, on_change=on_change)


def _unknown(device_type: str) -> str:
    raise ValueError(f"no protocol is known for a {device_type} on a serial line")
