"""Reports that many device types share: battery level and signs of life, without saying the same all day.

They remember in `unit.memory` what was said last; times are ms UTC of hearing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from drivers.device_type import Result, Unit
from drivers.events import Fact, Millis

MINUTE: Final[Millis] = 60_000
DAY: Final[Millis] = 24 * 60 * MINUTE
LIFE_EVERY: Final[Millis] = 15 * MINUTE
LOW: Final = 15  # percent; button cells have days left, not weeks
HIGH_AGAIN: Final = 30  # percent; between the two a new battery is not yet believed


def battery(device_class: str, percent: float, unit: Unit, heard: Millis, low: float = LOW) -> list[Fact]:
    """The level when it changed or a day has passed; once `battery_low` when it fell to `low`.

    A level above 100 is no level, and nothing is said of it: what else came with it must not be lost.
    """
    if not 0 <= percent <= 100:
        return []
    said = unit.memory.get("battery", {})
    was_low = bool(said.get("low"))
    is_low = percent <= low or (was_low and percent < HIGH_AGAIN)
    changed = said.get("percent") != percent or not 0 <= heard - int(said.get("heard", 0)) < DAY
    facts = [Fact(f"{device_class}.battery", {"value": percent})] if changed else []
    if is_low and not was_low:
        facts.append(Fact(f"{device_class}.battery_low"))
    if facts or is_low != was_low:
        unit.memory["battery"] = {"percent": percent, "low": is_low, "heard": heard}
    return facts


Said = TypeVar("Said", bound=Fact | Result)


def alive(device_class: str, said: Sequence[Said], unit: Unit, heard: Millis) -> list[Said | Fact]:
    """What a live frame said, and a heartbeat if it said nothing, or if the last heartbeat (or first word) is old.

    Rules on silence listen for heartbeats alone: a thermometer whose every frame has news must not pass for silent.
    """
    since = unit.memory.get("life", unit.memory.get("told"))
    if said and not isinstance(since, int):
        unit.memory["told"] = heard
        return list(said)
    if said and isinstance(since, int) and 0 <= heard - since < LIFE_EVERY:
        return list(said)
    return [*said, *life(device_class, unit, heard)]


def life(device_class: str, unit: Unit, heard: Millis, every: Millis = LIFE_EVERY) -> list[Fact]:
    """A heartbeat, at most one in `every` ms."""
    last = unit.memory.get("life")
    if isinstance(last, int) and 0 <= heard - last < every:
        return []
    unit.memory["life"] = heard
    return [Fact(f"{device_class}.heartbeat")]
