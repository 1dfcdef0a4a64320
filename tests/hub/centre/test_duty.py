"""Who is meant by "nurse on duty", at every minute of two years with summer time in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from hub.centre.duty import Rota, end_of_shift, rota_of, told
from hub.registry.rota import uncovered
from hub.store.centre_tables import Shift, Staff, Team

OSLO = ZoneInfo("Europe/Oslo")


def person(id_: str, *roles: str, active: bool = True) -> Staff:
    """Somebody of the team."""
    return Staff(id=id_, name=id_.capitalize(), roles=list(roles), teams=["nord"], active=active)


def rota(*shifts: tuple[str, str, str, str], tz: ZoneInfo = OSLO, people: tuple[Staff, ...] = ()) -> Rota:
    """A rota of (staff, duty, from, to)."""
    crowd = people or (person("nils", "nurse"), person("kari", "carer"), person("tor", "technician"))
    rows = [Shift(team="nord", staff=s, duty=d, from_clock=a, to_clock=b) for s, d, a, b in shifts]
    return Rota((Team(id="nord", name="Nord", zones=["nord"]),), crowd, tuple(rows), "+4755001122", tz)


def at(text: str) -> int:
    """A time in ms."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def names(tell: str, plan: Rota, when: int) -> list[str]:
    """Ids of those told."""
    return [target.id for target in told(tell, plan, when)]


DAY_AND_NIGHT = (("kari", "nurse", "07:00", "22:00"), ("nils", "nurse", "22:00", "07:00"))


