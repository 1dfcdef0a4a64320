"""`trygghub doctor`: look this machine over: each finding a line, and what to do about it.

    trygghub doctor --data /var/lib/trygghub
    TRYGGHUB_UPLINK_FILE=/etc/trygghub/broker-uplink trygghub doctor --data /var/lib/trygghub --id gw-0012

ok: nothing to do. warn: it works, look at it. FAIL: it does not. Exits with 1 if anything fails. It looks at what there
is: a gateway's data, a centre's, or both; it reads, repairs nothing, and may run while everything works. Brokers are
tried where their URL is known: those of `trygghub run` always, others by --uplink and --devices.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from hub.cli.outcome import FAILED, OK
from hub.clock import clock_from_environment
from hub.doctor import brokers, database, devices, folder, machine
from hub.doctor.finding import Finding, carefully, fail, ok, warn
from hub.settings import StoreSettings, ble_backend, broker_url, from_arguments, identity, says
from hub.settings import add_arguments as add_settings

HELP = __doc__


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorSettings(StoreSettings):
    """What there is to look at."""

    id: str | None = field(default=None, metadata=says("the gateway's id, to try its uplink", identity))
    uplink: str | None = field(
        default=None,
        metadata=says("broker towards the centre, with the gateway's login", broker_url, secret=True),
    )
    devices: str | None = field(
        default=None,
        metadata=says("broker of the home, with the gateway's login there", broker_url, secret=True),
    )
    ble: str | None = field(
        default=None, metadata=says("the gateway's Bluetooth: off, bluez or tcp:HOST:PORT", ble_backend)
    )
    serial_root: Path | None = field(
        default=None, metadata=says("folder that relative serial ports lie in; DATA if not said", Path)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to look."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_settings(DoctorSettings, parser)


def run(args: argparse.Namespace) -> int:
    """Print every finding; the exit code says whether any failed."""
    settings = from_arguments(DoctorSettings, args)
    counts = {"ok": 0, "warn": 0, "fail": 0}
    for finding in examine(settings):
        counts[finding.verdict] += 1
        sys.stdout.write(f"{finding}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} wrong\n")
    return FAILED if counts["fail"] else OK


def examine(settings: DoctorSettings) -> Iterator[Finding]:
    """Every finding, in order; a look that breaks is one of them."""
    yield from carefully("machine", machine.python)
    if not settings.devices:
        yield from carefully("broker programs", brokers.programs)
    if settings.data.is_dir():
        yield from carefully("data folder", lambda: folder.data_folder(settings.data))
        yield from carefully("disk", lambda: machine.disk(settings.data))
        yield from carefully("secrets", lambda: folder.secrets(settings.data))
        yield from carefully("databases", lambda: _databases(settings))
    else:
        yield ok(f"there is no data folder {settings.data} yet; the first start makes it")
    yield from carefully("clock and power", lambda: _time_and_power(settings))
    yield from carefully("devices", lambda: _devices(settings))
    yield from carefully("running processes", lambda: _live(settings.data))
    yield from carefully("brokers", lambda: _brokers(settings))


def _databases(settings: DoctorSettings) -> Iterator[Finding]:
    for gateway, name in _gateways(settings.data):
        yield from _of(name, database.sqlite(gateway / "gateway.db", "gateway"))
    if settings.database is not None and settings.database.startswith("postgresql"):
        yield from database.postgresql(settings.database)
    elif (settings.data / "centre").is_dir():
        yield from database.sqlite(settings.data / "centre" / "centre.db", "centre")


def _time_and_power(settings: DoctorSettings) -> Iterator[Finding]:
    from hub.gateway import box

    newest = database.newest_line(settings.data / "gateway" / "gateway.db")
    now = clock_from_environment().now()
    scaled = (settings.data / "clock.json").exists()
    yield from machine.clock(box.synchronised(), now, None if scaled else newest)
    yield from machine.power(box.power())


def _gateways(data: Path) -> Iterator[tuple[Path, str]]:
    """The folder of the gateway with its name in sentences, and those of further ones that a demonstration has."""
    if (data / "gateway").is_dir():
        yield data / "gateway", "gateway"
    for one in sorted((data / "gateways").glob("*/gateway")):
        yield one, f"gateway {one.parent.name}"


def _of(name: str, found: Iterator[Finding]) -> Iterator[Finding]:
    """Findings about one of several gateways say of which."""
    for one in found:
        yield replace(one, what=f"{name}: {one.what}") if name != "gateway" else one


def _devices(settings: DoctorSettings) -> Iterator[Finding]:
    for gateway, name in _gateways(settings.data):
        yield from _of(name, _devices_of(gateway, settings))


def _devices_of(gateway: Path, settings: DoctorSettings) -> Iterator[Finding]:
    now = clock_from_environment().now()
    ble = settings.ble or "bluez"
    place = devices.Box(gateway, settings.serial_root or settings.data, ble, now)
    roll = devices.roll_of(place)
    if isinstance(roll, Finding):
        yield roll
        return
    if roll is None:
        remedy = "is its id right, does a home in the centre's registry name it, and does its uplink work?"
        yield warn("the gateway has no registry yet, so it hears no device", remedy)
    else:
        yield from devices.registry(roll, place)
    if (settings.data / "simulators").is_dir():
        yield ok("this is a demo: its ports and its radio are there while it runs")
        return
    if roll is not None:
        yield from devices.serial_ports(roll, place)
    if settings.ble is not None or (roll is not None and any(True for _ in roll.on("ble"))):
        yield from devices.bluetooth(roll, place)


def _live(data: Path) -> Iterator[Finding]:
    from hub.supervisor.boxes import boxes
    from hub.supervisor.folder import DataFolder, FolderInUse, FolderUnreadable

    folder = DataFolder(data.absolute())
    try:
        memory = folder.recall()
        if memory is None:
            return
        with folder.held():
            yield ok(f"trygghub run does not run in {data} now")
    except FolderUnreadable as wrong:
        yield fail(str(wrong), "restore run.json, or begin with another --data")
    except FolderInUse:
        assert memory is not None
        yield from _processes([box.process for box in boxes(memory, data)], memory.ports, folder.logs)
        if memory.broker in {"nats", "mosquitto"}:
            for gateway in (memory.gateway, *memory.others):
                yield from brokers.ours(folder.secrets, gateway, memory.ports["broker"])


def _processes(gateways: list[str], ports: dict[str, int], logs: Path) -> Iterator[Finding]:
    import asyncio

    from hub.supervisor.asking import http_ready

    for name in ("centre", *gateways, "web"):
        if asyncio.run(http_ready(ports[name])()):
            yield ok(f"{name} on port {ports[name]} is ready")
        else:
            yield fail(
                f"{name} on port {ports[name]} does not say that it is ready", f"see {logs / f'{name}.log'}"
            )


def _brokers(settings: DoctorSettings) -> Iterator[Finding]:
    if settings.uplink and settings.id:
        yield from brokers.uplink(settings.uplink, settings.id)
    elif settings.uplink:
        yield warn("the uplink was not tried, for the gateway's id is not known", "say --id as well")
    if settings.devices:
        yield from brokers.devices(settings.devices)
