"""How far a lane is contiguous, and what its next message changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from drivers.events import Millis


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything up to `upto` is stored; gap_since: since when something above it is stored but not all."""

    upto: int = 0
    gap_since: Millis | None = None

    @property
    def whole(self) -> bool:
        """Nothing above the mark is stored."""
        return self.gap_since is None


def moved(mark: Mark, above: Iterable[int], now: Millis) -> Mark:
    """The mark when these numbers, stored before or just now, stand in the journal."""
    upto, gap = mark.upto, False
    for number in sorted(set(above)):
        if number == upto + 1:
            upto = number
        elif number > upto:
            gap = True
            break
    if not gap:
        return Mark(upto)
    still = mark.gap_since is not None and upto == mark.upto
    return replace(mark, upto=upto, gap_since=mark.gap_since if still else now)
