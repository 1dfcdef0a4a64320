"""A centre with its cast: Astrid lives at home, Nils has the night, Eva coordinates, Tor mends, Olga sees nothing."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hub.centre.access import Actor, actor_of
from hub.centre.alerts import opening, rows
from hub.centre.alerts.decisions import Judged
from hub.centre.alerts.desk import AlertDesk
from hub.clock import ManualClock
from hub.store.centre_tables import (
    Alert,
    Device,
    DeviceState,
    District,
    Gateway,
    Home,
    Municipality,
    Resident,
    Shift,
    Staff,
    Team,
    Zone,
)
from hub.store.engine import Store, open_store, sqlite_url
from tests.ports import free_port

START = 1_768_424_520_000  # 2026-01-14T21:02:00Z, 22:02 in Oslo: Nils has just begun his night


def cast() -> list[Any]:
    """Every row of the small municipality in which the tests play."""
    return [
        Municipality(id=1, body={"name": "Trygdal", "duty_phone": "+4755001122", "tz": "Europe/Oslo"}),
        District(id="dal", name="Dal"),
        Zone(id="nord", name="Nord", district="dal"),
        Zone(id="sor", name="Sør", district="dal"),
        Team(id="team-nord", name="Team Nord", zones=["nord"]),
        Team(id="team-sor", name="Team Sør", zones=["sor"]),
        Staff(id="nils", name="Nils", phone="+4790000001", roles=["nurse"], teams=["team-nord"]),
        Staff(id="kari", name="Kari", phone="+4790000002", roles=["carer"], teams=["team-nord"]),
        Staff(id="eva", name="Eva", phone="+4790000003", roles=["coordinator"], teams=["team-nord"]),
        Staff(id="tor", name="Tor", phone="+4790000004", roles=["technician"], teams=["team-nord"]),
        Staff(id="olga", name="Olga", roles=["nurse"], teams=["team-sor"]),
        Shift(team="team-nord", staff="nils", duty="nurse", from_clock="22:00", to_clock="07:00"),
        Shift(team="team-nord", staff="kari", duty="nurse", from_clock="07:00", to_clock="22:00"),
        Shift(team="team-nord", staff="kari", duty="second nurse", from_clock="22:00", to_clock="07:00"),
        Shift(team="team-nord", staff="eva", duty="leader", from_clock="00:00", to_clock="00:00"),
        Home(id="h1", address="Storgata 1", tz="Europe/Oslo", zone="nord", gateway="gw1", body={}),
        Home(id="h2", address="Lillegata 2", tz="Europe/Oslo", zone="sor", gateway="gw2", body={}),
        Resident(id="astrid", home="h1", name="Astrid"),
        Gateway(id="gw1", name="Astrids boks", since=START - 86_400_000),
        Gateway(id="gw2", name="Boks 2", since=START - 86_400_000),
        Device(
            id="pendant-1",
            home="h1",
            device_class="pendant",
            type="bthome_pendant",
            link="ble",
            address="aa:bb:cc:dd:ee:01",
            since=START - 86_400_000,
        ),
        Device(
            id="lock-1",
            home="h1",
            device_class="lock",
            type="native_lock",
            link="mqtt",
            address="h1/lock-1",
            since=START - 86_400_000,
        ),
    ]


@pytest.fixture(scope="session")
def empty_centre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for one migrated, empty database that every test copies."""
    return tmp_path_factory.mktemp("empty") / "centre.db"


async def fresh_store(empty: Path, target: Path) -> Store:
    """Open a copy of the empty database, which is migrated once per test run."""
    if not empty.exists():
        made = await open_store(sqlite_url(empty), "centre")
        await made.close()
    shutil.copy(empty, target)
    return await open_store(sqlite_url(target), "centre")


NewCentre = Callable[[], Awaitable[Store]]


@pytest.fixture
async def new_centre(empty_centre: Path, tmp_path: Path) -> AsyncIterator[NewCentre]:
    """Make further databases with the cast in them, for tests that play many lives."""
    made: list[Store] = []

    async def make() -> Store:
        store = await fresh_store(empty_centre, tmp_path / f"centre-{len(made)}.db")
        made.append(store)
        async with store.writing() as session:
            session.add_all(cast())
        return store

    yield make
    for store in made:
        await store.close()


