"""Opening the gateway's database at boot; a damaged one is set aside rather than leaving a home unheard."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from drivers.events import Millis
from hub.gateway import journal, outbox
from hub.store.errors import StoreAwayError, StoreDamagedError, StoreError
from hub.store.revision import newest_file, revision_of
from hub.store.sqlite_file import prepare_file
from hub.store.writer import Writer

REFUSED = 2
"""Exit code of a migration that trying again cannot help."""

say = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lock:
    """The right to use a data folder, held by one process at a time; a process that ends gives it back."""

    descriptor: int

    @classmethod
    def take(cls, path: Path) -> Lock:
        """Take it. Raises StoreError when another process has it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"the folder {path.parent} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise StoreAwayError(
                f"another gateway is running on {path.parent}; two would judge everything twice"
            ) from None
        return cls(descriptor)

    def release(self) -> None:
        """Give it back."""
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Storage:
    """The writer at work, when the newest line was heard, and where a damaged file was put, if one was."""

    writer: Writer
    lock: Lock
    last_heard: Millis
    set_aside: Path | None = None


async def open_storage(path: Path, now: Millis) -> Storage:
    """Open, migrate and look over the database. Raises StoreError when it cannot be used at all.

    A damaged file is kept beside the new one for people to look into; the new one begins a new epoch, and the
    centre sees by it that something is missing.
    """
    lock = Lock.take(path.with_name("lock"))
    aside: Path | None = None
    try:
        await _bring_up_to_date(path)
    except StoreDamagedError as damage:
        aside = _set_aside(path, now)
        say.error("the database was damaged and has been set aside", why=str(damage), kept=str(aside))
        await _bring_up_to_date(path)
    writer = Writer(path)
    await writer.start()
    await writer.write(journal.ensure_marks)
    await writer.write(outbox.epoch)
    return Storage(writer, lock, await writer.write(journal.last_heard), aside)


async def _bring_up_to_date(path: Path) -> None:
    """Look the file over, and migrate it if it is new or old, in a process that then gives its memory back."""
    await asyncio.to_thread(prepare_file, path)
    if await asyncio.to_thread(revision_of, path) == newest_file("gateway"):
        return
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub.store.migrate", "gateway", str(path), stderr=asyncio.subprocess.PIPE
    )
    _, said = await child.communicate()
    if child.returncode != 0:
        kind = StoreError if child.returncode == REFUSED else StoreAwayError
        raise kind(said.decode(errors="replace").strip()[-1000:] or f"{path} could not be migrated")


def _set_aside(path: Path, now: Millis) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{now}")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside
