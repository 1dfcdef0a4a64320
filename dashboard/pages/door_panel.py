"""What a door's page holds: who lives behind it, what its lock says, and the form as it was filled in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Form
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.auth.sessions import Viewer
from dashboard.look.door_words import DoorShown, door_shown
from dashboard.look.words import Language, mark, pick, say
from dashboard.reads.devices import LIMITS, known_devices
from dashboard.reads.doors import SHOWN_FOR, opens, read_door, taken_by
from dashboard.reads.place import names
from dashboard.web import Web
from hub.centre import door, remote_unlock
from hub.centre.access import Right
from hub.store.centre_tables import Alert, Device, Home

OF_AN_ALARM = "alarm-"
"""What a chosen reason begins with where it is an alarm; its number follows."""

REASONS = {
    "visit": mark("Planned visit"),
    "emergency": mark("Blue-light services (ambulance, fire, police)"),
    "other": mark("Another reason (write it below)"),
}
NO_RIGHT = mark("Your role does not open doors.")
LONGEST_REASON, LONGEST_LINK = 200, 400


class Asked:
    """The fields of the form, as they came, so that a refused one can be shown again as it was.

    once: made with the form, so that it opens nothing twice. origin: the alarm that it was opened from.
    """

    def __init__(
        self,
        once: Annotated[str, Form(pattern=r"^([0-9a-f]{24})?$")] = "",
        origin: Annotated[int, Form(ge=0, le=2**53)] = 0,
        purpose: Annotated[str, Form(max_length=40)] = "",
        reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "",
        house: Annotated[str, Form(max_length=20)] = "",
        link: Annotated[str, Form(max_length=LONGEST_LINK)] = "",
    ) -> None:
        self.once, self.origin, self.purpose = once, origin, purpose
        self.reason, self.house, self.link = reason, house, link

    @property
    def alert(self) -> int | None:
        """The alarm that was chosen as the reason."""
        number = self.purpose.removeprefix(OF_AN_ALARM)
        chosen = self.purpose.startswith(OF_AN_ALARM) and number.isascii() and number.isdigit()
        return int(number) if chosen else None


@dataclass(frozen=True, slots=True)
class Choice:
    """A reason to choose."""

    value: str
    words: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorPage:
    """Everything on it. closed: why this person unlocks no door from here; empty where they may.

    take_first: the alarm it was opened from, where nobody or somebody else has taken it. house: whether the house
    number is asked for. link: whether a fresh sign-in is. src: the address of this page.
    """

    door: DoorShown
    residents: str
    address: str
    key_box: str
    closed: str
    choices: list[Choice]
    take_first: int
    house: bool
    link: bool
    says: str
    asked: Asked
    src: str


async def gather(
    session: AsyncSession,
    row: Device,
    home: Home,
    person: Viewer,
    web: Web,
    lang: Language,
    asked: Asked,
    says: str,
    *,
    link: bool,
) -> DoorPage:
    """Read it. says: what is to stand above the form. link: ask for a fresh sign-in."""
    [shown] = await doors_of(session, home, web, lang, only=row.id)
    residents = (await names(session, homes={home.id})).residents.get(home.id, ())
    mine = await taken_by(session, person.actor.staff, home.id)
    return DoorPage(
        door=shown,
        residents=", ".join(resident.name for resident in residents),
        address=home.address,
        key_box=str(home.body.get("key_box", "")),
        closed=await closed_to(session, person, lang),
        choices=_choices(mine, asked, lang),
        take_first=await _untaken(session, asked.origin, home.id, mine),
        house=bool(door.house_number(home.address)),
        link=link,
        says=says,
        asked=asked,
        src=f"/{lang}/doors/{row.id}" + (f"?alarm={asked.origin}" if asked.origin else ""),
    )


async def doors_of(
    session: AsyncSession, home: Home, web: Web, language: Language, *, only: str = ""
) -> list[DoorShown]:
    """The doors of a home that can be unlocked from here. only: no other than this lock."""
    now, speed = web.now(), web.speed
    known = [
        one
        for one in await known_devices(session, {home.id}, now, LIMITS)
        if opens(one.device) and only in {"", one.device.id}
    ]
    read = [await read_door(session, one, now - round(SHOWN_FOR * 1000 * speed)) for one in known]
    people = {one.last.asked_by for one in read if one.last is not None}
    staff = (await names(session, homes=(), staff=people)).staff
    fresh = round(door.FRESH * 1000 * speed)
    return [door_shown(one, staff, now, home.tz, language, fresh) for one in read]


async def closed_to(session: AsyncSession, person: Viewer, language: Language) -> str:
    """Why this person unlocks no door from here; empty where they may."""
    if not person.actor.has(Right.OPEN_DOORS):
        return say(language, NO_RIGHT)
    closed = await remote_unlock.why_not(session, person.actor)
    return pick(closed, language) if closed else ""


def _choices(mine: Sequence[Alert], asked: Asked, language: Language) -> list[Choice]:
    """The alarms this person has taken, then what needs none. One opened from an alarm begins with that chosen."""
    chosen = asked.purpose or f"{OF_AN_ALARM}{asked.origin}"
    alarms = {
        f"{OF_AN_ALARM}{alert.id}": say(
            language, "I answer the alarm: %(alarm)s", alarm=pick(alert.says, language)
        )
        for alert in mine
    }
    others = {value: say(language, words) for value, words in REASONS.items()}
    return [Choice(value, words, value == chosen) for value, words in (alarms | others).items()]


async def _untaken(session: AsyncSession, origin: int, home: str, mine: Iterable[Alert]) -> int:
    """The alarm it was opened from, where this person would have to take it first; 0 where not."""
    if not origin or origin in {alert.id for alert in mine}:
        return 0
    still_open = select(Alert.id).where(
        Alert.id == origin, Alert.home == home, col(Alert.handling) != "resolved"
    )
    return (await session.exec(still_open)).first() or 0
