"""What is wrong with the set-up, in words for people; details that only exist in English stay apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHOWN = 5
"""Devices named in a sentence before "and so many more"."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of the set-up. nb, en: whole sentences without a full stop; detail: English, for who mends it."""

    nb: str
    en: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.en}: {self.detail}" if self.detail else self.en

    def as_json(self) -> dict[str, str]:
        """As it stands in messages and on /readyz."""
        return {"nb": self.nb, "en": self.en} | ({"detail": self.detail} if self.detail else {})


def listed(names: Sequence[str], both: str, more: str) -> str:
    """`a, b and c`; of a long list the first few: both: the word for "and"; more: for "more"."""
    if len(names) > SHOWN:
        return f"{', '.join(names[:SHOWN])} {both} {len(names) - SHOWN} {more}"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {both} {names[-1]}"


def in_norwegian(names: Iterable[str]) -> str:
    """Names in a Norwegian sentence."""
    return listed(list(names), "og", "til")


def in_english(names: Iterable[str]) -> str:
    """Names in an English sentence."""
    return listed(list(names), "and", "more")
