"""What a gateway's copy of the registry asks for, and whether this machine has it: types, keys, radios, ports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drivers.links.serial_settings import port_url
from drivers.registry import DEVICE_TYPES
from hub.doctor.finding import Finding, fail, ok, warn
from hub.gateway.link_plans import Ports, plans_for, port_of, unheard
from hub.gateway.registry_copy import MAX_BYTES, PartError, read
from hub.gateway.roll import Roll, call_the_roll
from hub.uplink.messages import Part


@dataclass(frozen=True, slots=True)
class Box:
    """Where a gateway's things are. ble: its radio setting; now: ms UTC."""

    folder: Path
    serial: Path
    ble: str
    now: int


def roll_of(box: Box) -> Roll | Finding | None:
    """The devices of this gateway; a finding where its registry cannot be read, None where it has none yet."""
    path = box.folder / "registry.json"
    try:
        with path.open("rb") as file:
            message = Part.model_validate_json(file.read(MAX_BYTES))
        copy = read(message, str(message.registry.get("gateway", "")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, PartError) as wrong:
        return fail(
            f"the gateway's copy of the registry {path} cannot be read: {_first(wrong)}",
            "delete it; with a connection to the centre the gateway gets another",
        )
    return call_the_roll(copy.part, DEVICE_TYPES, box.folder / "secrets")


def registry(roll: Roll, box: Box) -> Iterator[Finding]:
    """Faults of the set-up: unknown types, missing keys, links that cannot be made."""
    ports = Ports(roll.part.gateway, "mqtt://127.0.0.1:1", box.ble, box.serial, box.folder, lambda: box.now)
    wrong = [*roll.problems, *unheard(roll, ports, plans_for(roll, ports))]
    for problem in wrong:
        yield fail(str(problem), "mend it in the registry or with trygghub provision")
    counts = f"{len(roll.part.homes)} homes and {len(roll.devices)} devices"
    if not wrong:
        yield ok(f"the registry of {roll.part.gateway} names {counts}, and all of them can be made")


def serial_ports(roll: Roll, box: Box) -> Iterator[Finding]:
    """Whether each port is there and may be used."""
    for port in sorted({port_of(one.part.address) for one in roll.on("serial")}):
        try:
            url = port_url(port, box.serial)
        except ValueError as wrong:
            yield fail(
                f"the serial port {port!r} cannot be meant: {wrong}", "mend its address in the registry"
            )
            continue
        yield _remote(url) if "://" in url else _port(Path(url))


def _port(path: Path) -> Finding:
    if not path.exists():
        return fail(f"the serial port {path} is not there", "plug it in; ls /dev/serial/by-id shows what is")
    if not os.access(path, os.R_OK | os.W_OK):
        return fail(
            f"this user may not use the serial port {path}",
            "add it to the group dialout (usermod -aG dialout trygghub) and start it anew",
        )
    if path.parent == Path("/dev") and path.name.startswith(("ttyUSB", "ttyACM")):
        return warn(
            f"{path} may be another device after the next start",
            "register it by its name in /dev/serial/by-id",
        )
    return ok(f"the serial port {path} is there and may be used")


def _remote(url: str) -> Finding:
    host, _, port = url.partition("://")[2].rpartition(":")
    try:
        asyncio.run(_reach(host.strip("[]"), int(port)))
    except (OSError, ValueError, TimeoutError) as wrong:
        return fail(
            f"the serial port {url} does not answer: {wrong or type(wrong).__name__}",
            "is it on, and in this network?",
        )
    return ok(f"the serial port {url} answers")


async def _reach(host: str, port: int) -> None:
    async with asyncio.timeout(5):
        _, writer = await asyncio.open_connection(host, port)
    writer.close()


def bluetooth(roll: Roll | None, box: Box) -> Iterator[Finding]:
    """Whether the radio that this gateway's devices need is there."""
    wanted = roll is not None and any(True for _ in roll.on("ble"))
    if box.ble == "off":
        if wanted:
            yield fail(
                "Bluetooth is switched off, and the registry has Bluetooth devices",
                "set TRYGGHUB_BLE=bluez for the gateway, or take the devices out of the registry",
            )
        return
    finding = asyncio.run(_radio(box))
    if finding.verdict == "fail" and not wanted:
        yield warn(finding.what + "; no device in the registry needs it yet", finding.remedy)
    else:
        yield finding


async def _radio(box: Box) -> Finding:
    from bleak.exc import BleakError  # noqa: PLC0415  only where there is Bluetooth

    from drivers.links.ble.radio import open_radios  # noqa: PLC0415

    remedy = (
        "plug the adapter in and switch it on: bluetoothctl show, rfkill list, systemctl status bluetooth"
    )
    names, cautions = [], []
    try:
        radios = open_radios(box.ble)
    except ValueError as wrong:
        return fail(str(wrong), "mend TRYGGHUB_BLE")
    for radio in radios:
        try:
            async with asyncio.timeout(15):
                await radio.open()
                names.append(radio.name)
                cautions += [f"{radio.name}: {radio.caution}"] if radio.caution else []
        except (BleakError, OSError, EOFError, TimeoutError) as wrong:
            return fail(
                f"the Bluetooth adapter {radio.name} cannot be used: {wrong or type(wrong).__name__}", remedy
            )
        finally:
            await radio.close()
    if cautions:
        return warn(
            "; ".join(cautions), "see deploy/README.md, Bluetooth, and restart bluetoothd and the gateway"
        )
    return ok(f"the Bluetooth adapter {', '.join(names)} can be used")


def _first(wrong: Exception) -> str:
    return next(iter(str(wrong).splitlines()), type(wrong).__name__)[:200]