@pytest.fixture
async def store(empty_centre: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """A centre's database with the cast in it."""
    opened = await fresh_store(empty_centre, tmp_path / "centre.db")
    async with opened.writing() as session:
        session.add_all(cast())
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """Ten past ten in the evening, local time; it moves only when a test says so."""
    return ManualClock(START)


@pytest.fixture
def desk(store: Store, clock: ManualClock) -> AlertDesk:
    """The desk at which the cast acts."""
    return AlertDesk(store, clock)


@dataclass
class People:
    """The cast, as actors."""

    nils: Actor
    kari: Actor
    eva: Actor
    tor: Actor
    olga: Actor


@pytest.fixture
async def people(store: Store) -> People:
    """Everybody, as the registry knows them."""
    async with store.reading() as session:
        found = {name: await actor_of(session, name, START) for name in People.__annotations__}
    known = {name: replace(actor, login_age=60.0) for name, actor in found.items() if actor is not None}
    return People(**known)


@pytest.fixture
async def fresh_lock(store: Store, clock: ManualClock) -> Callable[[], Awaitable[None]]:
    """Astrid's gateway has just been heard, and her lock has just said that it is locked; again when asked."""

    async def hear() -> None:
        now = clock.now()
        async with store.writing() as session:
            gateway = await session.get(Gateway, "gw1")
            assert gateway is not None
            gateway.last_heard = now
            state = {"device": "lock-1", "state": "lock.bolt", "home": "h1", "value": "locked"}
            await session.merge(DeviceState(**state, at=now, heard=now))

    await hear()
    return hear


Judge = Callable[..., Awaitable[Alert | None]]


@pytest.fixture
def judge(store: Store, clock: ManualClock) -> Judge:
    """Carry out one decision; a pendant pressed in Astrid's home unless the test says otherwise."""
    return judge_in(store, clock)


@pytest.fixture
def judging() -> Callable[[Store, ManualClock], Judge]:
    """The same for a centre the test made itself."""
    return judge_in


def judge_in(store: Store, clock: ManualClock) -> Judge:
    """Carry out decisions in that centre."""

    async def carry_out(action: str = "raise", **changes: Any) -> Alert | None:
        judged = Judged(**(pressed(clock.now()) | {"action": action} | changes))
        async with store.writing() as session:
            policy = await rows.policy_of(session)
            return await opening.carry_out(session, judged, policy, clock.now())

    return carry_out


def pressed(at: int) -> dict[str, Any]:
    """The decision about a pressed pendant."""
    return {
        "action": "raise",
        "rule": "pendant pressed",
        "key": "h1",
        "home": "h1",
        "device": "pendant-1",
        "at": at,
        "because": ("pendant-1:1",),
        "says": {"nb": "Astrid har trykket", "en": "Astrid pressed"},
        "staff_action": {"nb": "Ring henne", "en": "Call her"},
        "urgency": "critical",
        "queue": "care",
        "life_safety": True,
    }


# ---------------------------------------------------------------- a PostgreSQL server of our own


def _missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the test run, without the database's name.

    Its folder lies outside pytest's own, which every other run on the machine shuts to all users but one.
    """
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if not (initdb and pg_ctl):
        _missing("PostgreSQL is not installed (on Debian: apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="trygghub-postgres-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    user = "postgres" if as_user else getpass.getuser()
    port = free_port()

    def control(*words: str, check: bool = True) -> None:
        subprocess.run([*as_user, *words], check=check, capture_output=True, cwd=folder)

    control(str(initdb), "-D", f"{folder}/data", "-A", "trust", "--no-sync")
    settings = f"-p {port} -k {folder} -c fsync=off -c listen_addresses=127.0.0.1"
    control(str(pg_ctl), "start", "-w", "-D", f"{folder}/data", "-l", f"{folder}/log", "-o", settings)
    yield f"postgresql://{user}@127.0.0.1:{port}"
    control(str(pg_ctl), "stop", "-m", "immediate", "-D", f"{folder}/data", check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def on_postgres(postgres: str) -> AsyncIterator[Store]:
    """The cast's centre on PostgreSQL."""
    name = f"t{secrets.token_hex(6)}"
    admin = create_async_engine(
        postgres.replace("postgresql", "postgresql+asyncpg") + "/postgres", isolation_level="AUTOCOMMIT"
    )
    async with admin.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    store = await open_store(f"{postgres}/{name}", "centre")
    async with store.writing() as session:
        session.add_all(cast())
    yield store
    await store.close()
