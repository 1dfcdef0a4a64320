"""The same pages and stream on PostgreSQL."""

from __future__ import annotations

import importlib.util
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hub.store.engine import Store, open_store

pytestmark = pytest.mark.postgres

SPEC = importlib.util.spec_from_file_location("hub_props", Path(__file__).parents[1] / "hub" / "conftest.py")
assert SPEC is not None
assert SPEC.loader is not None
HUB = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = HUB
SPEC.loader.exec_module(HUB)
postgres = HUB.postgres
"""The server of the hub's tests."""


@pytest.fixture
async def store(postgres: str) -> AsyncIterator[Store]:
    """A fresh database of the centre on PostgreSQL, in place of the one on SQLite."""
    name = f"t{secrets.token_hex(6)}"
    admin = create_async_engine(
        postgres.replace("postgresql", "postgresql+asyncpg") + "/postgres", isolation_level="AUTOCOMMIT"
    )
    async with admin.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    opened = await open_store(f"{postgres}/{name}", "centre")
    yield opened
    await opened.close()


async def test_everything_a_shift_needs(sign_in: Any, town: Any, listen: Any, look: Any) -> None:
    """Sign-in, list, stream, take, panel, close, timeline, residents, equipment, replay."""
    nils = await sign_in("nils")
    ear = await listen(nils)
    await town.state("lock-1", "h1", "lock.bolt", "locked")
    alert = await town.alarm()
    await look()
    assert [data["op"] for data in ear.of("a")] == ["add"]
    assert "Fall oppdaget" in (await nils.get("/nb/alarms")).text
    assert (await nils.ask(f"/nb/alarms/{alert.id}/take", version=1)).status_code == 200
    assert "Nils Berge har tatt den" in (await nils.get(f"/nb/alarms/{alert.id}")).text
    closing = {"version": 2, "cause": "fall_unhurt", "measure": "visit"}
    assert (await nils.ask(f"/nb/alarms/{alert.id}/resolve", **closing)).status_code == 200
    timeline = (await nils.get("/nb/residents/astrid")).text
    assert "Årsak: Fall uten skade" in timeline
    assert "Den bygger på denne hendelsen:" in timeline
    older = await nils.get("/nb/residents/astrid?show=all&before=9999999999999.e.9")
    assert "Fall oppdaget" in older.text
    assert "Astrid Berg" in (await nils.get("/nb/residents?q=berg")).text
    assert "Dørlås" in (await nils.get("/nb/devices")).text
    assert "Nils Berge" in (await nils.get("/nb/me")).text
    again = await listen(nils, after="c0ffee00c0ffee00-0")
    assert [data["op"] for data in again.of("a")] == ["del"]
    assert "Astrid" not in (await (await sign_in("siri")).get("/nb/alarms")).text
