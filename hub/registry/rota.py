"""Shifts as spans of the local day: whether one covers a minute, and which minutes nobody covers. Pure.

A shift is asked about in local time and never turned into instants, so the hour that comes twice is covered
twice and the hour that does not come leaves no gap (failure modes CK-1, CK-3).
"""

from __future__ import annotations

from collections.abc import Iterable

DAY = 24 * 60


def minutes(clock: str) -> int:
    """Minutes since midnight of a text like 22:00."""
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


def covers(start: str, end: str, local: int) -> bool:
    """Whether a shift covers that minute of the local day; equal ends mean the whole day."""
    first, last = minutes(start), minutes(end)
    if first < last:
        return first <= local < last
    return local >= first or local < last


def uncovered(shifts: Iterable[tuple[str, str]]) -> list[int]:
    """Minutes of the local day in none of these spans, in order."""
    spans = list(shifts)
    return [minute for minute in range(DAY) if not any(covers(*span, minute) for span in spans)]
