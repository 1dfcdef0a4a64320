"""Which Bluetooth devices are near, and what each could be registered as."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.links.ble.commission import Found
from drivers.protocols import nuki

BASE = "0000{}-0000-1000-8000-00805f9b34fb"
SERVICES = {
    BASE.format("1810"): "sig_blood_pressure",
    BASE.format("1808"): "sig_glucose_meter",
    BASE.format("1809"): "sig_thermometer",
    BASE.format("180d"): "sig_heart_rate",
    BASE.format("181d"): "sig_weight_scale",
    BASE.format("1822"): "sig_pulse_oximeter",
    "a92ee100-5501-11e4-916c-0800200c9a66": "nuki_ble",
    "a92ee200-5501-11e4-916c-0800200c9a66": "nuki_ble",
}
"""Advertised service → device type."""

BTHOME = BASE.format("fcd2")


def could_be(found: Found) -> str:
    """The device type, or what tells people which one to choose; empty for a device that is none of ours."""
    for service in sorted(found.services):
        if service in SERVICES:
            return SERVICES[service]
    if BTHOME in found.data:
        return "bthome_…"
    beacon = found.makers.get(nuki.APPLE, b"")
    return "nuki_ble" if beacon[:2] == nuki.IBEACON and beacon[2:18] == nuki.SERVICE else ""


def table(found: list[Found], *, everything: bool) -> Iterator[str]:
    """One line a device, the strongest first."""
    for one in found:
        kind = could_be(one)
        if kind or everything:
            yield f"{one.address}  {one.rssi:>4} dBm  {kind or '-':<20} {one.name}".rstrip()
