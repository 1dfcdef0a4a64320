"""Which links a gateway needs for the devices on its roll, and how each is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from drivers.events import Millis
from drivers.links.link import Link
from drivers.links.mqtt import MqttLink
from hub.gateway.roll import Assigned, Roll
from hub.gateway.switchboard import Plan


@dataclass(frozen=True, slots=True)
class Ports:
    """Where this gateway's devices are. devices: broker of MQTT devices; ble: which radio; serial: root folder."""

    gateway: str
    devices: str
    ble: str
    serial: Path
    folder: Path
    now: Callable[[], Millis]


def plans_for(roll: Roll, ports: Ports) -> dict[str, Plan]:
    """One MQTT link always (strangers are heard too), Bluetooth where there are such devices, one link a port."""
    plans = {"mqtt": _mqtt(ports)}
    radio_devices = list(roll.on("ble"))
    if ports.ble != "off" and radio_devices:
        plans["ble"] = _ble(ports, radio_devices)
    for device in roll.on("serial"):
        plans.setdefault(f"serial:{port_of(device.part.address)}", _serial(ports, device))
    return plans


def _mqtt(ports: Ports) -> Plan:
    def make() -> Link:
        return MqttLink(ports.devices, f"gateway-{ports.gateway}-devices", now=ports.now)

    return Plan(ports.devices, make, lambda kind, _address: kind == "mqtt")


def _ble(ports: Ports, devices: list[Assigned]) -> Plan:
    def make() -> Link:
        from drivers.links.ble.radio import open_radio  # noqa: PLC0415  bumble and bleak only where there is Bluetooth
        from drivers.links.ble_link import BleLink  # noqa: PLC0415

        radio = open_radio(ports.ble, bonds=ports.folder / "bonds.json", passkeys=passkeys)
        if radio is None:
            raise ValueError("Bluetooth is switched off in this gateway's settings")
        return BleLink("ble", radio, units, ports.now)

    units = {
        one.part.address.lower(): replace(one.type.ble, settings=one.unit.settings, secret=one.unit.key)
        for one in devices
        if one.type.ble is not None
    }
    passkeys = {
        one.part.address.lower(): one.part.settings["passkey"]
        for one in devices
        if isinstance(one.part.settings.get("passkey"), int)
    }
    made_of = [
        ports.ble,
        sorted((one.part.address.lower(), one.type.id, _text(one.unit.settings)) for one in devices),
        passkeys,
    ]
    return Plan(_fingerprint(made_of), make, lambda kind, _address: kind == "ble")


def _serial(ports: Ports, device: Assigned) -> Plan:
    part, port = device.part, port_of(device.part.address)

    def make() -> Link:
        from drivers.links.serial_lines import serial_link  # noqa: PLC0415  only where there is a serial port

        return serial_link(device.type.id, part.address, part.settings, ports.serial, ports.now)

    made_of = [device.type.id, port, str(ports.serial), part.settings]
    return Plan(
        _fingerprint(made_of), make, lambda kind, address: kind == "serial" and port_of(address) == port
    )


def port_of(address: str) -> str:
    """The port of a serial address: `cabinet` of `cabinet#3`, unit 3 on a shared line."""
    return address.rpartition("#")[0] if "#" in address else address


def _fingerprint(made_of: object) -> str:
    return hashlib.sha256(_text(made_of).encode()).hexdigest()


def _text(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str).decode()
