"""Bring a database's tables up to date, from migrations packaged with the program.

    python -m hub.store.migrate gateway /var/lib/trygghub/gateway/gateway.db

Safe when several processes start at once: whoever comes second waits for the first and finds nothing to do.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.store.centre_tables import CENTRE
from hub.store.errors import MAY_PASS, StoreAwayError, StoreError, sentence_for
from hub.store.gateway_tables import GATEWAY

FOLDER = Path(__file__).parent / "migrations"
TABLES: dict[str, MetaData] = {"centre": CENTRE, "gateway": GATEWAY}

LOCK = 0x7279_6767
"""PostgreSQL advisory lock number of our migrations: "rygg"."""


def configuration(which: Literal["centre", "gateway"], connection: Connection | None = None) -> Config:
    """Alembic's settings for one of the two databases."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER / which))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["tables"] = TABLES[which]
    return config


def newest(which: Literal["centre", "gateway"]) -> str:
    """The revision this program was made for."""
    return str(ScriptDirectory.from_config(configuration(which)).get_current_head())


async def migrate(engine: AsyncEngine, which: Literal["centre", "gateway"]) -> None:
    """Upgrade to the newest revision in one transaction. Raises StoreError with one sentence."""
    try:
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(_upgrade, which)
    except CommandError as error:
        raise StoreError(
            f"the {which} database was made by a newer trygghub than this one ({error}); install that one"
        ) from None
    except DBAPIError as error:
        raise _sentence(engine, error) from None
    except OSError as error:
        raise StoreAwayError(f"the database {_shown(engine)} cannot be reached: {error}") from None


def _upgrade(connection: Connection, which: Literal["centre", "gateway"]) -> None:
    command.upgrade(configuration(which, connection), "head")


def _sentence(engine: AsyncEngine, error: DBAPIError) -> StoreError:
    cause: Any = error.orig
    inner = cause if isinstance(cause, sqlite3.Error) else getattr(cause, "__cause__", None)
    if isinstance(inner, sqlite3.Error):
        return sentence_for(Path(str(engine.url.database)), inner)
    return StoreAwayError(f"the database {_shown(engine)} refused us: {cause}")


def _shown(engine: AsyncEngine) -> str:
    return engine.url.render_as_string(hide_password=True)


def main(words: list[str]) -> int:
    """Migrate a SQLite file in a process of its own; what goes wrong is one sentence on standard error."""
    from hub.store.engine import open_store, sqlite_url  # noqa: PLC0415  it imports this module

    async def run(which: Literal["centre", "gateway"], path: str) -> None:
        await (await open_store(sqlite_url(path), which)).close()

    if len(words) != 2 or words[0] not in TABLES:
        sys.stderr.write("say which database and where: python -m hub.store.migrate gateway FILE\n")
        return 2
    try:
        asyncio.run(run("centre" if words[0] == "centre" else "gateway", words[1]))
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1 if isinstance(error, MAY_PASS) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
