"""What can be wrong with a rule book, said with its line and a remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One sentence about one line of a book (lines count from 1)."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class BookError(ValueError):
    """A book that cannot be used. problems: every fault found, as sentences `line N: …`, in line order."""

    def __init__(self, problems: Iterable[Problem], source: str = "") -> None:
        self.problems = [str(each) for each in sorted(set(problems))]
        self.source = source
        super().__init__("\n".join(self.problems))


class Wrong(ValueError):  # noqa: N818  reads as what it says: raise Wrong(…)
    """A fault in one value of a book; whoever knows the line turns it into a Problem."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known word nearest to `word`, or nothing."""
    found = difflib.get_close_matches(word[:80], list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def listed(words: Iterable[str], joint: str = "or") -> str:
    """`open or closed`; `a, b or c`."""
    all_words = list(words)
    if len(all_words) < 2:
        return "".join(all_words)
    return f"{', '.join(all_words[:-1])} {joint} {all_words[-1]}"
