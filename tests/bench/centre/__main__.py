"""The centre in a storm: how many alarm decisions a second one core turns into alerts, and tells people of.

Gateways send events with the decisions made of them; the intake stores each message, opens or adds to alerts with
timeline, deadlines, audit and change, and commits before it acknowledges; the escalator then tells the first step of
every chain. Measured in decisions a second of processor time (the database server's own not counted), for SQLite and,
where it is installed, PostgreSQL. The reference is one row a commit through the same database, in the same run.

    python tests/bench/centre [GATEWAYS]
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog
from sqlalchemy import insert
from sqlmodel import col, func, select

from drivers.events import iso
from drivers.links.mqtt_client import Message
from hub.centre import audit
from hub.centre.escalator import Escalator
from hub.centre.intake.intake import Intake
from hub.channels.console import Console
from hub.channels.dashboard import Dashboard
from hub.clock import ManualClock, SystemClock
from hub.store.centre_tables import (
    Alert,
    AlertLine,
    Audit,
    Device,
    Entry,
    Gateway,
    Home,
    Municipality,
    Notification,
    Resident,
    Shift,
    Staff,
    Team,
    Zone,
)
from hub.store.engine import Store, open_store, sqlite_url

START = 1_768_424_520_000
WARM = 1_000_000
"""Number of the first of two gateways that nobody registered, for warming up."""

GATEWAYS = 400
GOAL = 500
"""Decisions a second and core."""

REFERENCE_ROWS = 200


def registry(gateways: int) -> list[Any]:
    """Homes with one pendant each, and a team that is on duty."""
    numbers = range(gateways)
    return [
        Municipality(id=1, body={"name": "Bench", "duty_phone": "+4755001122", "tz": "Europe/Oslo"}),
        Zone(id="z", name="Z", district="d"),
        Team(id="t", name="T", zones=["z"]),
        Staff(id="nils", name="Nils", roles=["nurse"], teams=["t"]),
        Shift(team="t", staff="nils", duty="nurse", from_clock="00:00", to_clock="00:00"),
        *(Gateway(id=f"g{one}", name=f"G{one}", since=START) for one in numbers),
        *(Home(id=f"h{one}", address="A", tz="Europe/Oslo", zone="z", gateway=f"g{one}") for one in numbers),
        *(Resident(id=f"r{one}", home=f"h{one}", name="R") for one in numbers),
        *(
            Device(
                id=f"h{one}-pendant",
                home=f"h{one}",
                device_class="pendant",
                type="native_alarm",
                link="mqtt",
                address=f"h{one}/p",
                since=START,
            )
            for one in numbers
        ),
    ]


def message(gateway: int, number: int, at: int, rule: str, action: str) -> Message:
    """One press in a home with the decision made of it, as its gateway sends them."""
    home, id_ = f"h{gateway}", f"h{gateway}-pendant:{number}"
    event = {"id": id_, "at": iso(at), "home": home, "device": f"{home}-pendant", "kind": "pendant.pressed"}
    decision = {
        "action": action,
        "rule": rule,
        "key": home,
        "home": home,
        "device": f"{home}-pendant",
        "at": iso(at),
        "because": [id_],
        "says": {"nb": "R har trykket på alarmen", "en": "R has pressed the alarm"},
        "staff_action": {"nb": "Ring opp", "en": "Call"},
        "urgency": "critical",
        "queue": "care",
        "chain": "critical",
        "life_safety": True,
    }
    entries = [
        {"number": number, "type": "event", "body": event},
        {"number": number + 1, "type": "decision", "body": decision},
    ]
    return Message(
        f"gateways/g{gateway}/up/alarm", orjson.dumps({"epoch": "00c0ffee", "entries": entries}), retain=False
    )


Round = Callable[[int], Message]

ROUNDS: dict[str, Round] = {
    "every home presses": lambda one: message(one, 1, START, "pressed", "raise"),
    "and presses again": lambda one: message(one, 3, START + 5_000, "pressed", "repeat"),
    "and lets go": lambda one: message(one, 5, START + 9_000, "pressed", "clear"),
}
"""What the homes do, one after the other: open an alert each, add evidence to it, clear it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast something went. cpu, wall: seconds of this process."""

    count: int
    cpu: float
    wall: float

    def __str__(self) -> str:
        return f"{self.count / self.cpu:6.0f} a CPU second   {self.count / self.wall:6.0f} a second"


@contextlib.contextmanager
def timed(count: int) -> Iterator[list[Pace]]:
    """Measure a block that does `count` things; the list holds the figure afterwards."""
    found: list[Pace] = []
    cpu, wall = time.process_time(), time.perf_counter()
    yield found
    found.append(Pace(count, time.process_time() - cpu, time.perf_counter() - wall))


async def reference(store: Store) -> Pace:
    """One row of the journal a commit, through the same engine."""
    row: dict[str, Any] = {"gateway": "ref", "epoch": "ref", "lane": "care", "type": "event", "body": {}}
    row |= {"at": START, "heard": START, "received": START}
    with timed(REFERENCE_ROWS) as found:
        for number in range(REFERENCE_ROWS):
            async with store.writing() as session:
                await (await session.connection()).execute(insert(Entry), [row | {"number": number}])
    return found[0]


async def warm_up(store: Store, clock: ManualClock) -> None:
    """Every statement once, so that none is put together while time is taken."""
    intake = Intake(store, clock, acked=lambda _key, _mark: None)
    running = asyncio.create_task(intake.run())
    for round_ in ROUNDS.values():
        await asyncio.gather(*(intake.take(round_(one)) for one in (WARM, WARM + 1)))
    await Escalator(store, clock, (Dashboard(store, SystemClock()), Console())).sweep()
    running.cancel()


async def storm(store: Store, clock: ManualClock, gateways: int, at_once: int) -> None:
    """All rounds, then the first step of every chain; prints each figure."""
    intake = Intake(store, clock, acked=lambda _key, _mark: None)
    running = asyncio.create_task(intake.run())
    places = asyncio.Semaphore(at_once)

    async def send(one: int, round_: Round) -> None:
        async with places:
            await intake.take(round_(one))

    for name, round_ in ROUNDS.items():
        with timed(gateways) as found:
            await asyncio.gather(*(send(one, round_) for one in range(gateways)))
        print(f"     {name:22} {at_once:4} on their way   {found[0]}   goal {GOAL}", flush=True)
        await clock.advance(5)
    running.cancel()


async def tell(store: Store, clock: ManualClock, gateways: int) -> None:
    """The escalator tells the first step of every alert."""
    escalator = Escalator(store, clock, (Dashboard(store, SystemClock()), Console()))
    with timed(gateways) as found:
        await escalator.sweep()
    print(f"     {'first steps told':42} {found[0]}   goal {GOAL}", flush=True)


async def check(store: Store, gateways: int) -> None:
    """What must be so whatever the speed: one alert a home, every line there, the trail unbroken."""
    async with store.reading() as session:
        counted = [
            (await session.exec(select(func.count()).select_from(table))).one()
            for table in (Audit, AlertLine)
        ]
        pressed = select(Alert.count, Alert.condition, Alert.id).where(
            Alert.rule == "pressed", Alert.zone == "z"
        )
        found = (await session.exec(pressed)).all()
        verdict = await audit.verify(session)
        mine = [id_ for _, _, id_ in found]
        told = (
            await session.exec(
                select(func.count(col(Notification.id))).where(col(Notification.alert).in_(mine))
            )
        ).one()
    counts = {(count, condition) for count, condition, _ in found}
    assert len(found) == gateways, len(found)
    assert counts == {(2, "cleared")}, counts
    assert verdict.broken is None, verdict
    assert told == 2 * gateways, told
    print(
        f"     alerts {len(found)}, audit rows {counted[0]} unbroken, timeline lines {counted[1]}, told {told}"
    )


async def measure(name: str, url: str, gateways: int) -> None:
    """One database."""
    store = await open_store(url, "centre")
    try:
        async with store.writing() as session:
            session.add_all(registry(gateways))
        print(f"   {name}: reference, one row a commit       {await reference(store)}", flush=True)
        clock = ManualClock(START)
        await warm_up(store, clock)
        await storm(store, clock, gateways, 200)
        await tell(store, clock, gateways)
        await check(store, gateways)
    finally:
        await store.close()


def _program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@contextlib.asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[str | None]:
    """A PostgreSQL server of our own with full sync, or None where it is not installed."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if not (initdb and pg_ctl):
        yield None
        return
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])

    def control(*words: str) -> None:
        subprocess.run([*as_user, *words], check=True, capture_output=True, cwd=folder)

    user = "postgres" if as_user else (os.environ.get("USER") or "trygghub")
    control(str(initdb), "-D", f"{folder}/data", "-A", "trust", "-U", user, "--no-sync")
    settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control(str(pg_ctl), "start", "-w", "-D", f"{folder}/data", "-l", f"{folder}/log", "-o", settings)
    try:
        yield f"postgresql://{user}@127.0.0.1:{port}/postgres"
    finally:
        control(str(pg_ctl), "stop", "-m", "immediate", "-D", f"{folder}/data")


async def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    gateways = int(sys.argv[1]) if len(sys.argv) > 1 else GATEWAYS
    with tempfile.TemporaryDirectory() as place:
        await measure("SQLite", sqlite_url(Path(place) / "centre.db"), gateways)
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        async with postgres(Path(place)) as url:
            if url is None:
                print("   PostgreSQL is not installed: not measured")
                return
            await measure("PostgreSQL", url, gateways)


if __name__ == "__main__":
    asyncio.run(main())
