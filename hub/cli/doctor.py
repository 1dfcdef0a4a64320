"""`trygghub doctor`: what is missing or wrong on this machine, one line each."""

from __future__ import annotations

import argparse
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.cli.outcome import FAILED, OK
from hub.settings import StoreSettings, from_arguments
from hub.settings import add_arguments as add_settings

HELP = (
    "Look for what is missing or wrong on this machine: programs, the data folder, free disk, and, while trygghub "
    "runs here, whether its broker and processes answer. Exits with 1 if anything is wrong."
)

LEAST_FREE = 1_000_000_000
"""Bytes below which a disk is called full; a gateway's journal of a month is far smaller."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. good: nothing to do."""

    good: bool
    sentence: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to look."""
    add_settings(StoreSettings, parser)


def run(args: argparse.Namespace) -> int:
    """Print every finding; the exit code says whether all are good."""
    settings = from_arguments(StoreSettings, args)
    wrong = 0
    for finding in examine(settings.data):
        wrong += not finding.good
        sys.stdout.write(f"{'ok   ' if finding.good else 'WRONG'}  {finding.sentence}\n")
    return FAILED if wrong else OK


def examine(data: Path) -> Iterator[Finding]:
    """Every finding, in order."""
    yield _python()
    yield from _brokers()
    if not data.is_dir():
        yield Finding(True, f"there is no data folder {data} yet; the first start makes it")
        return
    yield _private(data)
    yield _space(data)
    yield from _live(data)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(sys.version_info >= (3, 11), f"Python {version} (3.11 or newer is needed)")


def _brokers() -> Iterator[Finding]:
    from hub.broker import mosquitto, nats
    from hub.broker.backend import BrokerMissing

    def look(find: Callable[[], Path]) -> Finding:
        try:
            return Finding(True, f"broker program {find()}")
        except BrokerMissing as missing:
            return Finding(False, str(missing))

    found = look(nats.find_program), look(mosquitto.find_program)
    # One of the two is enough; the other's absence is worth a line all the same.
    yield from (Finding(one.good or any(other.good for other in found), one.sentence) for one in found)


def _private(data: Path) -> Finding:
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & 0o077:
        return Finding(False, f"others can enter {data} (mode {mode:o}); it holds keys: chmod 700 {data}")
    return Finding(True, f"only its owner can enter {data}")


def _space(data: Path) -> Finding:
    free = shutil.disk_usage(data).free
    return Finding(free >= LEAST_FREE, f"{free / 1e9:.1f} GB are free where {data} lies (1 GB is wanted)")


def _live(data: Path) -> Iterator[Finding]:
    from hub.supervisor.folder import DataFolder, FolderInUse, FolderUnreadable

    folder = DataFolder(data.absolute())
    try:
        memory = folder.recall()
        if memory is None:
            return
        with folder.held():
            yield Finding(True, f"nothing runs in {data} now")
    except FolderUnreadable as wrong:
        yield Finding(False, str(wrong))
    except FolderInUse:
        assert memory is not None
        yield from _processes(memory.ports)
        yield from _broker(folder.secrets, memory.gateway, memory.ports["broker"], memory.broker)


def _processes(ports: dict[str, int]) -> Iterator[Finding]:
    import asyncio

    from hub.supervisor.asking import http_ready

    for name in ("centre", "gateway", "web"):
        ready = asyncio.run(http_ready(ports[name])())
        says = "is ready" if ready else "does not say that it is ready"
        yield Finding(ready, f"{name} on port {ports[name]} {says}")


def _broker(secrets: Path, gateway: str, port: int, choice: str) -> Iterator[Finding]:
    from hub.broker.backend import Listener, login_url
    from hub.broker.check import Logins, check
    from hub.broker.logins import logins

    if choice not in {"nats", "mosquitto"}:
        yield Finding(True, "the broker is run by somebody else and not looked at here")
        return
    everybody, listener = logins(secrets, [gateway]), Listener(port)
    own, centre = (login_url(everybody, listener, name) for name in (f"gateway-{gateway}", "centre"))
    lacks = check(Logins(own, centre, gateway))
    yield from (Finding(False, lack.sentence) for lack in lacks)
    if not lacks:
        yield Finding(True, f"the broker on port {port} does all that is relied on")
