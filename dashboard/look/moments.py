"""Points in time as staff read them: the home's own clock, 24 hours, absolute and relative (reference section 10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from dashboard.look.words import Language, say
from drivers.events import Millis, iso

MINUTE, HOUR, DAY = 60, 3600, 86_400
LOCALES = {"nb": "nb_NO", "en": "en_GB"}
WORTH_TELLING_APART = 60_000
"""Milliseconds between happening and being heard from which both are shown."""


def local(at: Millis, tz: str) -> datetime:
    """The moment on the clock of a time zone."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(tz))


def clock(at: Millis, now: Millis, tz: str, language: Language) -> str:
    """`14:02` today, else `ons. 18. nov. 14:02`; in the hour that comes twice, with its offset."""
    moment = local(at, tz)
    pattern = "HH:mm" if moment.date() == local(now, tz).date() else "EEE d. MMM HH:mm"
    return format_datetime(moment, pattern, locale=LOCALES[language]) + _offset_if_twice(moment)


def full(at: Millis, tz: str, language: Language) -> str:
    """`onsdag 18. november 2026 14:02:31`, for the tooltip and for print."""
    moment = local(at, tz)
    return format_datetime(moment, "EEEE d. MMMM y HH:mm:ss", locale=LOCALES[language]) + _offset_if_twice(
        moment
    )


def seconds_clock(at: Millis, tz: str) -> str:
    """`14:02:31`."""
    return f"{local(at, tz):%H:%M:%S}"


def day(at: Millis, now: Millis, tz: str, language: Language) -> str:
    """A heading for a day: `I dag`, `I går`, else `onsdag 18. november`."""
    moment, today = local(at, tz).date(), local(now, tz).date()
    if moment == today:
        return say(language, "Today")
    if moment == today - timedelta(days=1):
        return say(language, "Yesterday")
    return format_datetime(local(at, tz), "EEEE d. MMMM", locale=LOCALES[language])


def age(at: Millis, now: Millis, language: Language) -> str:
    """`nå`, `2 min`, `3 t`, `4 d`: how long ago; live.js writes the same words as time goes by."""
    seconds = max(0, now - at) // 1000
    if seconds < MINUTE:
        return say(language, "now")
    if seconds < HOUR:
        return say(language, "%(n)s min", n=seconds // MINUTE)
    if seconds < DAY:
        return say(language, "%(n)s h", n=seconds // HOUR)
    return say(language, "%(n)s d", n=seconds // DAY)


def span(milliseconds: int) -> str:
    """`2:10`, minutes and seconds that remain; never below zero."""
    seconds = max(0, milliseconds) // 1000
    return f"{seconds // 60}:{seconds % 60:02d}"


def _offset_if_twice(moment: datetime) -> str:
    """` +02:00` when this clock time comes twice because summer time ends, else nothing."""
    if moment.replace(fold=1 - moment.fold).utcoffset() == moment.utcoffset():
        return ""
    offset = f"{moment:%z}"
    return f" {offset[:3]}:{offset[3:]}"


@dataclass(frozen=True, slots=True)
class Moment:
    """One point in time, ready for a template. time: the time of day alone; clock: with the date unless today."""

    at: Millis
    utc: str
    time: str
    clock: str
    full: str
    age: str


def moment(at: Millis, now: Millis, tz: str, language: Language) -> Moment:
    """Write a point in time every way a page needs it."""
    written = local(at, tz)
    return Moment(
        at=at,
        utc=iso(at),
        time=f"{written:%H:%M}{_offset_if_twice(written)}",
        clock=clock(at, now, tz, language),
        full=full(at, tz, language),
        age=age(at, now, language),
    )
