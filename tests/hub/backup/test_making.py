"""Backups: made while everything runs, whole or not there at all."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hub.backup import archive
from hub.backup.manifest import BackupError
from hub.store.errors import StoreDamagedError
from tests.hub.backup.conftest import NOW, Folder, rows

CARRIED = {
    "gateway/gateway.db",
    "centre/centre.db",
    "gateway/registry.json",
    "gateway/secrets/pendant.key",
    "gateway/bonds.json",
    "secrets/centre",
    "run.json",
}


def test_a_backup_carries_what_a_new_machine_could_not_make(folder: Folder) -> None:
    """Databases, registry, keys and pairings are in it; logs, links, locks and half-written files are not."""
    made = folder.backup()
    assert made.path.name == "trygghub-centre-and-gw-0012-20260114T210200Z.tar.gz"
    assert {one.name for one in made.manifest.files} == CARRIED
    assert list(made.left) == ["gateway/notes fra Nils.txt"]
    assert archive.check(made.path) == made.manifest
    assert made.manifest.roles["gateway"].id == "gw-0012"
    assert made.manifest.roles["centre"].head == rows(folder.centre, "SELECT hash FROM audit")[0][0]


def test_only_its_owner_reads_a_backup_and_no_work_is_left(folder: Folder) -> None:
    """The file has mode 600, stands alone in its folder, and any tar program opens it."""
    made = folder.backup()
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert list(folder.out.iterdir()) == [made.path]
    listed = subprocess.run(
        ["tar", "tzf", made.path], capture_output=True, text=True, check=True
    ).stdout.split()
    assert listed[:2] == ["manifest.json", "manifest.sha256"]
    assert {name.removeprefix("data/") for name in listed[2:]} == CARRIED
    assert sum(folder.done[1:]) >= 0.9 * folder.done[0] / 2


def test_without_secrets_none_is_in_it(folder: Folder) -> None:
    """Keys, passwords and pairings stay here."""
    made = folder.backup(secrets=False)
    assert {one.name for one in made.manifest.files} == {
        "gateway/gateway.db", "centre/centre.db", "gateway/registry.json", "run.json"
    }  # fmt: skip
    assert not made.manifest.secrets
    assert b"00112233" not in made.path.read_bytes()


def test_a_rule_book_from_outside_comes_along(folder: Folder, tmp_path: Path) -> None:
    """The municipality's own book lies under books/."""
    book = tmp_path / "våre regler.yaml"
    book.write_text("rules: {}\n")
    made = folder.backup(books=[book])
    assert "books/v_re_regler.yaml" in {one.name for one in made.manifest.files}


def test_a_gateway_alone_is_called_by_its_id(folder: Folder) -> None:
    """On one share the backups of many boxes do not get in one another's way."""
    folder.centre.unlink()
    assert folder.backup().path.name.startswith("trygghub-gw-0012-2026")


def test_old_backups_of_this_name_go(folder: Folder) -> None:
    """With --keep the newest stay, others' files too, and the one just made whatever the clock says."""
    stranger = folder.out / "trygghub-gw-0099-20200101T000000Z.tar.gz"
    stranger.write_text("not ours")
    paths = [folder.backup(now=NOW + n * 1000, keep=2).path for n in range(4)]
    assert sorted(folder.out.iterdir()) == sorted([*paths[2:], stranger])
    early = folder.backup(now=NOW - 10**9, keep=2)
    assert early.path.exists()
    assert paths[3].exists()
    assert list(early.dropped) == [paths[2]]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("data/x.tar.gz", "another disk"),
        ("data", "another disk"),
        ("nowhere/x", "no folder"),
        ("full", "is there"),
    ],
)
def test_a_target_that_cannot_be(folder: Folder, tmp_path: Path, target: str, says: str) -> None:
    """A wrong target is refused in a sentence before anything is read."""
    (tmp_path / "full").write_text("something")
    with pytest.raises(BackupError, match=says):
        folder.backup(tmp_path / target)
    assert (tmp_path / "full").read_text() == "something"


def test_a_full_disk_is_known_beforehand(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is begun that cannot be finished."""
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    with pytest.raises(BackupError, match=r"1 MB free, and up to \d+ MB are needed"):
        folder.backup()


def test_a_damaged_database_makes_no_backup_and_drops_none(folder: Folder) -> None:
    """What is not whole is not called a backup, and the good old ones stay."""
    good = folder.backup(now=NOW - 1000, keep=1).path
    content = bytearray(folder.centre.read_bytes())
    content[8192:12288] = os.urandom(4096)
    folder.centre.write_bytes(content)
    with pytest.raises(StoreDamagedError, match="damaged"):
        folder.backup(keep=1)
    assert list(folder.out.iterdir()) == [good]


def test_while_somebody_writes_the_copy_is_of_one_moment(folder: Folder, tmp_path: Path) -> None:
    """A writer adds pairs of rows in one transaction each; no backup ever holds half a pair, and nobody waits long."""
    stop, written = threading.Event(), []

    def write() -> None:
        with closing(sqlite3.connect(folder.gateway, timeout=10, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            while not stop.is_set():
                db.execute("BEGIN IMMEDIATE")
                for half in "ab":
                    db.execute(
                        "INSERT INTO store_note VALUES (?, ?)", (f"pair-{len(written)}-{half}", "x" * 2000)
                    )
                db.execute("COMMIT")
                written.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        counts = []
        for number in range(5):
            made = folder.backup(now=NOW + number * 1000)
            new = tmp_path / f"new-{number}"
            folder.restore(made.path, new)
            found = rows(
                new / "gateway" / "gateway.db", "SELECT count(*) FROM store_note WHERE name GLOB 'pair-*'"
            )
            counts.append(found[0][0])
    finally:
        stop.set()
        thread.join()
    assert all(count % 2 == 0 for count in counts)
    assert counts == sorted(counts)
    assert 0 < counts[-1] <= 2 * len(written)


def test_killed_in_the_middle_nothing_of_the_name_is_there(folder: Folder) -> None:
    """SIGKILL at any step leaves no file that looks like a backup, and the next run clears what was left."""
    with closing(sqlite3.connect(folder.gateway)) as db:
        db.executemany(
            "INSERT INTO store_note VALUES (?, ?)", [(f"n{n}", os.urandom(20_000).hex()) for n in range(400)]
        )
        db.commit()
    words = [sys.executable, "-m", "hub.cli", "backup", "--data", str(folder.root), str(folder.out)]
    for stage in ("lock", "tree/gateway/gateway.db", "archive"):
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while child.poll() is None and not list(folder.out.glob(f".trygghub-*/{stage}")):
            os.sched_yield()
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert not list(folder.out.glob("trygghub-*"))
        assert list(folder.out.glob(".trygghub-*.part"))
    made = folder.backup()
    assert list(folder.out.iterdir()) == [made.path]
    assert archive.check(made.path)
