"""The day of a scenario: believable, seeded, and bent by its incidents exactly as written."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, date, datetime

import pytest

from drivers.catalogue import CATALOGUE
from simulators.scenario.load import load, read
from simulators.scenario.model import Beat, Scenario
from simulators.scenario.plan import day_begin, day_plan, expected, troubles
from simulators.scenario.words import every_kind

JANUARY = date(2026, 1, 15)

HOME = """\
format: trygghub-scenario-1
name: trial
homes:
  h1:
    resident: Astrid
    wakes: 07:05
    sleeps: 22:30
    goes out: [11:00]
    carers: [08:20]
    devices:
      bed: {type: bed}
      call: {type: nurse_call, port: serial/call}
      dispenser: {type: dispenser, doses: [08:00, 20:00]}
      door: {type: door}
      lock: {type: lock}
      motion: {type: motion}
      oximeter: {type: oximeter, address: "c0:00:00:00:00:01", measured: [09:00]}
      smoke: {type: smoke}
"""


def scenario(*incidents: str) -> Scenario:
    """Astrid's home with these incidents."""
    return read(
        HOME + ("incidents:\n" + "".join(f"  - {{{one}}}\n" for one in incidents) if incidents else "")
    )


def told(of: Scenario, device: str, *, on: date = JANUARY, number: int = 1) -> list[Beat]:
    """What one device says on a day, heartbeats and battery left out."""
    beats = day_plan(of, on, number)
    return [one for one in beats if one.device == device and one.word not in {"heartbeat", "battery"}]


def clock(beat: Beat) -> str:
    """The UTC clock time of a beat (Oslo minus one hour in January)."""
    return f"{datetime.fromtimestamp(beat.at / 1000, UTC):%H:%M}"


def test_every_fact_a_simulated_device_can_say_is_in_the_catalogue() -> None:
    """The simulators' words, copied by hand, are those of the published catalogue."""
    said = {kind.fact(word) for kind in every_kind().values() for word in kind.says}
    assert said - set(CATALOGUE.facts) == set()


@pytest.mark.parametrize("name", ["demo_day", "all_links"])
def test_every_beat_of_a_shipped_day_fits_the_catalogue(name: str) -> None:
    """Kind and data of each thing said pass the catalogue's own check."""
    for beat in day_plan(load(name), JANUARY):
        CATALOGUE.check(beat.kind, beat.data)


def test_the_same_seed_gives_the_same_day() -> None:
    """Two testers see the same thing."""
    assert day_plan(scenario(), JANUARY) == day_plan(scenario(), JANUARY)


def test_a_day_is_the_same_on_another_date() -> None:
    """Expected alerts hold on whatever date the demo is started."""
    winter, later = (
        [(one.at - day_begin(scenario(), on), one.device, one.kind) for one in day_plan(scenario(), on)]
        for on in (JANUARY, date(2026, 2, 3))
    )
    assert winter == later


def test_two_days_differ() -> None:
    """The second day is another day of the same life."""
    first, second = ([clock(one) for one in told(scenario(), "motion", number=number)] for number in (1, 2))
    assert first != second


def test_a_day_reaches_from_start_to_start() -> None:
    """No beat of an ordinary day lies outside its 24 hours."""
    begin = day_begin(scenario(), JANUARY)
    assert all(begin <= one.at < begin + 86_400_000 for one in day_plan(scenario(), JANUARY))


@pytest.mark.parametrize(("on", "hours"), [(date(2026, 3, 28), 23), (date(2026, 10, 24), 25)])
def test_the_nights_of_the_clock_change_have_their_own_length(on: date, hours: int) -> None:
    """The day before summer time ends after 23 hours, the one before winter time after 25."""
    of = scenario()
    assert day_begin(of, on, 2) - day_begin(of, on) == hours * 3_600_000


def test_the_door_is_never_opened_twice_in_a_row() -> None:
    """Opened and closed alternate, and each passage begins by unlocking."""
    doors = [one.word for one in told(scenario(), "door")]
    assert doors[0] == "closed"  # its report on itself when the day begins
    assert all(a != b for a, b in itertools.pairwise(doors))


def test_faults_are_troubles_and_say_nothing() -> None:
    """A fault changes no plan: what the device would say is the same, only its wire is not."""
    faulty = scenario(
        "at: 09:00, device: door, do: doubled, for: 1 h, data: {chance: 0.5}",
        "at: 10:00, device: door, do: reboot",
    )
    assert day_plan(faulty, JANUARY) == day_plan(scenario(), JANUARY)
    doubled, reboot = troubles(faulty, JANUARY)
    assert (doubled.do, doubled.until - doubled.since, doubled.data) == (
        "doubled",
        3_600_000,
        {"chance": 0.5},
    )
    assert (reboot.do, reboot.until) == ("reboot", reboot.since)


