"""Event ids: their order, and which have been seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from drivers.events import Millis
from rules.homes import Home

IdOrder: TypeAlias = tuple[int, int, str]


def id_order(event_id: str) -> IdOrder:
    """Decimal numbers compare as numbers and come before all other ids, which compare as text."""
    if event_id.isascii() and event_id.isdigit() and len(event_id) < 100:
        return (0, int(event_id), event_id)
    return (1, 0, event_id)


class Seen:
    """Ids heard lately, in two generations: the elder falls away when the younger is `keep` ms old.

    An event that comes in time comes at most its allowance after it happened, so an id is remembered at least that
    long; what is older is late, and a late event changes no state. Two homes may use the same id.
    """

    def __init__(self, keep: Millis) -> None:
        self.keep = keep
        self.young: dict[object, Home] = {}
        self.old: dict[object, Home] = {}
        self.turn_at: Millis = 0

    def again(self, home: Home, event_id: str) -> bool:
        """Whether this home has sent this id before; remembers it."""
        known = self.young.get(event_id) or self.old.get(event_id)
        if known is None:
            self.young[event_id] = home
            return False
        if known is home:
            return True
        both = (home.id, event_id)
        if both in self.young or both in self.old:
            return True
        self.young[both] = home
        return False

    def generations(self, heard: Millis) -> tuple[dict[object, Home], dict[object, Home]]:
        """The younger and the elder; the elder has fallen away if it is time."""
        if heard >= self.turn_at:
            self._turn(heard)
        return self.young, self.old

    def _turn(self, heard: Millis) -> None:
        self.old, self.young = self.young, {}
        self.turn_at = heard + self.keep

    def clock_set(self, now: Millis) -> None:
        """A clock that was set back must not keep ids for the time it was ahead."""
        if self.turn_at - now > 2 * self.keep:
            self._turn(now)

    def pack(self) -> dict[str, list[str]]:
        """The ids remembered of each home."""
        packed: dict[str, list[str]] = {}
        for ids in (self.old, self.young):
            for key, home in ids.items():
                event_id = key[1] if isinstance(key, tuple) else str(key)
                packed.setdefault(home.id, []).append(event_id)
        return packed

    def unpack(self, packed: Mapping[str, Iterable[str]], homes: Mapping[str, Home]) -> None:
        """Remember what `pack` wrote."""
        for home_id, ids in packed.items():
            home = homes.get(home_id)
            if home is not None:
                for event_id in ids:
                    key = event_id if event_id not in self.young else (home_id, event_id)
                    self.young[key] = home
