"""The file itself: a tar archive under gzip, which any system can open, read here more strictly than tar would.

    manifest.json      what follows, with sizes and digests
    manifest.sha256    the manifest's own digest, in the form of sha256sum
    data/…             the files, in the manifest's order

Only plain files with plain names are taken, in exactly the announced order and sizes: no links, no devices, no
extended headers, nothing before, between or behind. So a hostile archive costs at most the room it announces.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from hub.backup import manifest as manifests
from hub.backup.manifest import ArchiveError, BackupError, File, Manifest

BLOCK: Final = tarfile.BLOCKSIZE
CHUNK: Final = 1 << 20
LEVEL: Final = 4
"""Of compression: a box with a slow processor is not kept busy for the last few per cent."""

USTAR_LARGEST: Final = 8 << 30
"""From this size on the header's number is written the way GNU tar does."""

MANIFEST, SEAL, DATA = "manifest.json", "manifest.sha256", "data/"

Done = Callable[[int], None]
"""Told how many more bytes are done."""


class Sink(Protocol):
    """Takes a file's bytes as they come."""

    def write(self, chunk: bytes, /) -> object:
        """Take some."""
        ...


def write(out: BinaryIO, manifest: Manifest, tree: Path, done: Done) -> None:
    """Write the archive of the files below `tree`. Raises OSError."""
    content = manifest.as_json()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=out, mtime=0) as packed:
        _put(packed, MANIFEST, content, manifest)
        _put(packed, SEAL, _seal(content), manifest)
        for one in manifest.files:
            packed.write(_header(DATA + one.name, one.size, manifest))
            with (tree / one.name).open("rb") as source:
                while chunk := source.read(CHUNK):
                    packed.write(chunk)
                    done(len(chunk))
            packed.write(bytes(-one.size % BLOCK))
        packed.write(bytes(2 * BLOCK))


def _put(packed: gzip.GzipFile, name: str, content: bytes, manifest: Manifest) -> None:
    packed.write(_header(name, len(content), manifest))
    packed.write(content + bytes(-len(content) % BLOCK))


def _header(name: str, size: int, manifest: Manifest) -> bytes:
    head = tarfile.TarInfo(name)
    head.size, head.mode, head.mtime = size, 0o600, manifest.made // 1000
    return head.tobuf(tarfile.USTAR_FORMAT if size < USTAR_LARGEST else tarfile.GNU_FORMAT)


def _seal(content: bytes) -> bytes:
    return f"{manifests.digest(content)}  {MANIFEST}\n".encode()


# ---------------------------------------------------------------- reading


class Reading:
    """An opened archive whose manifest was read and fits its seal; files come once, in order."""

    def __init__(self, packed: gzip.GzipFile) -> None:
        self._packed = packed
        content = self._whole(MANIFEST, manifests.MAX_BYTES)
        if self._whole(SEAL, 200) != _seal(content):
            raise ArchiveError("its manifest does not fit its digest")
        self.manifest = manifests.read(content)

    def files(self, sink: Callable[[File], Sink | None], done: Done) -> None:
        """Give every file to the sink that is made for it; each digest is checked as the bytes go by."""
        for one in self.manifest.files:
            self._expect(DATA + one.name, one.size)
            self._copy(one, sink(one), done)
        if any(self._read(2 * BLOCK)) or self._packed.read(1):
            raise ArchiveError("it holds more than its manifest lists")

    def _copy(self, one: File, sink: Sink | None, done: Done) -> None:
        told, left = hashlib.sha256(), one.size
        while left:
            chunk = self._read(min(CHUNK, left))
            told.update(chunk)
            if sink is not None:
                sink.write(chunk)
            left -= len(chunk)
            done(len(chunk))
        self._read(-one.size % BLOCK)
        if told.hexdigest() != one.sha256:
            raise ArchiveError(f"{one.name} in it does not have the digest that the manifest lists")

    def _whole(self, name: str, most: int) -> bytes:
        size = self._expect(name, None)
        if size > most:
            raise ArchiveError(f"its {name} has {size} bytes, at most {most} are expected")
        content = self._read(size)
        self._read(-size % BLOCK)
        return content

    def _expect(self, name: str, size: int | None) -> int:
        try:
            head = tarfile.TarInfo.frombuf(self._read(BLOCK), "ascii", "strict")
        except (tarfile.HeaderError, ValueError):
            raise ArchiveError(f"where {name} should begin there is no tar header") from None
        if head.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or head.name != name:
            raise ArchiveError(f"it holds {head.name!r:.120} where the plain file {name} should be")
        if head.size < 0 or size not in {None, head.size}:
            raise ArchiveError(f"{name} in it has {head.size} bytes, the manifest lists {size}")
        return head.size

    def _read(self, size: int) -> bytes:
        content = self._packed.read(size) if size else b""
        if len(content) != size:
            raise ArchiveError("it ends too early")
        return content


@contextmanager
def opened(path: Path) -> Iterator[Reading]:
    """Open an archive. Raises BackupError with one sentence that names the file, whatever is wrong with it."""
    try:
        with path.open("rb") as file, gzip.GzipFile(fileobj=file, mode="rb") as packed:
            yield Reading(packed)
    except ArchiveError as wrong:
        raise BackupError(f"{path} cannot be used as a backup: {wrong}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as broken:
        raise BackupError(f"{path} cannot be used as a backup: it is broken ({broken})") from None
    except OSError as wrong:
        raise BackupError(f"{wrong.filename or path} cannot be read or written: {wrong.strerror}") from None


def check(path: Path, done: Done = lambda _bytes: None) -> Manifest:
    """Read all of an archive and compare every digest. Raises BackupError."""
    with opened(path) as reading:
        reading.files(lambda _file: None, done)
        return reading.manifest


def listed(tree: Path, names: Sequence[str], done: Done) -> tuple[File, ...]:
    """The files of a tree with their sizes and digests, in the order given."""
    return tuple(_listed(tree / name, name, done) for name in names)


def _listed(path: Path, name: str, done: Done) -> File:
    told, size = hashlib.sha256(), 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            told.update(chunk)
            size += len(chunk)
            done(len(chunk))
    return File(name, size, told.hexdigest())
