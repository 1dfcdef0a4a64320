"""Putting a backup back: everything is unpacked aside and checked, then exchanged; nothing of the old is deleted.

The work lies in the data folder itself (a service's user owns that and nothing above it). Each part is exchanged by
two renames that follow one another, so a power cut leaves every part old or new; the same command run again with
--replace begins anew. What stood there before lies in `before-restore-…` until a person removes it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from drivers.events import Millis, iso
from hub.backup import archive, contents, in_use, snapshot
from hub.backup.archive import Reading
from hub.backup.making import DUMP, SPARE, Bar
from hub.backup.manifest import BackupError, File, Manifest, database_of
from hub.backup.settling import Moment, settle_centre, settle_gateway
from hub.store.engine import sqlite_url
from hub.store.errors import sentence_for
from hub.store.revision import newest_file

WORK: Final = ".restoring"
ASIDE: Final = "before-restore-"
NOTHING: Final = ("lock", "run.lock")
"""Files that make no folder occupied."""

ORDER: Final = ("secrets", "books", "centre", "gateways", "gateway")
"""Databases last: what they need is there before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be put back where. database: PostgreSQL's URL. replace: what is there may be moved aside."""

    file: Path
    data: Path
    database: str | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and where the old state lies, if there was one."""

    manifest: Manifest
    aside: Path | None


def restore(request: Request, now: Millis, bar: Bar) -> Restored:
    """Put a backup back. Raises BackupError or StoreError with one sentence; then the data folder is as it was."""
    with archive.opened(request.file) as reading:
        _check_fits(reading.manifest, request)
        _make_folder(request.data)
        with in_use.held(request.data):
            occupied = is_occupied(request.data)
            if occupied and not request.replace:
                raise BackupError(
                    f"{request.data} holds {occupied} already; with --replace it is moved aside, not deleted"
                )
            return _put_back(reading, request, now, bar)


def _check_fits(manifest: Manifest, request: Request) -> None:
    for name, role in manifest.roles.items():
        newest = newest_file("centre" if name == "centre" else "gateway")
        if role.schema > newest:
            raise BackupError(
                f"{request.file} was made by a newer trygghub ({manifest.program}: {name} tables {role.schema}, this"
                f" program knows {newest}); install that one"
            )
        wanted = DUMP if role.engine == "postgresql" else database_of(name)
        if wanted not in {one.name for one in manifest.files}:
            raise BackupError(
                f"{request.file} cannot be used as a backup: it lists a {name} and not {wanted}"
            )
    centre = manifest.roles.get("centre")
    if centre is not None and (centre.engine == "postgresql") != (request.database is not None):
        raise BackupError(_WRONG_DATABASE[centre.engine])


_WRONG_DATABASE: Final = {
    "postgresql": "the backup is of a centre on PostgreSQL: make an empty database there and name it with --database",
    "sqlite": "the backup is of a centre on SQLite and goes into the data folder; leave out --database",
}


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as wrong:
        raise BackupError(f"the folder {data} cannot be made: {wrong.strerror}") from None


def is_occupied(data: Path) -> str:
    """The first file in the way, relative to the folder; empty where there is none."""
    for folder, below, names in os.walk(data):
        if Path(folder) == data:
            below[:] = sorted(one for one in below if one != WORK and not one.startswith(ASIDE))
        for name in sorted(names):
            if name not in NOTHING:
                return str((Path(folder) / name).relative_to(data))
    return ""


# ---------------------------------------------------------------- aside


def _put_back(reading: Reading, request: Request, now: Millis, bar: Bar) -> Restored:
    data, manifest = request.data, reading.manifest
    free = shutil.disk_usage(data).free
    if free < manifest.size + SPARE:
        raise BackupError(
            f"{data} has {free >> 20} MB free, and {(manifest.size + SPARE) >> 20} MB are needed"
        )
    work = data / WORK
    try:
        shutil.rmtree(work, ignore_errors=True)  # of a restore that was cut off: a copy of an archive
        tree = work / "tree"
        tree.mkdir(parents=True, mode=0o700)
        _unpack(reading, tree, bar(manifest.size))
        _keep_secrets(manifest, data, tree)
        _settle(manifest, tree, request, now)
        _make_ours(data, work)
        aside = _exchange(tree, data, now)
    except OSError as wrong:
        raise BackupError(f"{wrong.filename or data} cannot be written: {wrong.strerror}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Restored(manifest, aside)


def _unpack(reading: Reading, tree: Path, done: archive.Done) -> None:
    """Write every file aside, synced; a digest that does not fit ends it before anything was exchanged."""
    last: list[BinaryIO] = []

    def close() -> None:
        for file in last:
            file.flush()
            os.fsync(file.fileno())
            file.close()
        last.clear()

    def sink(one: File) -> BinaryIO:
        close()
        path = tree / one.name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        last.append(os.fdopen(descriptor, "wb"))
        return last[0]

    try:
        reading.files(sink, done)
    finally:
        close()


def _keep_secrets(manifest: Manifest, data: Path, tree: Path) -> None:
    """A backup without secrets leaves those that are here where they are."""
    if manifest.secrets:
        return
    for name in contents.carried(data)[0]:
        if contents.is_secret(name) and name.startswith("gateway") and not (tree / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copy2(data / name, tree / name)


def _settle(manifest: Manifest, tree: Path, request: Request, now: Millis) -> None:
    moment = Moment(_world(tree, now), now)
    for role in manifest.roles.keys() - {"centre"}:
        path = tree / database_of(role)
        try:
            settle_gateway(path, manifest, moment.world)
        except sqlite3.Error as error:
            raise sentence_for(path, error) from None
    centre = manifest.roles.get("centre")
    if centre is None:
        return
    if centre.engine == "postgresql" and request.database:
        snapshot.check_empty(request.database)
        snapshot.load_postgresql(request.database, tree / DUMP)
        (tree / DUMP).unlink()
        asyncio.run(settle_centre(request.database, manifest, moment))
    else:
        asyncio.run(settle_centre(sqlite_url(tree / database_of("centre")), manifest, moment))


def _world(tree: Path, now: Millis) -> Millis:
    """The homes' time: the machine's, but where a demonstration keeps a clock of its own."""
    try:
        return int(json.loads((tree / "clock.json").read_text("utf-8"))["world"])
    except (OSError, ValueError, KeyError, TypeError):
        return now


def _make_ours(data: Path, work: Path) -> None:
    """Root puts back for the folder's owner; everything is synced."""
    owner = data.stat()
    for folder, _, names in os.walk(work, topdown=False):
        for path in (*(Path(folder) / name for name in names), Path(folder)):
            if os.geteuid() == 0:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
            _sync(path)


# ---------------------------------------------------------------- the exchange


def _exchange(tree: Path, data: Path, now: Millis) -> Path | None:
    aside = _free_name(data / f"{ASIDE}{iso(now)[:19].replace(':', '')}Z")
    moved = False
    for name in sorted((one.name for one in tree.iterdir()), key=_place):
        old = data / name
        if os.path.lexists(old) and not _is_bare(old):
            aside.mkdir(mode=0o700, exist_ok=True)
            old.rename(aside / name)
            moved = True
        elif old.is_dir():
            shutil.rmtree(old)
        (tree / name).rename(old)
    if moved and os.geteuid() == 0:
        shutil.chown(aside, data.stat().st_uid, data.stat().st_gid)
    _sync(data)
    return aside if moved else None


def _is_bare(path: Path) -> bool:
    """A folder with nothing in it but locks."""
    return path.is_dir() and not path.is_symlink() and not is_occupied(path)


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else -1, name)


def _free_name(wanted: Path) -> Path:
    name, number = wanted, 2
    while os.path.lexists(name):
        name, number = wanted.with_name(f"{wanted.name}-{number}"), number + 1
    return name


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
