"""What is asked before a door opens from afar (DESIGN.md, promise 6; reference: dashboard, section 9).

A person answers for it by an alert they have taken, a planned visit while on duty, or an override: blue-light services,
or another reason in words, for which they have just signed in. The lock's state must be fresh: a lock that can be asked
is asked first, also after an opening whose end nobody knows; nothing is opened a second time on a lost answer. What the
trail keeps of an opening is why, how old the state was, and whether the person was on duty.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from drivers.registry import DEVICE_TYPES
from hub.centre.access import Actor
from hub.centre.alerts.codes import Words, words
from hub.centre.alerts.policy import Policy
from hub.centre.alerts.refusals import NotAllowed, StepUp, TooOld, Unacceptable
from hub.centre.duty import rota_of, told
from hub.store.centre_tables import CommandRow, Device, DeviceState, Gateway, Home

FRESH = 60
"""Seconds, of a person's time, that a lock's state may be old."""

LOGIN_LASTS = 12 * 3600
"""Seconds of real time after which nobody opens a door without signing in anew."""

JUST_SIGNED_IN = 15 * 60
"""Seconds of real time that a sign-in counts as fresh, for reasons that nobody can look up."""

ASK_STATE = "state"
"""The command by which a lock is asked where its bolt is."""

BOLT, UNKNOWN = "lock.bolt", "unknown"

OLD_LOGIN = words(
    "Du logget inn for mer enn tolv timer siden. Logg inn på nytt for å låse opp.",
    "You signed in more than twelve hours ago. Sign in again to open a door.",
)
SIGN_IN_AGAIN = words(
    "Logg inn på nytt for å låse opp med denne begrunnelsen.", "Sign in again to open a door for this reason."
)
OFF_DUTY = words(
    "Du er ikke på vakt nå. Ta alarmen først, eller oppgi utrykning eller en annen grunn.",
    "You are not on duty now. Take the alarm first, or state blue-light services or another reason.",
)
CUT_OFF = words(
    "Hjemmesentralen svarer ikke, så låsens stilling er ukjent. Bruk nøkkelboksen eller ring vakttelefonen.",
    "The gateway does not answer, so the lock's state is unknown. Use the key box or call the duty phone.",
)
NEVER_SAID = words(
    "Låsen har ikke sagt hvor den står. Den spørres nå; prøv igjen når den har svart.",
    "The lock has not said where it stands. It is being asked now; try again when it has answered.",
)
LOST = words(
    "Ingen vet om den forrige opplåsingen gikk gjennom. Låsen spørres nå; prøv igjen når den har svart.",
    "Nobody knows whether the last unlocking went through. The lock is asked now; try again when it has answered.",
)

OPENS = ("unlock", "unlatch")

WRONG_HOUSE = words(
    "Husnummeret stemmer ikke med adressen. Se etter at det er riktig dør.",
    "The house number is not that of the address. Make sure that it is the right door.",
)

HOUSE = re.compile(r"(?<!\w)\d+(?:\s?[^\W\d_](?!\w))?")
"""A house number in an address, with its letter: the `12 B` of `Kirkeveien 12 B`."""


class Purpose(StrEnum):
    """Why a person wants a door open."""

    ALARM = "alarm"
    VISIT = "visit"
    EMERGENCY = "emergency"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a door when it is to be opened. age: seconds of the state, None where the lock never said it.

    lost: how the last opening ended is not known, and the lock has not been heard since.
    """

    state: str
    age: int | None
    on_duty: bool
    lost: bool = False

    @property
    def told(self) -> dict[str, Any]:
        """For the trail."""
        return {"state": self.state, "state_age": self.age, "on_duty": self.on_duty}


def purpose_of(stated: str, alert: int | None) -> Purpose:
    """What was chosen; an alert speaks for itself, and words alone are another reason."""
    if alert is not None:
        return Purpose.ALARM
    return Purpose(stated) if stated in {"visit", "emergency"} else Purpose.OTHER


def house_number(address: str) -> str:
    """The house number of an address as people type it, `12b`; empty where it has none."""
    found: list[str] = HOUSE.findall(address.partition(",")[0])
    return _typed(found[-1]) if found else ""


def _typed(text: str) -> str:
    return "".join(text.split()).casefold()


def check_house(address: str, typed: str | None) -> None:
    """Raise Unacceptable where somebody who was asked for the house number typed another. None: nobody was asked."""
    if typed is not None and _typed(typed)[:20] != house_number(address):
        raise Unacceptable(WRONG_HOUSE)


