"""The book in force, as every process of an installation is told it: TRYGGHUB_RULES, else the shipped one."""

from __future__ import annotations

import os
from pathlib import Path

from rules import Book, BookError, load_book, standard_book_text


def book_in_force() -> Book:
    """The whole book; one that cannot be used gives way to the shipped one, as in gateways and centre."""
    path = os.environ.get("TRYGGHUB_RULES", "")
    if path:
        try:
            return load_book(Path(path).read_text("utf-8"), source=Path(path).name)
        except (BookError, OSError, UnicodeDecodeError):
            pass
    return load_book(standard_book_text(), source="standard.yaml")
