"""The resident's own clock: what it shows at an instant, and which instant a time of day is.

Time that comes twice in autumn: the first. Time that does not exist in spring: the offset before the gap, so
02:30 becomes 03:30 (RFC 5545, Temporal). Everything else in the engine is elapsed time.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from drivers.events import LATEST, Millis
from rules.homes import Home
from rules.language.times import Times
from rules.language.types import Setting
from rules.spans import DAY, MINUTE, Clock, say_clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = LATEST - 7 * DAY
LAST_DAY = date.max.toordinal() - 3
"""Near the end of the calendar a local time may lie outside it; nothing there is judged, and nothing fails."""


def shown(at: Millis, tz: ZoneInfo) -> datetime:
    """What the clock on the wall shows."""
    return (_EPOCH + timedelta(milliseconds=min(max(at, 0), _LAST))).astimezone(tz)


@lru_cache(maxsize=65_536)
def instant(day: int, clock: Clock, tz: ZoneInfo) -> Millis:
    """The instant of a time of day. day: the ordinal of the local date."""
    local = datetime.combine(date.fromordinal(min(max(day, 2), LAST_DAY)), datetime.min.time()) + timedelta(
        minutes=clock
    )
    offset = local.replace(tzinfo=tz, fold=0).utcoffset() or timedelta(0)
    return round((local - offset).replace(tzinfo=UTC).timestamp() * 1000)


def local_day(at: Millis, tz: ZoneInfo) -> int:
    """The ordinal of the local date at an instant."""
    return shown(at, tz).toordinal()


def window_of(day: int, start: Clock, end: Clock, tz: ZoneInfo) -> tuple[Millis, Millis]:
    """Both ends of a daily window that begins on `day`; one that ends before it begins goes over midnight."""
    over = 1 if end <= start else 0
    return instant(day, start, tz), instant(day + over, end, tz)


def say_time(at: Millis, tz: ZoneInfo) -> str:
    """`22:05`, on the resident's clock."""
    now = shown(at, tz)
    return say_clock(now.hour * 60 + now.minute)


def within_times(times: Times, home: Home, at: Millis) -> bool:
    """Whether an instant lies in TIMES, both ends included, asked of the clock as it shows."""
    if times.at_home is not None and times.at_home != home.at_home:
        return False
    now = shown(at, home.tz)
    minute = (now.hour * 3600 + now.minute * 60 + now.second) * 1000 + at % 1000
    day = now.weekday()
    if times.start is not None and times.end is not None:
        start, end = (_clock(each, home) * MINUTE for each in (times.start, times.end))
        if start <= end:
            inside = start <= minute <= end
        else:
            inside = minute >= start or minute <= end
            day = day if minute >= start else (day - 1) % 7  # a night belongs to the day it begins on
        if not inside:
            return False
    return not times.days or day in times.days


def _clock(setting: Setting, home: Home) -> Clock:
    return int(home.parameters[setting.parameter] if setting.parameter else setting.value)
