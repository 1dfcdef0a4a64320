"""Every number of the alert's life, in seconds of the homes' time; a municipality may change each.

The registry's `municipality.timers` overrides them by name, as in `lapse_critical: 240`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

HOUR = 3600
DAY = 24 * HOUR


class TimerError(ValueError):
    """A timer nobody knows, or a number that makes no sense; says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Defaults of DESIGN.md section 6 and reference table 8.2 of the care domain.

    lapse_*: taken without a step for that long goes back to new. calling, at_the_door: the same for these
    steps. arrive: on the way without arriving alarms again. again_*: the last step of a chain is repeated
    until somebody takes the alert. snooze: longest quiet; snooze_low: until done by date. undo: how long a
    person may take the last action back. repeats within repeat_window raise the urgency by one.
    command: life of a command. gap: a hole in a lane that old is a technical alert. silent: a gateway
    unheard for that long leaves the conditions in its homes unknown; never_heard: a new gateway may take that long
    to be heard at all. area: gateways that go out within that long of each other count as gone out together.
    emergency: length of emergency access.
    """

    lapse_critical: int = 300
    lapse_high: int = 900
    lapse_moderate: int = HOUR
    lapse_low: int = 8 * HOUR
    calling: int = 900
    arrive: int = 1800
    at_the_door: int = HOUR
    again_critical: int = 300
    again_high: int = 900
    again_moderate: int = HOUR
    again_low: int = DAY
    snooze: int = 1800
    snooze_low: int = 7 * DAY
    undo: int = 10
    repeats: int = 3
    repeat_window: int = 600
    command: int = 30
    gap: int = 900
    silent: int = 300
    never_heard: int = HOUR
    area: int = 900
    emergency: int = 8 * HOUR

    def lapse(self, urgency: str) -> int:
        """Seconds that an alert of this urgency may be taken without a step."""
        return int(getattr(self, f"lapse_{urgency}"))

    def again(self, urgency: str) -> int:
        """Seconds after which the last step of the chain is repeated."""
        return int(getattr(self, f"again_{urgency}"))

    def longest_snooze(self, urgency: str) -> int:
        """Seconds that an alert of this urgency may be put off."""
        return self.snooze_low if urgency == "low" else self.snooze

    def paced(self, speed: float) -> Timers:
        """The same patience where the homes' clock runs fast: what people wait for lasts as long at the wall."""
        return replace(self, **{name: round(getattr(self, name) * speed) for name in PEOPLES})


PEOPLES = frozenset(
    {
        "lapse_critical",
        "lapse_high",
        "lapse_moderate",
        "calling",
        "arrive",
        "at_the_door",
        "again_critical",
        "again_high",
        "again_moderate",
        "snooze",
        "undo",
        "command",
        "never_heard",
        "emergency",
    }
)
"""What people wait for, as against what happens in homes (`repeat_window`, `silent`, `gap`, `area`)."""

NAMES = frozenset(part.name for part in fields(Timers))
LONGEST = 31 * DAY


def timers_from(settings: Mapping[str, Any]) -> Timers:
    """Read `municipality.timers`; raises TimerError naming the first thing that is wrong."""
    for name, value in settings.items():
        problem = _problem(name, value)
        if problem:
            raise TimerError(problem)
    return replace(Timers(), **settings)


def timers_as_far_as_known(settings: Mapping[str, Any]) -> Timers:
    """The same for settings already stored: what is wrong falls back to its default, for an alert cannot wait."""
    return replace(Timers(), **{name: value for name, value in settings.items() if not _problem(name, value)})


def _problem(name: str, value: object) -> str:
    if name not in NAMES:
        return f"there is no timer {name!r}; known are {', '.join(sorted(NAMES))}"
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LONGEST:
        return f"timer {name} is a whole number from 1 to {LONGEST} seconds, not {value!r}"
    return ""
