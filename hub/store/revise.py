"""Write the migration that leads from the newest revision to the tables as declared now.

    python -m hub.store.revise centre "alerts remember their floor"

For developers, after a change of centre_tables.py or gateway_tables.py. Read the result before committing it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Literal

from alembic import command
from sqlalchemy import Connection

from hub.store.engine import open_store, sqlite_url
from hub.store.migrate import FOLDER, configuration


def next_number(which: str) -> str:
    """The number of the migration to come: `0001`, `0002` …"""
    return f"{len(list((FOLDER / which / 'versions').glob('[0-9]*.py'))) + 1:04d}"


async def revise(which: Literal["centre", "gateway"], message: str) -> None:
    """Compare a fresh database at the newest revision with the declared tables and write the difference."""

    def write(connection: Connection) -> None:
        command.revision(
            configuration(which, connection), message, autogenerate=True, rev_id=next_number(which)
        )

    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(sqlite_url(Path(folder) / "scratch.db"), which)
        async with store.engine.begin() as connection:
            await connection.run_sync(write)
        await store.close()


def main(words: list[str]) -> int:
    """Read the two words of the command line."""
    if len(words) != 2 or words[0] not in {"centre", "gateway"}:
        sys.stderr.write(
            'say which database and what changed: python -m hub.store.revise centre "what changed"\n'
        )
        return 2
    asyncio.run(revise("centre" if words[0] == "centre" else "gateway", words[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
