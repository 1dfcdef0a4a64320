"""Databases for the store's tests: SQLite in a folder of its own, and a PostgreSQL server (tests/hub)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hub.store.engine import Store, open_store, sqlite_url


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
