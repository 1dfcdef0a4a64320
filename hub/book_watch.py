"""The rule book's file while the program runs: looked at once a minute and on SIGHUP, taken over when it has changed.

The new book is read aside, whole, before anything is touched; one with a slip in it leaves the old one at work and is
told. Whoever judges decides how the books are swapped (rules.reload).
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog

from rules import Book, BookError, load_book
from rules.slips import say_slips
from rules.spans import Language

LOOK_EVERY = 60.0
"""Seconds (real) between two looks at the file."""

LANGUAGES: tuple[Language, Language] = ("nb", "en")

LARGEST = 4 * 1024 * 1024
"""Bytes; a larger file is no rule book."""

say = structlog.get_logger(__name__)


class BookFileError(ValueError):
    """A rule book that cannot be used, and why, in one sentence with the place. words: the same as nb and en."""

    def __init__(self, nb: str, en: str) -> None:
        super().__init__(en)
        self.words = {"nb": nb, "en": en}


def read_book(path: Path) -> Book:
    """Read a whole book. Raises BookFileError."""
    return _parsed(path, _content(path))


class BookWatch:
    """Watches one file. use: given a new book; trouble: given why it cannot be used, None when all is well again."""

    def __init__(
        self,
        path: Path | None,
        use: Callable[[Book], Awaitable[None]],
        trouble: Callable[[BookFileError | None], Awaitable[None]],
    ) -> None:
        self._path, self._use, self._trouble = path, use, trouble
        self._asked = asyncio.Event()
        self._known = _digest(path)

    def look_now(self) -> None:
        """Look without waiting for the minute to pass."""
        self._asked.set()

    async def run(self) -> None:
        """Look for ever; SIGHUP makes it look at once."""
        with suppress(ValueError, RuntimeError):  # signals reach the main thread only
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.look_now)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._asked.wait()
            self._asked.clear()
            await self.look()

    async def look(self) -> None:
        """Take the book over if its content is another one than last time."""
        if self._path is None:
            return
        now = await asyncio.to_thread(_digest, self._path)
        if now == self._known:
            return
        self._known = now
        try:
            book = await asyncio.to_thread(read_book, self._path)
        except BookFileError as wrong:
            say.error("the changed rule book cannot be used; the old one holds", why=str(wrong))
            await self._trouble(wrong)
            return
        await self._use(book)
        say.info("the changed rule book is at work", rules=len(book.rules))
        await self._trouble(None)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise BookFileError(
            f"{_name(path)} kan ikke leses: {error.strerror}",
            f"{_name(path)} cannot be read: {error.strerror}",
        ) from None
    if len(content) > LARGEST:
        raise BookFileError(
            f"{_name(path)} er større enn {LARGEST} byte og ingen regelbok",
            f"{_name(path)} is larger than {LARGEST} bytes and no rule book",
        )
    return content


def _parsed(path: Path, content: bytes) -> Book:
    try:
        return load_book(content.decode(), source=path.name)
    except BookError as wrong:
        nb, en = (f"{_name(path)}, {say_slips(wrong.problems, each)}" for each in LANGUAGES)
        raise BookFileError(nb, en) from None
    except UnicodeDecodeError as wrong:
        raise BookFileError(
            f"{_name(path)} er ikke UTF-8-tekst: byte {wrong.start}",
            f"{_name(path)} is no UTF-8 text: byte {wrong.start}",
        ) from None


def _name(path: Path) -> str:
    return path.name[:80]


def _digest(path: Path | None) -> bytes:
    """Of what stands in the file; empty where it cannot be read."""
    if path is None:
        return b""
    try:
        return hashlib.sha256(_content(path)).digest()
    except BookFileError:
        return b""
