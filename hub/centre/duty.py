"""Who is meant by "nurse on duty": a chain's words turned into people, by the local clock of the home.

A shift is a span of local clock time, every day. Whether it covers an instant is asked by turning the instant
into local time and never the other way round, so the hour that comes twice is covered twice and the hour that
does not come leaves no gap (failure modes CK-1, CK-3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TypeAlias
from zoneinfo import ZoneInfo

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.registry.models import ALWAYS_ANSWERS
from hub.registry.rota import covers, minutes
from hub.store.centre_tables import Municipality, Shift, Staff, Team

LONGEST_DAY = 3
"""Shifts of one person that follow on one another and count as one."""

CARE_ROLES = frozenset({"carer", "nurse", "coordinator"})


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody to reach. id: a staff id, or `phone:` and a number for a place that is no person of ours."""

    id: str
    name: str
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Rota:
    """All that deciding needs: the teams that serve the zone, their people and shifts, the duty phone."""

    teams: tuple[Team, ...]
    staff: tuple[Staff, ...]
    shifts: tuple[Shift, ...]
    duty_phone: str
    tz: ZoneInfo


def local_minutes(at: Millis, tz: ZoneInfo) -> int:
    """Minutes since midnight on the wall clock of that place."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(tz)
    return local.hour * 60 + local.minute


def told(tell: str, rota: Rota, at: Millis) -> tuple[Target, ...]:
    """The people meant by a chain's words at that instant; empty where nobody is (the step is skipped)."""
    return MEANINGS[tell](rota, at) if tell in MEANINGS else ()


def end_of_shift(rota: Rota, at: Millis, staff: str = "") -> Millis | None:
    """When the shift that covers that instant ends: this person's, or the first of the zone's to end.

    None where the rota does not say: nobody is on shift, or shifts that go round the clock.
    """
    mine = [
        shift for shift in rota.shifts if staff in {"", shift.staff} and shift.from_clock != shift.to_clock
    ]
    now = datetime.fromtimestamp(at / 1000, UTC).astimezone(rota.tz)
    found: datetime | None = None
    for _ in range(LONGEST_DAY if staff else 1):
        begin = found or now
        local = begin.hour * 60 + begin.minute
        ends = [_next(shift.to_clock, begin) for shift in mine if _covers(shift, local)]
        if not ends:
            break
        found = max(ends) if staff else min(ends)
    return None if found is None else round(found.timestamp() * 1000)


def _next(clock: str, after: datetime) -> datetime:
    """When the wall clock next shows that time."""
    hours, rest = divmod(minutes(clock), 60)
    then = after.replace(hour=hours % 24, minute=rest, second=0, microsecond=0, fold=0)
    return then if then > after else then + timedelta(days=1)


def _on_shift(duty: str) -> _Meaning:
    def find(rota: Rota, at: Millis) -> tuple[Target, ...]:
        now = local_minutes(at, rota.tz)
        wanted = {
            shift.staff
            for shift in rota.shifts
            if shift.duty == duty and covers(shift.from_clock, shift.to_clock, now)
        }
        return _targets(
            person for person in rota.staff if person.id in wanted and CARE_ROLES & set(person.roles)
        )

    return find


def _covers(shift: Shift, local: int) -> bool:
    return covers(shift.from_clock, shift.to_clock, local)


def _whole_team(rota: Rota, at: Millis) -> tuple[Target, ...]:
    """Everybody on shift; teams that keep no rota are told as a whole."""
    now = local_minutes(at, rota.tz)
    wanted = {shift.staff for shift in rota.shifts if _covers(shift, now)}
    without_rota = {team.id for team in rota.teams} - {shift.team for shift in rota.shifts}
    return _targets(
        person
        for person in rota.staff
        if CARE_ROLES & set(person.roles) and (person.id in wanted or without_rota & set(person.teams))
    )


def _technician(rota: Rota, _at: Millis) -> tuple[Target, ...]:
    mending = [person for person in rota.staff if "technician" in person.roles]
    teams = {team.id for team in rota.teams}
    near = [person for person in mending if teams & set(person.teams)]
    return _targets(near or mending)


def _alarm_centre(rota: Rota, _at: Millis) -> tuple[Target, ...]:
    return (Target(f"phone:{rota.duty_phone}", ALWAYS_ANSWERS, rota.duty_phone),)


def _targets(people: Iterable[Staff]) -> tuple[Target, ...]:
    return tuple(Target(person.id, person.name, person.phone) for person in people if person.active)


_Meaning: TypeAlias = Callable[[Rota, Millis], tuple[Target, ...]]

MEANINGS: Mapping[str, _Meaning] = MappingProxyType(
    {
        "nurse on duty": _on_shift("nurse"),
        "second nurse": _on_shift("second nurse"),
        "shift leader": _on_shift("leader"),
        "whole team": _whole_team,
        "technician": _technician,
        ALWAYS_ANSWERS: _alarm_centre,
    }
)


async def rota_of(session: AsyncSession, zone: str) -> Rota:
    """Read the rota of a zone; for an alert without a zone, that of the whole municipality."""
    settings = await session.get(Municipality, 1)
    body = settings.body if settings else {}
    teams = [team for team in await _every_team(session) if not zone or zone in team.zones]
    shifts = await session.exec(select(Shift).where(col(Shift.team).in_([team.id for team in teams])))
    staff = await session.exec(select(Staff).where(col(Staff.active).is_(True)).order_by(col(Staff.id)))
    return Rota(
        teams=tuple(teams),
        staff=tuple(staff.all()),
        shifts=tuple(shifts.all()),
        duty_phone=str(body.get("duty_phone", "")),
        tz=ZoneInfo(str(body.get("tz", "Europe/Oslo"))),
    )


async def _every_team(session: AsyncSession) -> Sequence[Team]:
    return (await session.exec(select(Team).order_by(col(Team.id)))).all()
