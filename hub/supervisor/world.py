"""The demo's world clock, kept through restarts: it never runs backwards.

`clock.json` holds the world's time at a moment of the machine's, written once a second. A new run begins a
little after the last note, by more than one note's interval, so that no process sees an earlier time again.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from drivers.events import Millis
from hub.clock import Gate, ScaledClock, SystemClock
from hub.files import write_private

NOTE_EVERY = 1.0
"""Real seconds between two notes."""
GATE = "world-begins"
"""File beside clock.json in which the machine's time stands at which this run's world began to move."""
LEAD = 3.5
"""Real seconds that a new run begins after the last note: its interval, and the lateness of a busy machine."""
BEFORE_DAY = 1.0
"""Real seconds from the world's first movement to the beginning of its first day."""


class ClockUnreadable(Exception):  # noqa: N818  it says what is so
    """clock.json is there and cannot be read."""


@dataclass(frozen=True, slots=True)
class Day:
    """When the demo's first day begins: a local clock time `start` such as 07:00."""

    start: str
    tz: str

    def first(self, now: Millis) -> date:
        """The local date today."""
        return datetime.fromtimestamp(now / 1000, ZoneInfo(self.tz)).date()

    def begins(self, on: date) -> Millis:
        """The instant at which the day of this date begins."""
        hour, minute = map(int, self.start.split(":"))
        return round(
            datetime(on.year, on.month, on.day, hour, minute, tzinfo=ZoneInfo(self.tz)).timestamp() * 1000
        )


def begin(path: Path, speed: float, day: Day) -> ScaledClock:
    """The world's clock for this run: going on where it was, else just before the day begins.

    It stands until its gate is opened, when everybody is there: at a high speed a start would cost hours otherwise.
    """
    now = SystemClock().now()
    gate = Gate(path.with_name(GATE))
    gate.path.unlink(missing_ok=True)
    if (last := _last(path)) is None:
        return ScaledClock(day.begins(day.first(now)) - round(BEFORE_DAY * 1000 * speed), now, speed, gate)
    return ScaledClock(last, now, speed, gate)


def note(path: Path, clock: ScaledClock) -> None:
    """Write down what time it is."""
    kept = {"world": clock.now(), "real": SystemClock().now(), "speed": clock.speed}
    write_private(path, json.dumps(kept) + "\n")


async def keep_noting(path: Path, clock: ScaledClock) -> None:
    """Once a second, until cancelled."""
    while True:
        note(path, clock)
        await asyncio.sleep(NOTE_EVERY)


def _last(path: Path) -> Millis | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        # At the speed of the run that made the note, which may be another than the next one's.
        return int(kept["world"]) + round(LEAD * 1000 * max(float(kept["speed"]), 1.0))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise ClockUnreadable(
            f"{path} cannot be read ({wrong}); the world's time would run backwards without it"
        ) from None