def test_a_dose_runs_its_course() -> None:
    """Due at its time, dispensed within twelve minutes, then taken, under one name."""
    morning = [one for one in told(scenario(), "dispenser") if clock(one) < "12:00"]
    assert [one.word for one in morning] == ["due", "dispensed", "taken"]
    assert clock(morning[0]) == "07:00"
    assert len({one.data["dose"] for one in morning}) == 1


def test_a_missed_dose_is_reminded_of_and_locked_away() -> None:
    """Nobody comes: three reminders, missed when the window ends, secured after it, never dispensed."""
    missed = [
        one
        for one in told(scenario("at: 08:00, device: dispenser, do: miss"), "dispenser")
        if clock(one) < "12:00"
    ]
    assert [one.word for one in missed] == ["due", "reminded", "reminded", "reminded", "missed", "secured"]
    assert clock(missed[-2]) == "08:00"


def test_a_dose_left_on_the_table_is_dispensed_and_not_taken() -> None:
    """Dispensed is never taken."""
    left = [
        one
        for one in told(scenario("at: 08:00, device: dispenser, do: leave"), "dispenser")
        if clock(one) < "12:00"
    ]
    assert [one.word for one in left] == ["due", "dispensed"]


def test_a_jammed_dispenser_gives_nothing_while_it_lasts() -> None:
    """The dose is due, but nothing comes out until somebody has helped."""
    jam = scenario("at: 07:50, device: dispenser, do: jammed, for: 40 min")
    words = [one.word for one in told(jam, "dispenser") if clock(one) < "12:00"]
    assert words == ["jammed", "due", "recovered"]


def test_a_door_left_open_stays_open() -> None:
    """No ordinary passage closes it before the incident's end."""
    left = told(scenario("at: 11:00, device: door, do: opened, for: 3 h"), "door")
    during = [(one.word, clock(one)) for one in left if "10:00" <= clock(one) <= "13:00"]
    assert during == [("opened", "10:00"), ("closed", "13:00")]


def test_presses_repeat_as_written() -> None:
    """Four presses, a minute apart."""
    said = told(scenario("at: 13:00, device: smoke, do: fault, times: 4, every: 60 s"), "smoke")
    assert [(one.word, clock(one)) for one in said] == [
        ("fault", "12:00"), ("fault", "12:01"), ("fault", "12:02"), ("fault", "12:03"),
    ]  # fmt: skip


def test_a_silent_device_says_nothing_at_all() -> None:
    """Three hours without even a heartbeat."""
    beats = day_plan(scenario("at: 13:00, device: smoke, do: silent, for: 3 h"), JANUARY)
    assert [one for one in beats if one.device == "smoke" and "12:00" <= clock(one) < "15:00"] == []
    assert [one for one in beats if one.device == "smoke" and clock(one) > "15:00"] != []


def test_a_call_is_reset_at_its_own_place() -> None:
    """What ends a call names the place that raised it."""
    call = told(
        scenario("at: 13:00, device: call, do: raised, for: 5 min, data: {place: '201', text: BATH}"), "call"
    )
    assert [(one.word, one.data.get("place")) for one in call] == [("raised", "201"), ("cleared", "201")]


def test_a_reading_that_lasts_is_measured_every_minute() -> None:
    """Low oxygen for ten minutes is eleven spot checks of two facts each."""
    low = told(
        scenario("at: 13:00, device: oximeter, do: reading, for: 10 min, data: {spo2: 84, pulse: 118}"),
        "oximeter",
    )
    during = Counter(one.word for one in low if "12:00" <= clock(one) <= "12:10")
    assert during == {"spo2": 11, "pulse": 11}


def test_an_incident_may_belong_to_one_day() -> None:
    """Day 2's fall does not happen on day 1."""
    of = scenario("at: 13:00, device: smoke, do: detected, for: 5 min, day: 2")
    assert told(of, "smoke") == []
    assert [one.word for one in told(of, "smoke", number=2)] == ["detected", "cleared"]


def test_a_clock_time_before_the_start_is_the_morning_after() -> None:
    """02:10 of a day that begins at 07:00 lies in the night that follows."""
    (opened, _) = told(scenario("at: 02:10, device: smoke, do: detected, for: 5 min"), "smoke")
    assert datetime.fromtimestamp(opened.at / 1000, UTC).isoformat() == "2026-01-16T01:10:00+00:00"


def test_a_lasting_incident_is_known_to_devices_that_answer() -> None:
    """A jammed lock can be asked about its jam."""
    (one,) = troubles(scenario("at: 13:00, device: lock, do: jammed, for: 20 min"), JANUARY)
    assert (one.device, one.do, one.until - one.since) == ("lock", "jammed", 20 * 60_000)


def test_expectations_become_instants() -> None:
    """The window of an expected alert is resolved by the home's own clock."""
    of = read(HOME + "expect:\n  - {rule: fall, home: h1, between: ['23:50', '00:10']}\n")
    (window,) = expected(of, JANUARY)
    assert window.until - window.since == 20 * 60_000
