"""Who may see and do what (DESIGN.md, promise 8). Deny by default: what no table below grants is refused.

Two questions are always asked together: has one of the person's roles the right, and lies the home in one of
the zones that the person's teams serve (or in a home they opened with a stated reason)? An alert without a zone
belongs to everybody with the right, because somebody must see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.centre.alerts.codes import words
from hub.centre.alerts.refusals import NotAllowed, NotFound, Unacceptable
from hub.store.centre_tables import EmergencyAccess, Home, Staff, Team


class Right(StrEnum):
    """One thing a person may do."""

    SEE_ALERTS = "see alerts"
    SEE_TECHNICAL = "see technical alerts"
    ANSWER_ALERTS = "answer alerts"
    ANSWER_TECHNICAL = "answer technical alerts"
    SEE_NAMES = "see names"
    SEE_RESIDENT = "see a resident"
    SEE_DEVICES = "see devices"
    ASK_DEVICES = "ask devices"
    OPEN_DOORS = "open doors"
    EMERGENCY_ACCESS = "open a home outside the zones with a reason"
    EDIT_REGISTRY = "edit the registry"
    SEE_AUDIT = "see the audit trail"
    MEND = "replay or drop what could not be read"
    ASK_WHAT_IF = "ask what other limits would have changed"


_CARER = frozenset(
    {
        Right.SEE_ALERTS,
        Right.SEE_TECHNICAL,
        Right.ANSWER_ALERTS,
        Right.ANSWER_TECHNICAL,
        Right.SEE_NAMES,
        Right.SEE_RESIDENT,
        Right.SEE_DEVICES,
        Right.OPEN_DOORS,
        Right.ASK_DEVICES,
    }
)

GRANTS: Mapping[str, frozenset[Right]] = MappingProxyType(
    {
        "carer": _CARER,
        "nurse": _CARER | {Right.EMERGENCY_ACCESS},
        "coordinator": _CARER | {Right.EMERGENCY_ACCESS, Right.SEE_AUDIT, Right.ASK_WHAT_IF},
        "technician": frozenset(
            {Right.SEE_TECHNICAL, Right.ANSWER_TECHNICAL, Right.SEE_DEVICES, Right.ASK_DEVICES, Right.MEND}
        ),
        "auditor": frozenset({Right.SEE_AUDIT}),
        "kiosk": frozenset({Right.SEE_ALERTS, Right.SEE_TECHNICAL}),
        "admin": frozenset({Right.EDIT_REGISTRY, Right.SEE_TECHNICAL, Right.SEE_DEVICES, Right.MEND}),
    }
)
"""Role → rights. A technician reads no care notes; an auditor reads the trail and nothing else."""

EVERYWHERE = frozenset({"admin", "auditor"})
"""Roles that work for the whole municipality, without a team."""

SEE_QUEUE: Mapping[str, Right] = MappingProxyType(
    {"care": Right.SEE_ALERTS, "technical": Right.SEE_TECHNICAL}
)
ANSWER_QUEUE: Mapping[str, Right] = MappingProxyType(
    {"care": Right.ANSWER_ALERTS, "technical": Right.ANSWER_TECHNICAL}
)

SHORTEST_REASON, LONGEST_REASON = 3, 200
NO_HOME = words("Hjemmet finnes ikke.", "There is no such home.")
NO_EMERGENCY = words("Du kan ikke åpne andre hjem.", "You may not open other homes.")
NEEDS_REASON = words(
    "Skriv hvorfor du trenger tilgang (3 til 200 tegn).", "Say why you need access (3 to 200 characters)."
)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person who acts. zones: what their teams serve. homes: opened with a stated reason, for a while.

    everywhere: works for all zones. login_age: seconds of real time since they signed in; None where nobody knows.
    """

    staff: str
    name: str
    roles: frozenset[str]
    zones: frozenset[str]
    homes: frozenset[str] = frozenset()
    everywhere: bool = False
    login_age: float | None = field(default=None, compare=False)

    @property
    def rights(self) -> frozenset[Right]:
        """All that the roles grant together."""
        return frozenset().union(*(GRANTS.get(role, frozenset()) for role in self.roles))

    def has(self, right: Right) -> bool:
        """Whether a role grants it, wherever it may be used."""
        return right in self.rights

    def may(self, right: Right, *, zone: str, home: str = "") -> bool:
        """Whether this person may do this about something in that zone or home."""
        return self.has(right) and self.reaches(zone=zone, home=home)

    def reaches(self, *, zone: str, home: str = "") -> bool:
        """Whether the zone or home is this person's business."""
        return self.everywhere or not zone or zone in self.zones or (bool(home) and home in self.homes)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues whose alerts this person may see."""
        return tuple(queue for queue, right in SEE_QUEUE.items() if self.has(right))


async def actor_of(session: AsyncSession, staff: str, now: Millis) -> Actor | None:
    """The person as the registry knows them now; None for strangers and those who have left."""
    row = await session.get(Staff, staff)
    if row is None or not row.active:
        return None
    teams = (await session.exec(select(Team).where(col(Team.id).in_(row.teams)))).all()
    granted = select(EmergencyAccess.home).where(
        EmergencyAccess.staff == staff, EmergencyAccess.at <= now, EmergencyAccess.until > now
    )
    return Actor(
        staff=row.id,
        name=row.name,
        roles=frozenset(row.roles),
        zones=_zones(teams),
        homes=frozenset((await session.exec(granted)).all()),
        everywhere=bool(EVERYWHERE & set(row.roles)),
    )


def _zones(teams: Iterable[Team]) -> frozenset[str]:
    return frozenset(zone for team in teams for zone in team.zones)


async def open_home(
    session: AsyncSession, actor: Actor, home: str, reason: str, now: Millis, until: Millis, origin: str
) -> None:
    """Give a person emergency access to a home outside their zones, for a stated reason, until a time.

    Raises NotAllowed, Unacceptable or NotFound with the sentence. The reason is audited and looked at afterwards.
    """
    row = await session.get(Home, home)
    if row is None:
        raise NotFound(NO_HOME)
    if not actor.has(Right.EMERGENCY_ACCESS):
        raise NotAllowed(NO_EMERGENCY)
    stated = reason.strip()
    if not SHORTEST_REASON <= len(stated) <= LONGEST_REASON:
        raise Unacceptable(NEEDS_REASON)
    session.add(EmergencyAccess(staff=actor.staff, home=home, reason=stated, at=now, until=until))
    await audit.write(
        session,
        audit.Deed(
            at=now,
            actor=actor.staff,
            action="access.emergency",
            home=home,
            subject=f"home {home}",
            why=stated,
            origin=origin,
            data={"until": until},
        ),
    )


async def zone_of(session: AsyncSession, home: str) -> str:
    """The zone of a home, empty where the registry does not know it."""
    row = await session.get(Home, home) if home else None
    return row.zone if row else ""
