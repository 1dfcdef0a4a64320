"""The book in force, as every process of an installation is told it: TRYGGHUB_RULES, else the shipped one."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from rules import Book, BookError, load_book, standard_book_text


def book_in_force() -> Book:
    """The whole book; one that cannot be used gives way to the shipped one, as in gateways and centre."""
    path = os.environ.get("TRYGGHUB_RULES", "")
    if path:
        try:
            return _loaded(Path(path).read_text("utf-8"), Path(path).name)
        except (BookError, OSError, UnicodeDecodeError):
            pass
    return _loaded(standard_book_text(), "standard.yaml")


@lru_cache(maxsize=4)
def _loaded(text: str, source: str) -> Book:
    """A book is read anew when its text is another one. Raises BookError."""
    return load_book(text, source=source)
