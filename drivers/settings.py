"""Settings of devices and their lines: what may stand in the registry, strictly by type, each fault a sentence.

    TABLE = {"seconds": number(0.1, 60, "seconds", usual=5), "install": flag()}
    problems(TABLE, {"seconds": True}, "osdp_door")   → "seconds is a number of seconds from 0.1 to 60, not true"
    taken(TABLE, settings, "seconds")                 → 5 where nothing is said; ValueError with the same sentence

A flag is no number (`seconds: true` would open a door for one second), a number is no text (`places: {201: Bath}`
would name no place), and NaN is nothing. What a table does not know is refused with the nearest word it has.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LONGEST: Final = 200
"""Characters of a text that does not say otherwise."""
MOST: Final = 500
"""Entries of a table or a list that does not say otherwise."""

NAMED: Final = 12
"""Choices that a sentence names."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. form: what it is, as the end of a sentence (`a number from 1 to 600 seconds`). usual: without it.

    meaning: what it does, for people; empty where its name says it.
    """

    form: str
    fits: Callable[[object], bool]
    usual: Any = None
    meaning: str = ""

    def means(self, meaning: str) -> Setting:
        """The same with its meaning."""
        return replace(self, meaning=meaning)


Settings: TypeAlias = Mapping[str, Setting]
NO_SETTINGS: Final[Settings] = MappingProxyType({})


# ---------------------------------------------------------------- what there is


def flag(*, usual: bool = False) -> Setting:
    """True or false."""
    return Setting("true or false", lambda value: isinstance(value, bool), usual)


def whole(low: int, high: int, unit: str = "", *, usual: int | None = None) -> Setting:
    """A whole number; unit: what it counts."""
    form = f"a whole number {_counted(unit)}from {low} to {high}"
    return Setting(form, lambda value: type(value) is int and low <= value <= high, usual)


def number(low: float, high: float, unit: str = "", *, usual: float | None = None) -> Setting:
    """A number, whole or not; unit: what it counts."""

    def fits(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

    return Setting(f"a number {_counted(unit)}from {low:g} to {high:g}", fits, usual)


def one_of(*values: str | int, usual: str | int | None = None) -> Setting:
    """One of these; 1 is not true and not "1"."""

    def fits(value: object) -> bool:
        return any(type(value) is type(one) and value == one for one in values)

    listed = ", ".join(map(str, values[:NAMED])) + (" …" if len(values) > NAMED else "")
    return Setting(f"one of {listed}", fits, usual)


def text(longest: int = LONGEST, *, form: str = "", pattern: str = "", usual: str | None = None) -> Setting:
    """A text. pattern: what the whole of it looks like; form: the same in words."""

    def fits(value: object) -> bool:
        right = isinstance(value, str) and len(value) <= longest and "\0" not in value
        return right and (not pattern or re.fullmatch(pattern, str(value)) is not None)

    return Setting(form or f"a text of at most {longest} characters", fits, usual)


def file_of_secret() -> Setting:
    """The name of a file in the gateway's secrets folder."""
    pattern = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}"
    return text(100, form="the name of a file in the secrets folder", pattern=pattern)


def table(of: Setting, keys: Setting | None = None, most: int = MOST) -> Setting:
    """Texts to things of one kind. keys: what the texts look like."""
    known = keys or text()

    def fits(value: object) -> bool:
        if not isinstance(value, Mapping) or len(value) > most:
            return False
        return all(known.fits(key) and of.fits(one) for key, one in value.items())

    return Setting(f"a table from {known.form} (numbers in quotes) to {of.form}", fits)


def listing(of: Setting, most: int = MOST) -> Setting:
    """One thing of a kind, or a list of them."""

    def fits(value: object) -> bool:
        if isinstance(value, list | tuple):
            return 0 < len(value) <= most and all(map(of.fits, value))
        return of.fits(value)

    return Setting(f"{of.form}, or a list of such", fits)


def time_zone() -> Setting:
    """A time zone by its name."""

    def fits(value: object) -> bool:
        try:
            return isinstance(value, str) and bool(ZoneInfo(value))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return False

    return Setting("a time zone like Europe/Oslo", fits)


def endpoint() -> Setting:
    """Where to listen."""

    def fits(value: object) -> bool:
        found = re.fullmatch(r"[^\s]{1,255}:([0-9]{1,5})", value) if isinstance(value, str) else None
        return found is not None and 0 < int(found[1]) < 65_536

    return Setting('an address and a port like "0.0.0.0:5060"', fits)


# ---------------------------------------------------------------- asking


def problems(known: Settings, given: Mapping[str, Any], whose: str) -> Iterator[tuple[str, str]]:
    """Every fault as (name, sentence): what nobody knows, and what is of the wrong kind or size. whose: the type."""
    for name, value in given.items():
        if name not in known:
            yield str(name), f"a {whose} has no setting {str(name)[:80]!r}{_hint(str(name), known)}"
        elif said := wrong(known, name, value):
            yield name, said


def wrong(known: Settings, name: str, value: object) -> str:
    """What is wrong with one known setting, in a sentence; empty for nothing."""
    return "" if known[name].fits(value) else f"{name} is {known[name].form}, not {shown(value)}"


def taken(known: Settings, given: Mapping[str, Any], name: str) -> Any:
    """The value of a setting, or what is usual. Raises ValueError with a sentence."""
    if name not in given:
        return known[name].usual
    if said := wrong(known, name, given[name]):
        raise ValueError(f"the setting {said}")
    return given[name]


def shown(value: object) -> str:
    """A value as the file has it, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        written = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        written = repr(value)
    return written if len(written) <= 60 else f"{written[:57]}..."


def _counted(unit: str) -> str:
    return f"of {unit} " if unit else ""


def _hint(name: str, known: Settings) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(known)}" if known else ""
