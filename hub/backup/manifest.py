"""What a backup says of itself: its first member, and the bound of everything that follows. Pure.

A manifest is read before anything it speaks of and believed in nothing but sizes and digests: names are checked
against what a data folder may hold, and whatever is not exactly as announced is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import orjson

from drivers.events import Millis, iso, parse_time

FORMAT: Final = 1
"""Of the file as a whole. A greater number is refused; what an older program may overlook does not raise it."""

MAX_BYTES: Final = 8 * 1_048_576
"""Bytes of a manifest; a box with a thousand devices has one of 200 kB."""

MAX_FILES: Final = 20_000
LARGEST_FILE: Final = 1 << 42
"""Four terabytes; the room on the disk is what really bounds a restore."""

SEGMENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
DEEPEST: Final = 5
LONGEST: Final = 200

ROLE: Final = re.compile(r"centre|gateway|gateways/[a-z0-9_-]{1,64}")
"""A database's part in a data folder: a demonstration has folders of further gateways below `gateways/`."""

Engine = Literal["sqlite", "postgresql"]


class BackupError(Exception):
    """A backup that cannot be made, read or put back. Its text is one sentence for people."""


class ArchiveError(BackupError):
    """What is wrong with the file itself, for a sentence that begins with its name."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of the data folder. name: relative to it. size: bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Role:
    """A database in the backup. schema: its migration. id: whose it is. head: the audit trail's newest hash."""

    schema: str
    engine: Engine = "sqlite"
    id: str = ""
    head: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A backup's own account. made: when, ms UTC. name: whose backup. secrets: whether keys and passwords are in it."""

    made: Millis
    program: str
    name: str
    secrets: bool
    roles: Mapping[str, Role]
    files: Sequence[File] = field(default_factory=tuple)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(one.size for one in self.files)

    def as_json(self) -> bytes:
        """The member `manifest.json`."""
        told = asdict(self) | {"format": FORMAT, "made": iso(self.made)}
        return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def database_of(role: str) -> str:
    """Where a role's SQLite file lies, relative to the data folder."""
    if role == "centre":
        return "centre/centre.db"
    return "gateway/gateway.db" if role == "gateway" else f"{role}/gateway/gateway.db"


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def is_name(name: object) -> bool:
    """Whether a file may be called so below a data folder: plain words, few levels, nothing hidden or above."""
    if not isinstance(name, str) or len(name) > LONGEST:
        return False
    parts = name.split("/")
    return len(parts) <= DEEPEST and all(SEGMENT.fullmatch(part) for part in parts)


def read(content: bytes) -> Manifest:
    """Read a manifest. Raises ArchiveError with a sentence for one that is newer, wrong or hostile."""
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ArchiveError("its manifest is not JSON") from None
    if not isinstance(told, dict):
        raise ArchiveError("its manifest is no object")
    _check_format(told.get("format"))
    try:
        found = _manifest(told)
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise ArchiveError(f"its manifest cannot be understood: {wrong!r:.200}") from None
    _check_tree(found.files)
    return found


def _check_format(number: object) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ArchiveError(f"its manifest names the format {number!r:.40}, a number from 1 is expected")
    if number > FORMAT:
        raise ArchiveError(
            f"it was written by a newer trygghub (format {number}, this one knows {FORMAT}); install that one"
        )


def _manifest(told: Mapping[str, Any]) -> Manifest:
    listed = told["files"]
    if not isinstance(listed, list) or len(listed) > MAX_FILES:
        raise ValueError(f"files is a list of at most {MAX_FILES}")
    return Manifest(
        made=parse_time(told["made"]),
        program=_word(told["program"]),
        name=_word(told["name"]),
        secrets=bool(told["secrets"]),
        roles={name: _role(name, one) for name, one in told["roles"].items()},
        files=tuple(_file(one) for one in listed),
    )


def _word(text: object) -> str:
    if not isinstance(text, str) or len(text) > 200 or not text.isprintable():
        raise ValueError(f"a printable word is expected, not {text!r:.80}")
    return text


def _role(name: str, told: Mapping[str, Any]) -> Role:
    if not ROLE.fullmatch(name) or told["engine"] not in {"sqlite", "postgresql"}:
        raise ValueError(f"there is no role {name!r:.40} on {told['engine']!r:.40}")
    return Role(_word(told["schema"]), told["engine"], _word(told["id"]), _word(told["head"]))


def _file(told: Mapping[str, Any]) -> File:
    name, size, sha256 = told["name"], told["size"], told["sha256"]
    if not is_name(name):
        raise ValueError(f"no file of a data folder is called {name!r:.120}")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LARGEST_FILE:
        raise ValueError(f"{name} cannot have {size!r:.40} bytes")
    if not isinstance(sha256, str) or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"the digest of {name} is no SHA-256")
    return File(name, size, sha256)


def _check_tree(files: Sequence[File]) -> None:
    """No file twice, and none that is another one's folder."""
    names = {one.name for one in files}
    if len(names) != len(files):
        raise ArchiveError("its manifest lists a file twice")
    for one in names:
        above = one.rpartition("/")[0]
        while above:
            if above in names:
                raise ArchiveError(f"its manifest lists {above} both as a file and as a folder")
            above = above.rpartition("/")[0]
