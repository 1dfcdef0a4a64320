"""Restores: checked before anything is exchanged, nothing deleted, and an old state that knows it is old."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.backup import archive, manifest
from hub.backup.manifest import BackupError
from hub.cli.__main__ import main
from hub.gateway import outbox, storage
from hub.gateway.storage import open_storage
from hub.store.engine import open_again, open_store, sqlite_url
from hub.store.errors import StoreError
from tests.hub.backup.conftest import NOW, Folder, rows


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a folder, without what is put there for the work."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "run.lock"
    }


def test_what_comes_back_is_what_went_in(folder: Folder, tmp_path: Path) -> None:
    """Plain files are the same byte for byte and private; the gateway's lines are all there."""
    made = folder.backup()
    restored = folder.restore(made.path, tmp_path / "new")
    assert restored.aside is None
    before, after = contents(folder.root), contents(tmp_path / "new")
    assert set(after) == {one.name for one in made.manifest.files}
    assert all(after[name] == before[name] for name in after if not name.endswith(".db"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "new").rglob("*"))
    lines = "SELECT body FROM journal WHERE type = 'event' ORDER BY seq"
    assert rows(tmp_path / "new/gateway/gateway.db", lines) == rows(folder.gateway, lines)


def test_further_gateways_of_a_demonstration_come_along(folder: Folder, tmp_path: Path) -> None:
    """Each of them lies in a folder of its own, is known by its id, and begins an epoch of its own."""
    second = folder.root / "gateways" / "gw-2"
    shutil.copytree(folder.root / "gateway", second / "gateway")
    made = folder.backup()
    assert set(made.manifest.roles) == {"centre", "gateway", "gateways/gw-2"}
    assert "gateways/gw-2/gateway/secrets/pendant.key" in {one.name for one in made.manifest.files}
    without = folder.backup(now=NOW + 1000, secrets=False)
    assert not [one.name for one in without.manifest.files if "secrets" in one.name or "bonds" in one.name]
    folder.restore(made.path, tmp_path / "new")
    epoch = "SELECT value FROM store_note WHERE name = 'epoch'"
    places = ("gateway/gateway.db", "gateways/gw-2/gateway/gateway.db")
    assert (
        len({rows(root / place, epoch)[0][0] for root in (folder.root, tmp_path / "new") for place in places})
        == 3
    )
    lock = storage.Lock.take(second / "gateway" / "lock")
    with pytest.raises(BackupError, match="a gateway is at work in"):
        folder.restore(made.path, folder.root, replace=True)
    lock.release()


def test_an_occupied_folder_is_not_touched_unless_told(folder: Folder) -> None:
    """Without --replace it stays as it was; with it, what was there lies aside, whole."""
    made = folder.backup()
    (folder.root / "run.json").write_text('{"newer": true}')
    before = contents(folder.root)
    with pytest.raises(BackupError, match=r"holds run\.json already; with --replace"):
        folder.restore(made.path, folder.root)
    assert contents(folder.root) == before
    aside = folder.restore(made.path, folder.root, replace=True).aside
    assert aside is not None
    assert (folder.root / "run.json").read_text() == "{}"
    kept = contents(aside)
    assert {name: before[name] for name in kept} == kept
    assert {"gateway/gateway.db", "centre/centre.db", "run.json", "gateway/notes fra Nils.txt"} <= set(kept)
    assert contents(folder.root)["logs/gateway.log"] == before["logs/gateway.log"]


def test_a_backup_without_secrets_keeps_those_that_are_here(folder: Folder) -> None:
    """Restored on its own machine, a gateway still knows its devices' keys."""
    made = folder.backup(secrets=False)
    folder.restore(made.path, folder.root, replace=True)
    assert (folder.root / "gateway/secrets/pendant.key").read_text().startswith("0011")
    assert (folder.root / "secrets/centre").exists()


@pytest.mark.parametrize("who", ["gateway", "centre", "run"])
def test_a_folder_in_use_is_refused(folder: Folder, who: str) -> None:
    """While a gateway, a centre, a dashboard or `trygghub run` is at work there, nothing is exchanged."""
    made = folder.backup()
    before = contents(folder.root)
    with at_work(folder, who), pytest.raises(BackupError, match="is at work in"):
        folder.restore(made.path, folder.root, replace=True)
    assert {name for name in before if not name.endswith(("-wal", "-shm"))} <= set(contents(folder.root))
    assert folder.restore(made.path, folder.root, replace=True).aside is not None


IDLE = """
import asyncio, sys
from sqlmodel import select
from hub.store.centre_tables import Staff
from hub.store.engine import open_store

async def hold(url):
    store = await open_store(url, "centre")
    async with store.reading() as session:
        await session.exec(select(Staff))
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(hold(sys.argv[1]))
"""
"""A centre between two looks at its database, in a process of its own."""