def check_login(actor: Actor, purpose: Purpose) -> None:
    """Raise StepUp where this person must sign in anew. How long ago somebody unknown signed in is too long."""
    age = actor.login_age
    if age is None or age > LOGIN_LASTS:
        raise StepUp(OLD_LOGIN)
    if purpose is Purpose.OTHER and age > JUST_SIGNED_IN:
        raise StepUp(SIGN_IN_AGAIN)


async def look(
    session: AsyncSession, device: Device, home: Home, actor: Actor, policy: Policy, now: Millis
) -> Seen:
    """What is known of the door and of the person just now. Raises TooOld when its gateway is silent."""
    heard = select(func.coalesce(Gateway.last_heard, 0)).where(Gateway.id == home.gateway)
    if now - ((await session.exec(heard)).first() or 0) > policy.timers.silent * 1000:
        raise TooOld(CUT_OFF)
    row = await session.get(DeviceState, (device.id, BOLT))
    spoke = await last_word(session, device, row)
    age = None if spoke is None else max(0, now - spoke) // 1000
    on_shift = told("whole team", await rota_of(session, home.zone), now)
    on_duty = actor.staff in {person.id for person in on_shift}
    return Seen(row.value if row else "", age, on_duty, await lost(session, device, row))


async def last_word(session: AsyncSession, device: Device, bolt: DeviceState | None) -> Millis | None:
    """When the lock last said, or confirmed when asked, what is known of its bolt; None where it never said."""
    return None if bolt is None else max(bolt.heard, await _confirmed(session, device))


async def lost(session: AsyncSession, device: Device, bolt: DeviceState | None) -> bool:
    """Whether nobody knows how the last opening ended: it failed or ran out, and the lock has said nothing since.

    An unknown bolt is no word of the lock: its gateway says so too, of an opening that was not answered. And "locked"
    while the opening was still under way says nothing of how it ended.
    """
    openings = select(CommandRow).where(CommandRow.device == device.id, col(CommandRow.name).in_(OPENS))
    last = (await session.exec(openings.order_by(col(CommandRow.asked).desc()).limit(1))).first()
    unclear = last is not None and last.status in {"failed", "expired"}
    if last is None or not unclear:
        return False
    if bolt is None or bolt.value == UNKNOWN:
        return True
    spoke = await last_word(session, device, bolt)
    given_up = last.settled or last.asked
    return spoke is None or spoke <= (given_up if bolt.value == "locked" else last.asked)


async def _confirmed(session: AsyncSession, device: Device) -> Millis:
    """When the lock last answered the question for its state: what it last said of its bolt holds then."""
    answered = select(func.max(CommandRow.settled)).where(
        CommandRow.device == device.id, CommandRow.name == ASK_STATE, CommandRow.status == "done"
    )
    return (await session.exec(answered)).first() or 0


def check_duty(seen: Seen, purpose: Purpose) -> None:
    """A planned visit is made on duty."""
    if purpose is Purpose.VISIT and not seen.on_duty:
        raise NotAllowed(OFF_DUTY)


def too_old(device: Device, seen: Seen, policy: Policy) -> Words | None:
    """The sentence where the state must be asked for first; None where it is fresh, or this lock cannot be asked."""
    if not can_be_asked(device):
        return None
    if seen.lost:
        return LOST
    if seen.age is None:
        return NEVER_SAID
    if seen.age <= FRESH * policy.speed:
        return None
    minutes = max(1, seen.age // 60)
    return words(
        f"Låsens stilling er {minutes} min gammel. Den spørres nå; prøv igjen når den har svart.",
        f"The lock's state is {minutes} min old. It is being asked now; try again when it has answered.",
    )


def can_be_asked(device: Device) -> bool:
    """Whether this lock tells its state when it is asked, so that "done" means it has said it."""
    known = DEVICE_TYPES.get(device.type)
    return (
        known is not None and known.answers and ASK_STATE in known.commands and device.device_class == "lock"
    )


async def question(
    session: AsyncSession, device: Device, home: Home, actor: Actor, policy: Policy, now: Millis
) -> CommandRow | None:
    """The command that asks the lock where it stands; None where it is being asked already."""
    waiting = select(CommandRow.id).where(
        CommandRow.device == device.id,
        CommandRow.name == ASK_STATE,
        col(CommandRow.status).in_(("queued", "sent")),
        CommandRow.expires > now,
    )
    if (await session.exec(waiting)).first() is not None:
        return None
    return CommandRow(
        id=secrets.token_hex(12),
        home=home.id,
        device=device.id,
        gateway=home.gateway or "",
        name=ASK_STATE,
        args={},
        asked_by=actor.staff,
        reason="before opening",
        asked=now,
        expires=now + policy.timers.command * 1000,
    )
