"""Databases for the store's tests: SQLite in a folder of its own, and a PostgreSQL server of our own."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hub.store.engine import Store, open_store, sqlite_url


def _missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the test run, without the database's name."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if not (initdb and pg_ctl):
        _missing("PostgreSQL is not installed (on Debian: apt install postgresql)")
    folder = tmp_path_factory.mktemp("postgres")
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        for parent in list(folder.parents)[:3]:
            parent.chmod(parent.stat().st_mode | 0o011)
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    user = "postgres" if as_user else getpass.getuser()
    port = _free_port()

    def control(*words: str) -> None:
        subprocess.run([*as_user, *words], check=True, capture_output=True, cwd=folder)

    control(str(initdb), "-D", f"{folder}/data", "-A", "trust", "--no-sync")
    settings = f"-p {port} -k {folder} -c fsync=off -c listen_addresses=127.0.0.1"
    control(str(pg_ctl), "start", "-w", "-D", f"{folder}/data", "-l", f"{folder}/log", "-o", settings)
    yield f"postgresql://{user}@127.0.0.1:{port}"
    control(str(pg_ctl), "stop", "-m", "immediate", "-D", f"{folder}/data")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def centre(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty centre's database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        store = await open_store(sqlite_url(tmp_path / "centre.db"), "centre")
        yield store
        await store.close()
        return
    base = request.getfixturevalue("postgres")
    name = f"t{secrets.token_hex(6)}"
    admin = create_async_engine(
        base.replace("postgresql", "postgresql+asyncpg") + "/postgres", isolation_level="AUTOCOMMIT"
    )
    async with admin.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    store = await open_store(f"{base}/{name}", "centre")
    yield store
    await store.close()