@contextmanager
def at_work(folder: Folder, who: str) -> Iterator[None]:
    """A process's hold on the folder."""
    if who == "centre":
        words = [sys.executable, "-c", IDLE, sqlite_url(folder.centre)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"open\n"
            yield
            child.kill()
        return
    lock = storage.Lock.take(folder.root / {"gateway": "gateway/lock", "run": "run.lock"}[who])
    yield
    lock.release()


# ---------------------------------------------------------------- archives that are broken, newer or hostile


def test_every_flipped_bit_is_found(folder: Folder, tmp_path: Path) -> None:
    """A bit flipped anywhere is found before anything is exchanged, in a sentence; so is a file cut short."""
    whole = folder.backup().path.read_bytes()
    draw = random.Random(7)
    bad = tmp_path / "bad.tar.gz"
    for place in [*range(3), *(draw.randrange(10, len(whole)) for _ in range(20))]:
        content = bytearray(whole)
        content[place] ^= 1 << draw.randrange(8)
        bad.write_bytes(content)
        with pytest.raises(BackupError, match="cannot be used as a backup"):
            folder.restore(bad, tmp_path / "new")
        assert contents(tmp_path / "new") == {}
    for size in (0, 1, 20, len(whole) // 2, len(whole) - 1):
        bad.write_bytes(whole[:size])
        with pytest.raises(BackupError, match="cannot be used as a backup"):
            archive.check(bad)


Change = Callable[[dict[str, Any]], object]
ROLE = {"schema": "0001", "engine": "sqlite", "id": "", "head": ""}
EMPTY = manifest.digest(b"")


def forged(path: Path, change: Change, *members: tarfile.TarInfo, sealed: bool = True) -> Path:
    """An archive by somebody who means harm: any manifest, any members."""
    told: dict[str, Any] = {
        "format": 1, "made": NOW, "program": "0.1.0", "name": "gw", "secrets": True,
        "roles": {}, "files": [],
    }  # fmt: skip
    change(told)
    content = orjson.dumps(told)
    seal = f"{manifest.digest(content if sealed else b'')}  manifest.json\n".encode()
    with (
        gzip.open(path, "wb") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, text in (("manifest.json", content), ("manifest.sha256", seal)):
            head = tarfile.TarInfo(name)
            head.size = len(text)
            tar.addfile(head, io.BytesIO(text))
        for one in members:
            tar.addfile(one, io.BytesIO(bytes(one.size)))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    """One member."""
    head = tarfile.TarInfo(name)
    head.type, head.size, head.linkname = kind, size, link
    return head


def lists(*names: str, size: int = 0) -> Change:
    """A manifest that lists these files."""
    return lambda told: told.update(files=[{"name": name, "size": size, "sha256": EMPTY} for name in names])


HOSTILE = {
    "newer": (lambda told: told.update(format=2), [], "newer trygghub .format 2"),
    "no format": (lambda told: told.pop("format"), [], "format"),
    "above": (lists("../evil"), [member("data/../evil")], "no file of a data folder"),
    "absolute": (lists("/etc/passwd"), [member("/etc/passwd")], "no file of a data folder"),
    "hidden": (lists(".ssh/key"), [member("data/.ssh/key")], "no file of a data folder"),
    "too deep": (lists("a/b/c/d/e/f"), [], "no file of a data folder"),
    "twice": (lists("a.json", "a.json"), [], "twice"),
    "file as folder": (lists("gateway", "gateway/x"), [], "both as a file and as a folder"),
    "symbolic link": (
        lists("a.json"),
        [member("data/a.json", tarfile.SYMTYPE, link="/etc/passwd")],
        "plain file",
    ),
    "hard link": (
        lists("a.json"),
        [member("data/a.json", tarfile.LNKTYPE, link="/etc/passwd")],
        "plain file",
    ),
    "device": (lists("a.json"), [member("data/a.json", tarfile.CHRTYPE)], "plain file"),
    "folder": (lists("a.json"), [member("data/a.json", tarfile.DIRTYPE)], "plain file"),
    "other name": (lists("a.json"), [member("data/b.json")], "where the plain file"),
    "long name": (lists("a.json"), [member("data/" + "x" * 300)], "where the plain file"),
    "more": (lists("a.json"), [member("data/a.json"), member("data/b.json")], "more than its manifest"),
    "longer": (lists("a.json"), [member("data/a.json", size=600)], "600 bytes"),
    "other content": (lists("a.json", size=5), [member("data/a.json", size=5)], "digest"),
    "missing": (lists("a.json"), [], "tar header"),
    "huge": (lists("a.json", size=1 << 41), [member("data/a.json", size=5)], "MB free"),
    "negative": (lists("a.json", size=-1), [], "cannot have -1 bytes"),
    "no list": (lambda told: told.update(files={}), [], "list of at most"),
    "newer tables": (
        lambda told: told.update(roles={"gateway": ROLE | {"schema": "9999"}}),
        [],
        "newer trygghub",
    ),
    "no database": (lambda told: told.update(roles={"gateway": ROLE}), [], "not gateway/gateway.db"),
    "strange role": (lambda told: told.update(roles={"king": ROLE}), [], "no role"),
    "not text": (lambda told: told.update(program="\x1b[2J"), [], "printable"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_in_a_sentence(folder: Folder, tmp_path: Path, name: str) -> None:
    """Whatever its manifest and members say, nothing is written but aside, and the sentence names the reason."""
    change, members, says = HOSTILE[name]
    path = forged(tmp_path / "evil.tar.gz", change, *members)
    with pytest.raises(BackupError, match=says):
        folder.restore(path, tmp_path / "new")
    assert contents(tmp_path / "new") == {}
    assert not (tmp_path / "evil").exists()


def test_a_changed_manifest_is_found(folder: Folder, tmp_path: Path) -> None:
    """The manifest has a digest of its own."""
    with pytest.raises(BackupError, match="does not fit its digest"):
        archive.check(forged(tmp_path / "x", lambda told: None, sealed=False))


def test_a_manifest_without_end_costs_nothing(folder: Folder, tmp_path: Path) -> None:
    """A bomb is refused by the size it announces."""
    bomb = tmp_path / "bomb"
    with gzip.open(bomb, "wb") as packed:
        packed.write(member("manifest.json", size=1 << 33).tobuf(tarfile.GNU_FORMAT))
        packed.write(bytes(1 << 20))
    with pytest.raises(BackupError, match="at most 8388608 are expected"):
        archive.check(bomb)


RUBBISH = {
    "nothing": b"",
    "a zip": b"PK\x03\x04",
    "two bytes": b"\x1f\x8b",
    "a word": gzip.compress(b"hello", mtime=0),
    "zeros": gzip.compress(bytes(4096), mtime=0),
}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_what_is_no_backup_at_all(tmp_path: Path, rubbish: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says so in one sentence and exits with 1."""
    path = tmp_path / "rubbish"
    path.write_bytes(rubbish)
    assert main(["restore", str(path), "--check"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot be used as a backup" in said


# ---------------------------------------------------------------- killed, and begun anew


def test_killed_anywhere_nothing_is_lost_and_a_second_run_completes(folder: Folder) -> None:
    """SIGKILL at any step of a restore: every file is old, new or aside, and the same command again puts all back."""
    made = folder.backup()
    (folder.root / "run.json").write_text('{"newer": true}')
    words = [
        sys.executable,
        "-m",
        "hub.cli",
        "restore",
        str(made.path),
        "--data",
        str(folder.root),
        "--replace",
    ]
    for stage in (".restoring/tree/gateway/gateway.db", ".restoring/tree/run.json", "before-restore-*"):
        before = set(folder.root.glob("before-restore-*"))
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while child.poll() is None and not set(folder.root.glob(stage)) - before:
            os.sched_yield()
        child.send_signal(signal.SIGKILL)
        child.wait()
        found = [path.read_text() for path in folder.root.rglob("run.json") if ".restoring" not in path.parts]
        assert '{"newer": true}' in found
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert not (folder.root / ".restoring").exists()
    assert (folder.root / "run.json").read_text() == "{}"
    assert {one.name for one in made.manifest.files} <= set(contents(folder.root))


# ---------------------------------------------------------------- an old state knows that it is old


def test_a_restored_gateway_begins_a_new_epoch(folder: Folder, tmp_path: Path) -> None:
    """What the centre had not acknowledged goes up anew from 1, and word of the restore with it."""
    made = folder.backup()
    folder.restore(made.path, tmp_path / "new")
    path = tmp_path / "new/gateway/gateway.db"
    old, new = (
        rows(one, "SELECT value FROM store_note WHERE name = 'epoch'") for one in (folder.gateway, path)
    )
    assert old != new
    open_ = "SELECT number, body FROM journal WHERE lane = 'care' AND number > 0 ORDER BY number"
    assert rows(path, open_) == [(1, '{"what":"d"}'), (2, '{"what":"e"}')]
    ((word,),) = rows(
        path, "SELECT body FROM journal WHERE type = 'health' AND lane = 'technical' AND number = 1"
    )
    assert orjson.loads(word)["what"] == "restored"
    assert rows(path, "SELECT last, acked FROM lane_mark WHERE lane = 'care'") == [(2, 0)]


async def test_a_restored_gateway_starts(folder: Folder, tmp_path: Path) -> None:
    """The process's own way of opening its database finds it sound, and goes on numbering."""
    made = await asyncio.to_thread(folder.backup)
    await asyncio.to_thread(folder.restore, made.path, tmp_path / "new")
    opened = await open_storage(tmp_path / "new/gateway/gateway.db", NOW)
    assert opened.set_aside is None
    assert (await opened.writer.write(outbox.marks))["care"] == outbox.Mark(2, 0)
    await opened.writer.close()
    opened.lock.release()


def test_a_restored_centre_lets_nobody_stay_signed_in(folder: Folder, tmp_path: Path) -> None:
    """Sessions and links of the backup are void; the registry is what it was."""
    folder.restore(folder.backup().path, tmp_path / "new")
    path = tmp_path / "new/centre/centre.db"
    assert rows(path, "SELECT revoked FROM websession") == [(NOW + 60_000,)]
    assert rows(path, "SELECT used FROM signinlink") == [(NOW + 60_000,)]
    assert rows(path, "SELECT id FROM staff") == rows(folder.centre, "SELECT id FROM staff")


def test_the_audit_trail_tells_of_the_restore(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds, says what is missing, and a head noted after the backup is not found in it."""
    file = folder.backup().path
    folder.restore(file, tmp_path / "new")
    capsys.readouterr()
    assert main(["audit", "verify", "--data", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert "restored on 2026-01-14T21:03:00.000Z from a backup of 2026-01-14T21:02:00.000Z" in said
    assert main(["audit", "verify", "--data", str(tmp_path / "new"), "--expect", "ab" * 32]) == 1


def test_a_restore_is_an_alert_and_leaves_numbers_out(folder: Folder, tmp_path: Path) -> None:
    """Each restore has to be answered; numbers given out after the backup are not given to other alerts."""
    folder.restore(folder.backup().path, tmp_path / "one")
    again = Folder(tmp_path / "one", folder.out)
    again.restore(again.backup(now=NOW + 1000).path, tmp_path / "two", now=NOW + 120_000)
    path = tmp_path / "two/centre/centre.db"
    assert rows(path, "SELECT id, rule, queue, handling FROM alert ORDER BY id") == [
        (number, "hub:centre restored", "technical", "new") for number in (1001, 2002)
    ]
    assert rows(path, "SELECT min(seq) FROM change")[0][0] > 1_000_000
    assert rows(path, "SELECT DISTINCT alert FROM deadline WHERE done IS NULL ORDER BY alert") == [
        (1001,),
        (2002,),
    ]


@contextmanager
def database(base: str) -> Iterator[str]:
    """An empty database on the test's server."""
    name = f"b{random.Random(os.getpid()).getrandbits(40):x}{next(NUMBERS)}"
    asyncio.run(_execute(base, f"CREATE DATABASE {name}"))
    yield f"{base}/{name}"


NUMBERS = iter(range(100))


async def _execute(base: str, words: str) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    url = base.replace("postgresql", "postgresql+asyncpg", 1) + "/postgres"
    admin = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(text(words))
    await admin.dispose()


@pytest.mark.postgres
def test_a_centre_on_postgresql(folder: Folder, tmp_path: Path, postgres: str) -> None:
    """pg_dump and pg_restore carry it; the restored one is settled as on SQLite, and only into an empty database."""
    with database(postgres) as old, database(postgres) as new:
        asyncio.run(_fill(old))
        made = folder.backup(database=old)
        assert made.manifest.roles["centre"].engine == "postgresql"
        assert "centre/centre.db" not in {one.name for one in made.manifest.files}
        with pytest.raises(BackupError, match="name it with --database"):
            folder.restore(made.path, tmp_path / "new")
        folder.restore(made.path, tmp_path / "new", database=new)
        assert (tmp_path / "new/gateway/gateway.db").exists()
        assert not (tmp_path / "new/centre/centre.pgdump").exists()
        assert asyncio.run(_look(new)) == [("looked",), ("centre.restored",), (1001,)]
        with pytest.raises(BackupError, match="empty one"):
            folder.restore(made.path, tmp_path / "again", database=new)
        assert contents(tmp_path / "again") == {}


async def _fill(url: str) -> None:
    from hub.centre import audit
    from tests.hub.conftest import cast

    store = await open_store(url, "centre")
    async with store.writing() as session:
        session.add_all(cast())
    async with store.writing() as session:
        await audit.write(session, audit.Deed(at=NOW, actor="eva", action="looked"))
    await store.close()


async def _look(url: str) -> list[tuple[Any, ...]]:
    from sqlalchemy import text

    store = open_again(url)
    try:
        async with store.reading() as session:
            connection = await session.connection()
            deeds = await connection.execute(
                text("SELECT action FROM audit WHERE action IN ('looked', 'centre.restored') ORDER BY seq")
            )
            alerts = await connection.execute(text("SELECT id FROM alert"))
            return [*map(tuple, deeds.all()), *map(tuple, alerts.all())]
    except StoreError:
        return []
    finally:
        await store.close()
