"""Which rules this gateway judges by: a book from a file, or the shipped one; never none at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

from hub.book_watch import BookFileError, read_book
from hub.gateway.problems import Problem
from rules import Book, load_book, standard_book_text

REMEDY = {
    "nb": "rett linjen; «trygghub rules check» sier alt som er galt",
    "en": "correct the line; 'trygghub rules check' says all that is wrong",
}

say = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The book for a gateway. trouble: why it is not the one that was asked for, None if it is."""

    book: Book
    trouble: BookFileError | None = None


def choose(path: Path | None) -> Chosen:
    """Load the book of that path; one with a slip in it gives way to the shipped book, and that is said."""
    if path is None:
        return Chosen(shipped())
    try:
        return Chosen(read_book(path).judged_by("gateway"))
    except BookFileError as wrong:
        return Chosen(shipped(), wrong)


def shipped() -> Book:
    """The gateway's share of the standard book."""
    return load_book(standard_book_text(), source="standard.yaml").judged_by("gateway")


def not_read(why: BookFileError) -> Problem:
    """At the start: the book asked for gives way to the shipped one."""
    say.error("the rule book cannot be used; the shipped one stands in for it", why=str(why))
    return _problem(
        "Regelboken kan ikke brukes; den medfølgende gjelder",
        "The rule book cannot be used; the shipped one stands in for it",
        why,
    )


def kept(why: BookFileError) -> Problem:
    """At work: the book that was changed leaves the old one in force."""
    return _problem(
        "Den endrede regelboken kan ikke brukes; den gamle gjelder",
        "The changed rule book cannot be used; the old one holds",
        why,
    )


def _problem(nb: str, en: str, why: BookFileError) -> Problem:
    told = {each: f"{why.words[each]} – {REMEDY[each]}" for each in REMEDY}
    return Problem(f"{nb}: {told['nb']}", f"{en}: {told['en']}")
