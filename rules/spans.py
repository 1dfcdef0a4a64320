"""Time spans (`1 h 30 min`) and clock times (`22:00`): how a book writes them and how people read them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias

from rules.problems import Wrong

Span: TypeAlias = int
"""Milliseconds of elapsed time."""

Clock: TypeAlias = int
"""Minutes since local midnight, as the clock on the wall shows them."""

Language: TypeAlias = Literal["nb", "en"]

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
_UNITS = {"ms": 1, "s": SECOND, "min": MINUTE, "h": HOUR, "d": DAY}
_SHOWN = (("d", "døgn", DAY), ("h", "t", HOUR), ("min", "min", MINUTE), ("s", "s", SECOND), ("ms", "ms", 1))

SPAN = r"[0-9]{1,9}\s*(?:ms|s|min|h|d)(?![A-Za-z0-9_])"
_PART = re.compile(r"([0-9]{1,9})\s*(ms|s|min|h|d)(?![A-Za-z0-9_])\s*", re.ASCII)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)

LONGEST: Span = 366 * DAY
"""A longer wait is a slip of the pen, and its deadline would lie outside every journal."""


@lru_cache(maxsize=4096)
def parse_span(text: str) -> Span:
    """Read `10 min`, `90 s`, `1 h 30 min`, `2 d`. Raises Wrong for anything else."""
    total, place, found = 0, 0, False
    words = text.strip()
    while place < len(words):
        part = _PART.match(words, place)
        if part is None:
            break
        total += int(part[1]) * _UNITS[part[2]]
        place, found = part.end(), True
    if not found or place < len(words):
        raise Wrong(f"{text[:80]!r} is not a time span; write it like '10 min', '90 s' or '1 h 30 min'")
    if total > LONGEST:
        raise Wrong(f"{text[:80]!r} is longer than a year")
    return total


@lru_cache(maxsize=4096)
def parse_clock(value: str | int) -> Clock:
    """Read `22:00`; YAML turns an unquoted 22:00 into 1320, which is turned back. Raises Wrong otherwise."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return value
    found = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise Wrong(f"{str(value)[:80]!r} is not a clock time; write it like '22:00'")
    return int(found[1]) * 60 + int(found[2])


def say_span(span: Span, language: Language = "en") -> str:
    """`1 h 30 min`, in Norwegian `1 t 30 min`."""
    parts, rest = [], span
    for english, norwegian, size in _SHOWN:
        whole, rest = divmod(rest, size)
        if whole:
            parts.append(f"{whole} {norwegian if language == 'nb' else english}")
    return " ".join(parts) or "0 s"


def say_clock(clock: Clock) -> str:
    """`06:05`."""
    return f"{clock // 60:02d}:{clock % 60:02d}"
