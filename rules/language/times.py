"""TIMES: parts of the week and of the resident's life, as the clock on the wall shows them.

    between 22:00 and 06:00
    between resident.night_from and resident.night_to
    on weekdays · on saturday, sunday
    when at home · when away

Several may stand behind each other and must all hold: `between 07:00 and 10:00 on weekdays when at home`.
Both ends of `between` are included. A clock time that comes twice in autumn is inside both times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rules.language.types import Parameters, Setting
from rules.problems import Wrong, nearest
from rules.spans import parse_clock

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SETS = {"weekdays": frozenset(range(5)), "weekends": frozenset((5, 6))}

_BETWEEN = re.compile(r"between\s+(\S+)\s+and\s+(\S+)\s*")
_ON = re.compile(r"on\s+([a-z]+(?:\s*(?:,|and)\s*[a-z]+)*)\s*")
_WHEN = re.compile(r"when\s+(at home|away)\s*")
_HOW = "write it like 'between 22:00 and 06:00', 'on weekdays' or 'when at home'"


@dataclass(frozen=True, slots=True)
class Times:
    """When a rule may act. days: 0 is Monday, empty means every day. at_home: None means either."""

    text: str
    start: Setting | None = None
    end: Setting | None = None
    days: frozenset[int] = frozenset()
    at_home: bool | None = None

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The clock times in it."""
        return tuple(each for each in (self.start, self.end) if each is not None)


def parse_times(text: str, parameters: Parameters) -> Times:
    """Read TIMES. Raises Wrong."""
    rest, start, end = text.strip(), None, None
    days: frozenset[int] = frozenset()
    at_home: bool | None = None
    while rest:
        if found := _BETWEEN.match(rest):
            start, end = clock_setting(found[1], parameters), clock_setting(found[2], parameters)
            different(start, end)
        elif found := _ON.match(rest):
            days = _days(found[1])
        elif found := _WHEN.match(rest):
            at_home = found[1] == "at home"
        else:
            raise Wrong(f"{text[:80]!r} is not a part of the day; {_HOW}")
        rest = rest[found.end() :]
    if start is None and not days and at_home is None:
        raise Wrong(f"a part of the day is missing; {_HOW}")
    return Times(text, start, end, days, at_home)


def clock_setting(text: str, parameters: Parameters) -> Setting:
    """A clock time written out, or a resident's."""
    if text.startswith("resident."):
        name = text.removeprefix("resident.")
        parameters.need(name, "clock")
        return Setting("clock", parameter=name)
    return Setting("clock", parse_clock(text))


def different(start: Setting, end: Setting) -> None:
    """Refuse a window without length."""
    if start == end:
        raise Wrong(
            f"the window begins and ends at the same time, {start if start.parameter else ''}".rstrip(" ,")
        )


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for word in re.split(r"\s*(?:,|\band\b)\s*", text):
        name = word if word in _SETS else word.removesuffix("s")
        if name in _SETS:
            found |= _SETS[name]
        elif name in DAYS:
            found.add(DAYS.index(name))
        else:
            raise Wrong(f"{word!r} is no day{nearest(word, (*DAYS, *_SETS))}")
    return frozenset(found)
