"""Which files of a data folder a backup carries. Databases are copied by what they are (`snapshot.py`), not as files.

Carried is what a new machine could not make again. Left out are the brokers' stores (transport; only a commit
counts), logs, simulated ports, what a restore or a damaged card put aside, and everything half written.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hub.backup.manifest import is_name

FOLDERS: Final = ("gateway", "gateways", "centre", "secrets", "books")
TOP_LEVEL: Final = ("*.json", "*.yaml", "*.yml")
"""Files beside the folders: what `trygghub run` remembers, its clock, registry files and rule books laid there."""

LEFT_OUT: Final = ("lock", "*.lock", "reserve", "*.new", "*.log", "*.db", "*.db-wal", "*.db-shm", "*.db-journal",
                   "*.damaged-*")  # fmt: skip
SECRET: Final = (
    "secrets/*",
    "gateway/secrets/*",
    "gateway/bonds.json",
    "gateways/*/gateway/secrets/*",
    "gateways/*/gateway/bonds.json",
)
"""Keys, PINs, passwords and Bluetooth pairings."""

BOOKS: Final = "books"
"""Where a rule book from outside the data folder lies in a backup, and after a restore."""


def roles(data: Path) -> list[str]:
    """The roles whose databases may lie here."""
    further = sorted(one.parent.name for one in (data / "gateways").glob("*/gateway") if one.is_dir())
    return ["gateway", "centre", *(f"gateways/{name}" for name in further)]


def is_secret(name: str) -> bool:
    """Whether a file is a key, a PIN, a password or a pairing."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in SECRET)


def carried(data: Path) -> tuple[list[str], list[str]]:
    """The plain files to carry, relative to the data folder, and those whose names a backup cannot hold."""
    found = sorted(name for name in _plain_files(data) if not _left_out(name))
    return [name for name in found if is_name(name)], [name for name in found if not is_name(name)]


def _left_out(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last.startswith(".") or any(fnmatch.fnmatchcase(last, pattern) for pattern in LEFT_OUT)


def _plain_files(data: Path) -> Iterator[str]:
    for entry in os.scandir(data):
        if entry.is_file(follow_symlinks=False):
            if any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in TOP_LEVEL):
                yield entry.name
        elif entry.name in FOLDERS and entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), entry.name)


def _below(folder: Path, name: str) -> Iterator[str]:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), f"{name}/{entry.name}")
        elif entry.is_file(follow_symlinks=False):
            yield f"{name}/{entry.name}"
