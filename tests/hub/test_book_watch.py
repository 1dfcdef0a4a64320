"""A changed rule book is taken over while the program runs; one with a slip leaves the old one at work."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from hub.book_watch import LARGEST, BookFileError, BookWatch
from rules import Book

ONE = "rules: {fall: {when: pendant.fall}}"
TWO = "rules: {fall: {when: pendant.fall}, press: {when: pendant.pressed}}"


class Judges:
    """Somebody who judges by the book, and hears of trouble with it."""

    def __init__(self, path: Path | None) -> None:
        self.books: list[Book] = []
        self.troubles: list[str] = []
        self.watch = BookWatch(path, self._use, self._trouble)

    async def _use(self, book: Book) -> None:
        self.books.append(book)

    async def _trouble(self, why: BookFileError | None) -> None:
        self.troubles.append("" if why is None else str(why))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A rule book with one rule."""
    path = tmp_path / "book.yaml"
    path.write_text(ONE)
    return path


async def test_changed_content_is_taken_over_once(path: Path) -> None:
    """The content counts, not the file's date: written anew with the same text it is the same book."""
    judges = Judges(path)
    path.write_text(ONE)
    await judges.watch.look()
    assert judges.books == []
    path.write_text(TWO)
    await judges.watch.look()
    await judges.watch.look()
    [book] = judges.books
    assert set(book.rules) == {"fall", "press"}
    assert judges.troubles == [""]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"rules: {fall: {wenn: pendant.fall}}", "book.yaml, line 1"),
        (b"\xff\xfe", "is no UTF-8 text"),
        (b"#" * (LARGEST + 1), "larger than"),
    ],
)
async def test_a_slip_keeps_the_old_book(path: Path, content: bytes, why: str) -> None:
    """It is told once, with the place, and over when a good book is there again."""
    judges = Judges(path)
    path.write_bytes(content)
    await judges.watch.look()
    await judges.watch.look()
    assert judges.books == []
    if len(content) <= LARGEST:
        assert [why in trouble for trouble in judges.troubles] == [True]
    path.write_text(TWO)
    await judges.watch.look()
    assert (len(judges.books), judges.troubles[-1]) == (1, "")


async def test_a_book_that_is_gone_is_told(path: Path) -> None:
    """A file taken away leaves the old book at work."""
    judges = Judges(path)
    path.unlink()
    await judges.watch.look()
    assert judges.books == []
    assert judges.troubles == ["book.yaml cannot be read: No such file or directory"]


async def test_a_signal_makes_it_look_at_once(path: Path) -> None:
    """SIGHUP, as administrators know it; without a file of its own the signal ends nothing."""
    for one in (Judges(path), Judges(None)):
        looked = asyncio.Event()
        path.write_text(ONE if one.watch._path is None else TWO)
        real = one.watch.look

        async def look(real=real, looked=looked) -> None:  # type: ignore[no-untyped-def]
            await real()
            looked.set()

        one.watch.look = look  # type: ignore[method-assign]
        task = asyncio.create_task(one.watch.run())
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(30):
            await looked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        assert len(one.books) == (0 if one.watch._path is None else 1)
