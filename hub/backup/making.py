"""Making a backup: copy aside, list, pack, sync, read again, and only then give it its name.

Everything is made in a folder of its own beside the target, held by a lock; what a killed run left there the next
run takes away. So a file with a backup's name is a backup, always.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

import orjson

from drivers.events import Millis, iso
from hub.backup import archive, contents, snapshot
from hub.backup.manifest import BackupError, Manifest, Role, database_of
from hub.store.revision import revision_of

SUFFIX: Final = ".tar.gz"
WORK: Final = ".part"
DUMP: Final = "centre/centre.pgdump"
SPARE: Final = 16 << 20
"""Bytes that must stay free on the target's disk."""

PASSES: Final = 4
"""How often each byte is handled, for the bar: copied, listed, packed, read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to back up.

    database: a PostgreSQL URL; centre: a SQLite file elsewhere; neither for the embedded one. books: from outside.
    """

    data: Path
    database: str | None = None
    centre: Path | None = None
    books: Sequence[Path] = ()
    secrets: bool = True


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was read again and found whole. left: files whose names it cannot hold. dropped: older ones."""

    path: Path
    manifest: Manifest
    left: Sequence[str] = ()
    dropped: Sequence[Path] = ()


Bar = Callable[[int], archive.Done]
"""Given the whole in bytes: what to tell how much is done."""


def make(wish: Wish, target: Path, now: Millis, bar: Bar, keep: int | None = None) -> Made:
    """Make a backup. target: a folder to name it in, or the file. keep: how many of this name stay there.

    Raises BackupError or StoreError with one sentence; then nothing of the name is there, and nothing was dropped.
    """
    plan = _Plan.of(wish)
    into_folder = target.is_dir()
    folder = target if into_folder else target.parent
    final = folder / f"trygghub-{plan.name}-{_stamp(now)}{SUFFIX}" if into_folder else target
    _check_target(wish, folder, final, plan)
    done = bar(PASSES * plan.size)
    try:
        with _workplace(folder, final.name) as work:
            manifest = plan.gather(work, now, done)
            packed = _pack(work, manifest, done)
            archive.check(packed, done)
            packed.rename(final)
            _sync_folder(folder)
    except OSError as wrong:
        raise BackupError(f"{wrong.filename or final} cannot be written: {wrong.strerror}") from None
    dropped = _rotate(folder, plan.name, keep, final) if into_folder and keep else ()
    return Made(final, manifest, plan.left, dropped)


def _check_target(wish: Wish, folder: Path, final: Path, plan: _Plan) -> None:
    if not folder.is_dir():
        raise BackupError(f"there is no folder {folder} to write a backup to")
    if final.exists():
        raise BackupError(f"{final} is there already, and a backup never replaces one")
    if wish.data.absolute().resolve() in (folder.absolute().resolve(), *folder.absolute().resolve().parents):
        raise BackupError(f"{folder} lies in the data folder itself; a backup belongs on another disk")
    free = shutil.disk_usage(folder).free
    if free < 2 * plan.size + SPARE:
        raise BackupError(
            f"{folder} has {free >> 20} MB free, and up to {(2 * plan.size + SPARE) >> 20} MB are needed"
        )


@dataclass(slots=True)
class _Plan:
    """What there is to carry."""

    wish: Wish
    roles: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    size: int = 0

    @classmethod
    def of(cls, wish: Wish) -> _Plan:
        plan = cls(wish)
        if not wish.data.is_dir():
            raise BackupError(f"there is no data folder {wish.data}; name the right one with --data")
        found = {role: database_of(role) for role in contents.roles(wish.data)}
        plan.roles = {role: name for role, name in found.items() if plan.source(name).is_file()}
        if wish.database:
            plan.roles["centre"] = DUMP
        if not plan.roles:
            raise BackupError(f"{wish.data} holds neither a gateway's nor a centre's database")
        names, plan.left = contents.carried(wish.data)
        plan.names = [name for name in names if wish.secrets or not contents.is_secret(name)]
        plan.size = sum(snapshot.size_of(plan.source(name)) for name in plan.roles.values() if name != DUMP)
        plan.size += sum((wish.data / name).stat().st_size for name in plan.names)
        return plan

    def source(self, name: str) -> Path:
        """Where a database lies."""
        return (
            self.wish.centre if self.wish.centre and name == database_of("centre") else self.wish.data / name
        )

    @property
    def name(self) -> str:
        """Whose backup: `centre`, the gateway's id, or both."""
        words = ["centre"] if "centre" in self.roles else []
        words += [gateway_id(self.wish.data) or "gateway"] if "gateway" in self.roles else []
        return "-and-".join(words)

    def gather(self, work: Path, now: Millis, done: archive.Done) -> Manifest:
        """Copy everything aside, the databases first: keys that came since are better than keys that lack."""
        tree = work / "tree"
        for name in self.roles.values():
            (tree / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if name == DUMP:
                snapshot.dump_postgresql(self.wish.database or "", tree / name)
            else:
                snapshot.copy_sqlite(self.source(name), tree / name, done)
        names = [*self.roles.values(), *self._plain(tree), *self._books(tree)]
        return Manifest(
            made=now,
            program=version("trygghub"),
            name=self.name,
            secrets=self.wish.secrets,
            roles={role: self._role(role, tree / name) for role, name in self.roles.items()},
            files=archive.listed(tree, names, done),
        )

    def _role(self, role: str, copy: Path) -> Role:
        if copy.name == Path(DUMP).name:
            return snapshot.postgresql_role(self.wish.database or "")
        return _role(role, self.wish.data, copy)

    def _plain(self, tree: Path) -> Iterator[str]:
        """Files that are replaced or removed while we look are carried as they are then, or not at all."""
        for name in self.names:
            with suppress(FileNotFoundError):
                _copy(self.wish.data / name, tree / name)
                yield name

    def _books(self, tree: Path) -> Iterator[str]:
        for book in self.wish.books:
            name = (
                f"{contents.BOOKS}/{re.sub(r'[^A-Za-z0-9._-]', '_', book.name)[-80:].lstrip('.-') or 'book'}"
            )
            if name not in self.names and self.wish.data.resolve() not in book.resolve().parents:
                _copy(book, tree / name)
                yield name


def gateway_id(data: Path) -> str:
    """The id that a gateway's copy of the registry gives it; empty where there is none."""
    try:
        told = orjson.loads((data / "gateway" / "registry.json").read_bytes())
        found = told["registry"]["gateway"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) and re.fullmatch(r"[a-z0-9_-]{1,64}", found) else ""


def _role(role: str, data: Path, copy: Path) -> Role:
    schema = revision_of(copy) or ""
    if role != "centre":
        return Role(schema, id=gateway_id(data / role.removesuffix("gateway")))
    with closing(sqlite3.connect(copy)) as database:
        row = database.execute("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    return Role(schema, head=row[0] if row else "")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with source.open("rb") as read, target.open("xb") as written:
        target.chmod(0o600)
        shutil.copyfileobj(read, written)


def _pack(work: Path, manifest: Manifest, done: archive.Done) -> Path:
    """Write the archive, sync it, and let the system forget it, so that reading it again asks the disk."""
    path = work / "archive"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        archive.write(out, manifest, work / "tree", done)
        out.flush()
        os.fsync(out.fileno())
        os.posix_fadvise(out.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return path


@contextmanager
def _workplace(folder: Path, name: str) -> Iterator[Path]:
    """A folder for the work, gone afterwards; what dead runs left is cleared away first."""
    for old in folder.glob(f".trygghub-*{WORK}"):
        _clear_if_dead(old)
    work = folder / f".trygghub-{os.getpid()}-{name}{WORK}"
    work.mkdir(mode=0o700)
    descriptor = os.open(work / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (work / "tree").mkdir(mode=0o700)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(descriptor)


def _clear_if_dead(work: Path) -> None:
    try:
        descriptor = os.open(work / "lock", os.O_RDWR)
    except OSError:
        with suppress(OSError):
            work.rmdir()  # killed before its first file; one with files stays
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(work, ignore_errors=True)
    except OSError:
        pass  # its maker is alive
    finally:
        os.close(descriptor)


def _rotate(folder: Path, name: str, keep: int, newest: Path) -> Sequence[Path]:
    """Drop the oldest backups of this name, which sort by time; never the one just made, whatever the clock said."""
    mine = re.compile(rf"trygghub-{re.escape(name)}-\d{{8}}T\d{{6}}Z{re.escape(SUFFIX)}")
    found = sorted(one for one in folder.iterdir() if mine.fullmatch(one.name) and one.is_file())
    others = [one for one in found if one != newest]
    gone = others[: max(0, len(others) - keep + 1)]
    for one in gone:
        one.unlink(missing_ok=True)
    return gone


def _stamp(now: Millis) -> str:
    return iso(now)[:19].replace("-", "").replace(":", "") + "Z"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
