"""Which rules this gateway judges by: a book from a file, or the shipped one; never none at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub.book_watch import BookFileError, read_book
from rules import Book, load_book, standard_book_text


@dataclass(frozen=True, slots=True)
class Chosen:
    """The book for a gateway. trouble: why it is not the one that was asked for, empty if it is."""

    book: Book
    trouble: str = ""


def choose(path: Path | None) -> Chosen:
    """Load the book of that path; one with a slip in it gives way to the shipped book, and that is said."""
    if path is None:
        return Chosen(shipped())
    try:
        return Chosen(read_book(path).judged_by("gateway"))
    except BookFileError as wrong:
        return Chosen(shipped(), str(wrong))


def shipped() -> Book:
    """The gateway's share of the standard book."""
    return load_book(standard_book_text(), source="standard.yaml").judged_by("gateway")
