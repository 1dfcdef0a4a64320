"""Which links a gateway needs for the devices on its roll, and how each is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from drivers.device_type import Unit
from drivers.events import Millis
from drivers.links.ip_lines import LISTEN
from drivers.links.link import Link
from drivers.links.mqtt import MqttLink
from drivers.protocols.mqtt_topics import heard_of
from hub.gateway.problems import Problem
from hub.gateway.roll import Assigned, Roll, named
from hub.gateway.switchboard import Plan


@dataclass(frozen=True, slots=True)
class Ports:
    """Where this gateway's devices are. devices: broker of MQTT devices; ble: which radio; serial: root folder.

    memory: what the decoder of a device remembers, as it is stored. own_topics: the broker is shared with other
    gateways, so only the topics of registered devices are heard.
    """

    gateway: str
    devices: str
    ble: str
    serial: Path
    folder: Path
    now: Callable[[], Millis]
    memory: Callable[[str], Mapping[str, Any]] = field(default=lambda _device: {})
    own_topics: bool = False


def plans_for(roll: Roll, ports: Ports) -> dict[str, Plan]:
    """One MQTT link always (strangers are heard too), Bluetooth where there are such devices, one link a port."""
    plans = {"mqtt": _mqtt(roll, ports)}
    radio_devices = list(roll.on("ble"))
    if ports.ble != "off" and radio_devices:
        plans["ble"] = _ble(ports, radio_devices)
    for port, devices in _together(roll.on("serial"), lambda one: port_of(one.part.address)).items():
        plans[f"serial:{port}"] = _serial(ports, port, devices)
    for kind in ("sip", "tcp"):
        for where, devices in _together(roll.on(kind), _where).items():
            plans[f"{kind}:{where}"] = _receiver(kind, ports, devices)
    return plans


LINKS_NB = {
    "mqtt": "MQTT",
    "ble": "Bluetooth",
    "serial": "en seriell linje",
    "sip": "SIP",
    "tcp": "IP-alarmmottak",
}
LINKS_EN = {
    "mqtt": "MQTT",
    "ble": "Bluetooth",
    "serial": "a serial line",
    "sip": "SIP",
    "tcp": "an IP alarm receiver",
}


def unheard(roll: Roll, ports: Ports, plans: Mapping[str, Plan]) -> list[Problem]:
    """One problem for each device that this gateway cannot hear however well its links are."""
    wrong = {name: why for name, plan in plans.items() if (why := _cannot_be_made(name, plan))}
    now = ports.now()
    found = []
    for device in roll.devices.values():
        at = next((name for name, plan in plans.items() if device.id in plan.carries), "")
        if device.is_assigned(now):
            found.append(_not_heard(device, ports, wrong.get(at)))
    return [problem for problem in found if problem is not None]


def _not_heard(device: Assigned, ports: Ports, wrong: str | None) -> Problem | None:
    name, link = named(device.id, device.part), device.part.link
    if link != device.type.link:
        return Problem(
            f"{name} er registrert på {LINKS_NB[link]}, men typen bruker {LINKS_NB[device.type.link]}",
            f"{name} is registered on {LINKS_EN[link]}, but its type speaks over {LINKS_EN[device.type.link]}",
        )
    if link == "ble" and ports.ble == "off":
        return Problem(
            f"{name} bruker Bluetooth, som er slått av i denne hjemmesentralen",
            f"{name} uses Bluetooth, which is switched off in this gateway",
        )
    if wrong is None:
        return None
    return Problem(
        f"{name} blir ikke hørt, for {LINKS_NB[link]} er satt opp feil",
        f"{name} is not heard, since {LINKS_EN[link]} is set up wrongly",
        wrong,
    )


def _cannot_be_made(name: str, plan: Plan) -> str:
    """Why the settings of a line make no sense; the others are made of what the program itself was given."""
    if name.partition(":")[0] not in {"serial", "sip", "tcp"}:
        return ""
    try:
        plan.make()
    except ValueError as wrong:
        return str(wrong)
    return ""


def _where(device: Assigned) -> str:
    return str(device.part.settings.get("listen", LISTEN[device.part.link]))


def _together(devices: Iterable[Assigned], by: Callable[[Assigned], str]) -> dict[str, list[Assigned]]:
    """Devices that share a link, in the order of the roll."""
    groups: dict[str, list[Assigned]] = {}
    for device in devices:
        groups.setdefault(by(device), []).append(device)
    return groups


def _mqtt(roll: Roll, ports: Ports) -> Plan:
    routes: dict[str, list[str]] = {}
    for device in roll.on("mqtt"):
        for topic in device.type.topics(device.unit.settings):
            routes.setdefault(topic, []).append(device.part.address)

    filters = (topic for device in roll.on("mqtt") for topic in heard_of(device.part.address))
    own = tuple(dict.fromkeys(filters)) if ports.own_topics else None

    def make() -> Link:
        return MqttLink(
            ports.devices, f"gateway-{ports.gateway}-devices", now=ports.now, routes=routes, own=own
        )

    made_of = [ports.devices, sorted(routes.items()), own]
    return Plan(_fingerprint(made_of), make, lambda kind, _address: kind == "mqtt", _ids(roll.on("mqtt")))


def _ble(ports: Ports, devices: list[Assigned]) -> Plan:
    def make() -> Link:
        from drivers.links.ble.radio import open_radios  # noqa: PLC0415  bumble and bleak only where there is Bluetooth
        from drivers.links.ble_link import BleLink  # noqa: PLC0415

        radios = open_radios(ports.ble, bonds=ports.folder / "bonds.json", passkeys=passkeys)
        if not radios:
            raise ValueError("Bluetooth is switched off in this gateway's settings")
        return BleLink("ble", radios, units, ports.now)

    units = {
        one.part.address.lower(): replace(
            one.type.ble,
            settings=one.unit.settings,
            secret=one.unit.key,
            secrets=one.unit.secrets,
            memory=partial(ports.memory, one.id),
        )
        for one in devices
        if one.type.ble is not None
    }
    passkeys = {
        one.part.address.lower(): passkey for one in devices if (passkey := _passkey(one.unit)) is not None
    }
    made_of = [
        ports.ble,
        sorted(
            (one.part.address.lower(), one.type.id, _text(one.unit.settings), _digest(one.unit))
            for one in devices
        ),
        passkeys,
    ]
    heard = _ids(one for one in devices if one.type.ble is not None)
    return Plan(_fingerprint(made_of), make, lambda kind, _address: kind == "ble", heard)


def _passkey(unit: Unit) -> int | None:
    """The number printed on a meter: from its file (`passkey_secret`), or the setting `passkey`."""
    told = unit.secrets.get("passkey", unit.settings.get("passkey"))
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) <= 6:
        return int(told)
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def _serial(ports: Ports, port: str, devices: list[Assigned]) -> Plan:
    def make() -> Link:
        from drivers.links.serial_lines import LineDevice, serial_line  # noqa: PLC0415  only where there is a serial port

        shared = [
            LineDevice(one.type.id, one.part.address, {**one.part.settings, **one.unit.secrets}, one.unit.key)
            for one in devices
        ]
        return serial_line(shared, ports.serial, ports.now)

    return Plan(
        _fingerprint([port, str(ports.serial), _made_of(devices)]),
        make,
        lambda kind, address: kind == "serial" and port_of(address) == port,
        _ids(devices),
    )


def _receiver(kind: str, ports: Ports, devices: list[Assigned]) -> Plan:
    """Alarm units that report to us over IP: SCAIP by SIP, DC-09 by TCP and UDP."""

    def make() -> Link:
        from drivers.links.ip_lines import dc09_line, sip_line  # noqa: PLC0415  only where units report so

        settings = [one.part.settings for one in devices]
        if kind == "sip":
            passwords = {
                one.part.address: said for one in devices if (said := one.unit.secrets.get("password"))
            }
            return sip_line(settings, ports.now, passwords=passwords, secrets=ports.folder / "secrets")
        return dc09_line(settings, {one.part.address: one.unit.key for one in devices}, ports.now)

    return Plan(
        _fingerprint([kind, _made_of(devices)]),
        make,
        lambda asked, _address: asked == kind,
        _ids(devices),
    )


def _ids(devices: Iterable[Assigned]) -> frozenset[str]:
    return frozenset(one.id for one in devices)


def _made_of(devices: list[Assigned]) -> list[object]:
    """What a change of makes another link; of secrets only their digest."""
    return [[one.type.id, one.part.address, one.part.settings, _digest(one.unit)] for one in devices]


def _digest(unit: Unit) -> str:
    return hashlib.sha256((unit.key or b"") + _text(dict(unit.secrets)).encode()).hexdigest()


def port_of(address: str) -> str:
    """The port of a serial address: `cabinet` of `cabinet#3`, unit 3 on a shared line."""
    return address.rpartition("#")[0] if "#" in address else address


def _fingerprint(made_of: object) -> str:
    return hashlib.sha256(_text(made_of).encode()).hexdigest()


def _text(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str).decode()
