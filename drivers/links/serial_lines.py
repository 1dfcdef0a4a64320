"""From the registry to a running serial link: one link a port, whatever number of units share it.

A device's address is its port (`nurse-call`, `/dev/serial/by-id/…`, `socket://host:port`), with `#unit` behind
it where several devices share a line (`cabinet#3`). Its settings name the line (`line: "9600 8N1"`) and what
the protocol needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from drivers.events import Millis
from drivers.links.link import LinkHealth
from drivers.links.serial import SerialLink
from drivers.links.serial_settings import LineSettings, port_of, port_url, unit_of
from drivers.protocols.esp3_line import enocean_machine
from drivers.protocols.espa444_line import espa_machine
from drivers.protocols.gsm_modem import gsm_machine
from drivers.protocols.line import LineMachine
from drivers.protocols.lock_board_line import lock_board_machine

MakeMachine: TypeAlias = Callable[[Mapping[str, Any]], LineMachine]

ENOCEAN = (
    "enocean_button",
    "enocean_contact",
    "enocean_key_card",
    "enocean_leak",
    "enocean_motion",
    "enocean_pendant",
    "enocean_smoke",
)

MACHINES: Final[Mapping[str, MakeMachine]] = MappingProxyType(
    {
        "espa_nurse_call": espa_machine,
        "lock_board_cabinet": lock_board_machine,
        "sms_pendant": gsm_machine,
        **dict.fromkeys(ENOCEAN, enocean_machine),
    }
)
"""Device type → the conversation on its line."""


def serial_link(
    device_type: str,
    address: str,
    settings: Mapping[str, Any],
    root: Path,
    now: Callable[[], Millis],
    *,
    on_change: Callable[[LinkHealth], None] | None = None,
) -> SerialLink:
    """Make the link of a registered device; the devices that share its port share this link.

    root: where relative ports lie. now: world time. Raises ValueError with a sentence for settings that
    cannot be meant.
    """
    make = MACHINES.get(device_type)
    if make is None:
        raise ValueError(f"no protocol is known for a {device_type} on a serial line")
    port = port_of(address)
    line = LineSettings.parse(settings.get("line"))
    machine = make({"bits": line.bits, "unit": unit_of(address), **settings})
    return SerialLink(port, port_url(port, root), machine, line, now, on_change=on_change)
