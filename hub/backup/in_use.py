"""Whether anything works in a data folder, and holding it so that nothing begins to while it is exchanged.

The gateway and `trygghub run` hold lock files. Centre and web hold none, but whoever has a SQLite database open in
WAL mode holds a shared lock on its bytes 0x40000002 to 0x400001ff (https://sqlite.org/fileformat.html, section on
locking), so the exclusive one is not to be had; holding it keeps everybody out.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from hub.backup.contents import roles
from hub.backup.manifest import BackupError, database_of

RUN: Final = "run.lock"
SHARED_FIRST, SHARED_SIZE = 0x4000_0002, 510


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold a data folder. Raises BackupError when a process works in it."""
    with ExitStack() as stack:
        stack.enter_context(_locked(data / RUN, "trygghub run"))
        for role in roles(data):
            path = data / database_of(role)
            who = "a centre or a dashboard" if role == "centre" else "a gateway"
            if role != "centre" and path.with_name("lock").exists():
                stack.enter_context(_locked(path.with_name("lock"), who))
            if path.exists():
                stack.enter_context(_kept_closed(path, who))
        yield


@contextmanager
def _locked(path: Path, who: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise _busy(path, who) from None
    finally:
        os.close(descriptor)


@contextmanager
def _kept_closed(path: Path, who: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, SHARED_SIZE, SHARED_FIRST)
        yield
    except (BlockingIOError, PermissionError):
        raise _busy(path, who) from None
    finally:
        os.close(descriptor)


def _busy(path: Path, who: str) -> BackupError:
    return BackupError(f"{who} is at work in {path.parent}; stop it first (systemctl stop 'trygghub-*')")