@pytest.mark.parametrize("zone", ["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_exactly_one_nurse_at_every_minute(zone):
    """Day and night shift leave no gap and no overlap in two years, through every change of the clock."""
    plan = rota(*DAY_AND_NIGHT, tz=ZoneInfo(zone))
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for hour in range(2 * 366 * 24):
        when = begin + timedelta(hours=hour, minutes=hour * 7 % 60)
        found = names("nurse on duty", plan, int(when.timestamp() * 1000))
        local = when.astimezone(plan.tz)
        wanted = "kari" if 7 <= local.hour < 22 else "nils"
        assert found == [wanted], local


def test_the_hour_that_comes_twice():
    """In the night when the clock goes back, both two-o'clock hours are somebody's."""
    plan = rota(("nils", "nurse", "22:00", "02:30"), ("kari", "nurse", "02:30", "22:00"))
    night = [
        at("2026-10-25T00:15:00+00:00"),
        at("2026-10-25T00:45:00+00:00"),
        at("2026-10-25T01:15:00+00:00"),
    ]
    assert [names("nurse on duty", plan, when) for when in night] == [["nils"], ["kari"], ["nils"]]


def test_the_hour_that_does_not_come():
    """In the night when the clock goes forward, the shift that begins in the missing hour begins right after it."""
    plan = rota(("nils", "nurse", "22:00", "02:30"), ("kari", "nurse", "02:30", "22:00"))
    before, after = at("2026-03-29T00:59:00+00:00"), at("2026-03-29T01:00:00+00:00")
    assert (names("nurse on duty", plan, before), names("nurse on duty", plan, after)) == (["nils"], ["kari"])


def test_the_change_of_shift_to_the_minute():
    """At seven sharp the day begins and the night is over."""
    plan = rota(*DAY_AND_NIGHT)
    begin = at("2026-01-15T06:58:00+01:00")
    on = [names("nurse on duty", plan, begin + minute * 60_000)[0] for minute in range(5)]
    assert on == ["nils", "nils", "kari", "kari", "kari"]
    assert sum(a != b for a, b in pairwise(on)) == 1


def test_whole_team_is_who_is_on_shift():
    """The whole team is everybody on shift; who has left is never told."""
    crowd = (person("nils", "nurse"), person("kari", "carer"), person("old", "nurse", active=False))
    plan = rota(
        *DAY_AND_NIGHT,
        ("kari", "second nurse", "22:00", "07:00"),
        ("old", "leader", "00:00", "00:00"),
        people=crowd,
    )
    assert names("whole team", plan, at("2026-01-15T23:00:00+01:00")) == ["nils", "kari"]
    assert names("whole team", plan, at("2026-01-15T12:00:00+01:00")) == ["kari"]


def test_a_team_without_rota_is_told_as_a_whole():
    """Where no rota is kept, the whole team is the whole team, without technicians."""
    assert names("whole team", rota(), at("2026-01-15T12:00:00+01:00")) == ["nils", "kari"]


def test_nobody_is_nobody():
    """Words that mean nobody just now, and words nobody knows, mean nobody; the place that always answers is there."""
    plan = rota()
    assert names("nurse on duty", plan, 0) == []
    assert names("the king", plan, 0) == []
    assert names("alarm centre", plan, 0) == ["phone:+4755001122"]


def test_a_technician_on_a_care_shift_is_no_nurse():
    """A shift makes nobody a nurse."""
    plan = rota(("tor", "nurse", "00:00", "00:00"))
    assert names("nurse on duty", plan, 0) == []
    assert names("technician", plan, 0) == ["tor"]


@pytest.mark.parametrize(
    ("shifts", "missing"),
    [
        ([("07:00", "22:00"), ("22:00", "07:00")], 0),
        ([("07:00", "07:00")], 0),
        ([("07:00", "22:00"), ("22:30", "07:00")], 30),
        ([("08:00", "16:00")], 960),
        ([], 1440),
    ],
)
def test_gaps_of_a_rota(shifts, missing):
    """The minutes in nobody's shift are found ahead of time."""
    assert len(uncovered(shifts)) == missing


async def test_rota_of_a_zone(store):
    """A zone is served by its own teams; an alert without a zone by everybody."""
    async with store.reading() as session:
        nord, everywhere = await rota_of(session, "nord"), await rota_of(session, "")
    assert [team.id for team in nord.teams] == ["team-nord"]
    assert [team.id for team in everywhere.teams] == ["team-nord", "team-sor"]
    assert nord.duty_phone == "+4755001122"


@pytest.mark.parametrize(
    ("when", "staff", "ends"),
    [
        ("2026-01-14T22:02+01:00", "nils", "2026-01-15T07:00+01:00"),
        ("2026-01-15T06:59+01:00", "nils", "2026-01-15T07:00+01:00"),
        ("2026-01-15T12:00+01:00", "kari", "2026-01-15T22:00+01:00"),
        ("2026-01-15T12:00+01:00", "", "2026-01-15T22:00+01:00"),
        ("2026-03-28T23:00+01:00", "nils", "2026-03-29T07:00+02:00"),
        ("2026-10-24T23:00+02:00", "nils", "2026-10-25T07:00+01:00"),
    ],
)
def test_when_a_shift_ends(when: str, staff: str, ends: str) -> None:
    """At its time on the wall clock, also in the nights in which the clocks change."""
    assert end_of_shift(rota(*DAY_AND_NIGHT), at(when), staff) == at(ends)


def test_shifts_that_follow_on_one_another_are_one() -> None:
    """Whoever stays on is at work until the second shift ends; the zone's first change is at the first's."""
    plan = rota(("kari", "nurse", "07:00", "15:00"), ("kari", "leader", "15:00", "22:00"))
    noon = at("2026-01-15T12:00+01:00")
    assert end_of_shift(plan, noon, "kari") == at("2026-01-15T22:00+01:00")
    assert end_of_shift(plan, noon) == at("2026-01-15T15:00+01:00")


def test_who_is_on_no_shift_has_no_end_of_one() -> None:
    """Off duty, or on a shift round the clock: the rota does not say when it ends."""
    noon = at("2026-01-15T12:00+01:00")
    assert end_of_shift(rota(*DAY_AND_NIGHT), noon, "nils") is None
    assert end_of_shift(rota(("eva", "leader", "00:00", "00:00")), noon) is None
