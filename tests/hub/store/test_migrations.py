"""Migrations and declared tables say the same, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from hub.store.engine import Store, open_store, sqlite_url
from hub.store.errors import StoreError
from hub.store.migrate import TABLES, newest
from hub.store.revision import newest_file, revision_of


def _differences(connection: Connection, which: str) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, TABLES[which]))


@pytest.mark.parametrize("which", ["centre", "gateway"])
async def test_migrations_lead_to_the_declared_tables(tmp_path: Path, which: str) -> None:
    """After all migrations nothing is left to change on SQLite; if this fails, run hub.store.revise."""
    store = await open_store(sqlite_url(tmp_path / "x.db"), which)  # type: ignore[arg-type]
    async with store.engine.connect() as connection:
        assert await connection.run_sync(_differences, which) == []
    await store.close()


async def test_migrations_lead_to_the_centres_tables(centre: Store) -> None:
    """After all migrations nothing is left to change in the centre's database, whichever it is."""
    async with centre.engine.connect() as connection:
        assert await connection.run_sync(_differences, "centre") == []


async def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    """A database that is up to date is opened as it is."""
    url = sqlite_url(tmp_path / "gateway.db")
    await (await open_store(url, "gateway")).close()
    store = await open_store(url, "gateway")
    async with store.reading() as session:
        connection = await session.connection()
        found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all()
    assert found == [newest("gateway")]
    await store.close()


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """A database made by a later program is left alone, with a sentence."""
    url = sqlite_url(tmp_path / "gateway.db")
    store = await open_store(url, "gateway")
    async with store.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await store.close()
    with pytest.raises(StoreError, match="newer trygghub"):
        await open_store(url, "gateway")


@pytest.mark.parametrize("which", ["centre", "gateway"])
async def test_a_revision_is_known_without_alembic(tmp_path: Path, which: str) -> None:
    """The newest file is Alembic's head, and a migrated database says that it stands there."""
    await (await open_store(sqlite_url(tmp_path / "x.db"), which)).close()  # type: ignore[arg-type]
    assert newest_file(which) == newest(which) == revision_of(tmp_path / "x.db")  # type: ignore[arg-type]


def test_a_new_file_has_no_revision(tmp_path: Path) -> None:
    """An empty database stands nowhere yet."""
    assert revision_of(tmp_path / "new.db") is None
