"""A data folder with everything in it: a gateway's and a centre's database with rows, keys, a rule book, rubbish."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from hub.backup.making import Made, Wish, make
from hub.backup.restoring import Request, Restored, restore
from hub.centre import audit
from hub.gateway import journal, outbox
from hub.store.centre_tables import SignInLink, WebSession
from hub.store.engine import open_store, sqlite_url
from tests.hub.conftest import cast

NOW = 1_768_424_520_000
PART = {"hash": "x", "registry": {"gateway": "gw-0012", "homes": {}, "residents": {}, "devices": {}}}


def line(text: str, lane: str = "care") -> journal.Line:
    """A line that says something."""
    body = orjson.dumps({"what": text})
    return journal.Line(type="event", lane=lane, body=body, at=NOW, heard=NOW, once=f"event:{text}")  # type: ignore[arg-type]


@dataclass
class Folder:
    """A data folder, and the commands as functions. done: bytes that were told as done."""

    root: Path
    out: Path
    done: list[int] = field(default_factory=list)

    @property
    def gateway(self) -> Path:
        """Its gateway's database."""
        return self.root / "gateway" / "gateway.db"

    @property
    def centre(self) -> Path:
        """Its centre's database."""
        return self.root / "centre" / "centre.db"

    def bar(self, whole: int) -> Callable[[int], None]:
        """A bar that remembers."""
        self.done = [whole]
        return self.done.append

    def backup(
        self, target: Path | None = None, *, now: int = NOW, keep: int | None = None, **wish: object
    ) -> Made:
        """Make one."""
        return make(Wish(data=self.root, **wish), target or self.out, now, self.bar, keep)  # type: ignore[arg-type]

    def restore(self, file: Path, data: Path, *, now: int = NOW + 60_000, **more: object) -> Restored:
        """Put one back."""
        return restore(Request(file=file, data=data, **more), now, self.bar)  # type: ignore[arg-type]


def rows(path: Path, question: str) -> list[tuple]:
    """Ask a SQLite file."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(question).fetchall()


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Both databases with a few rows, made once."""
    place = tmp_path_factory.mktemp("templates")
    asyncio.run(_centre(place / "centre.db"))
    asyncio.run(_gateway(place / "gateway.db"))
    return {name: _bytes(place / f"{name}.db") for name in ("centre", "gateway")}


async def _centre(path: Path) -> None:
    store = await open_store(sqlite_url(path), "centre")
    async with store.writing() as session:
        session.add_all(cast())
        await audit.write(session, audit.Deed(at=NOW, actor="eva", action="looked", home="h1"))
        session.add(WebSession(id="w1", staff="eva", created=NOW, seen=NOW, expires=NOW + 10**9))
        session.add(SignInLink(token="t1", staff="nils", created=NOW, expires=NOW + 10**9))
    await store.close()


async def _gateway(path: Path) -> None:
    await (await open_store(sqlite_url(path), "gateway")).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        journal.ensure_marks(db)
        outbox.epoch(db)
        for text in "abcde":
            journal.append(db, line(text))
        db.execute("UPDATE lane_mark SET acked = 3 WHERE lane = 'care'")


def _bytes(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


@pytest.fixture
def folder(templates: dict[str, bytes], tmp_path: Path) -> Iterator[Folder]:
    """The folder of a machine with both roles."""
    root = tmp_path / "data"
    files = {
        "gateway/gateway.db": templates["gateway"],
        "centre/centre.db": templates["centre"],
        "gateway/registry.json": orjson.dumps(PART),
        "gateway/secrets/pendant.key": b"00112233445566778899aabbccddeeff\n",
        "gateway/bonds.json": b"{}",
        "secrets/centre": b"password\n",
        "run.json": b"{}",
        "gateway/reserve": bytes(1000),
        "gateway/lock": b"",
        "gateway/secrets/half.key.new": b"00",
        "logs/gateway.log": b"long ago\n",
        "broker/nats.conf": b"port",
        "gateway/notes fra Nils.txt": b"!",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "serial").mkdir()
    (root / "secrets" / "link").symlink_to("/etc/hostname")
    out = tmp_path / "backups"
    out.mkdir()
    return Folder(root, out)
