"""The nights on which clocks change, in three time zones, minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from drivers.events import iso, parse_time
from rules.local_time import instant, shown, window_of

ZONES = ("Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Atlantic/Azores")


@pytest.mark.parametrize(
    ("clock", "tz", "day", "expected"),
    [
        ("02:30", "Europe/Oslo", "2026-03-29", "2026-03-29T01:30:00.000Z"),  # not there: shown as 03:30
        ("02:00", "Europe/Oslo", "2026-03-29", "2026-03-29T01:00:00.000Z"),
        ("02:30", "Europe/Oslo", "2026-10-25", "2026-10-25T00:30:00.000Z"),  # twice: the first
        ("03:00", "Europe/Oslo", "2026-10-25", "2026-10-25T02:00:00.000Z"),
        ("02:15", "Australia/Lord_Howe", "2026-10-04", "2026-10-03T15:45:00.000Z"),  # a gap of half an hour
        ("01:45", "Australia/Lord_Howe", "2026-04-05", "2026-04-04T14:45:00.000Z"),
        ("02:30", "America/New_York", "2026-03-08", "2026-03-08T07:30:00.000Z"),
        ("01:30", "America/New_York", "2026-11-01", "2026-11-01T05:30:00.000Z"),
    ],
)
def test_a_time_of_day_is_one_instant(clock, tz, day, expected) -> None:
    """Twice: the first. Not there: the offset before the gap."""
    ordinal = datetime.fromisoformat(day).toordinal()
    minutes = int(clock[:2]) * 60 + int(clock[3:])
    assert iso(instant(ordinal, minutes, ZoneInfo(tz))) == expected


@pytest.mark.parametrize("tz", ZONES)
def test_two_years_of_clock_times_against_a_search(tz) -> None:
    """For every day of two years, the instant found is the first minute that shows the time, if any does."""
    zone = ZoneInfo(tz)
    day = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(730):
        today = (day + timedelta(days=number)).date()
        for clock in (0, 65, 120, 135, 150, 179, 720):
            found = instant(today.toordinal(), clock, zone)
            local = shown(found, zone)
            if (local.date(), local.hour * 60 + local.minute) == (today, clock):
                assert local.fold == 0
            else:
                assert shown(found - 3_600_000, zone).utcoffset() != local.utcoffset()
                assert local.hour * 60 + local.minute > clock


def test_ten_minutes_are_ten_minutes_on_the_night_of_the_change(story) -> None:
    """A door that opens at 01:55 in spring is told ten minutes later, when clocks show 03:05."""
    rules = "rules: {r: {while: door.leaf is open, for: 10 min, started: between 22:00 and 06:00}}"
    spring = story(rules, day="2026-03-29")
    assert spring.told("01:55 f door.opened", "06:00") == ["03:05:00 raise r h1"]


def test_a_window_in_the_gap_is_judged_once(story) -> None:
    """Nothing by half past two on the night without it: told at half past three."""
    rules = 'rules: {r: {missing: room.motion, between: ["01:00", "02:30"]}}'
    spring = story(rules, day="2026-03-28")
    assert spring.told("00:30 m room.motion\n02:00 m room.motion", "+06:00") == ["03:30:00 raise r h1"]


def test_a_window_in_the_hour_that_comes_twice_is_judged_once(story) -> None:
    """By half past two means by the first of both."""
    rules = 'rules: {r: {missing: room.motion, between: ["01:00", "02:30"]}}'
    decisions = story(rules, day="2026-10-24").decisions("00:30 m room.motion\n02:00 m room.motion", "+06:00")
    assert [iso(each.at) for each in decisions] == ["2026-10-25T00:30:00.000Z"]


def test_both_hours_that_show_two_o_clock_belong_to_the_night(story) -> None:
    """A window is asked of the clock as it shows."""
    rules = "rules: {r: {when: bed.left, only: between 02:00 and 02:45}}"
    autumn = story(rules, day="2026-10-25")
    home, book = autumn.home, autumn.rules
    from drivers.events import Event
    from rules import load_book
    from rules.replay import judge

    both = [
        parse_time("2026-10-25T00:30:00Z"),
        parse_time("2026-10-25T01:30:00Z"),
        parse_time("2026-10-25T02:30:00Z"),
    ]
    stream = [Event(str(n), at, at, "h1", "b", "bed.left", {}) for n, at in enumerate(both)]
    decisions, _ = judge(load_book(book), [home], stream)
    assert [each.at for each in decisions] == both[:2]


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    """22:00 to 06:00 has eight hours, seven in spring, nine in autumn."""
    zone = ZoneInfo("Europe/Oslo")
    hours = []
    for day in ("2026-01-15", "2026-03-28", "2026-10-24"):
        begin, end = window_of(datetime.fromisoformat(day).toordinal(), 22 * 60, 6 * 60, zone)
        hours.append((end - begin) // 3_600_000)
    assert hours == [8, 7, 9]
