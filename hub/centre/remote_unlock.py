"""The municipality's switch: whether doors are opened from a screen at all, and by which roles and teams.

`municipality.remote_unlock` of the registry. It takes away and never gives: who may open doors stands in
hub.centre.access. A stored setting that cannot be read closes, since a door is not opened on a guess. Locking is
never restricted.
"""

from __future__ import annotations

from collections.abc import Collection

from pydantic import ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.centre.access import Actor, Right
from hub.centre.alerts.codes import Words, words
from hub.registry.models import RemoteUnlockPart
from hub.store.centre_tables import Municipality, Staff

SETTING = "remote_unlock"

SWITCHED_OFF = words(
    "Kommunen har slått av opplåsing av dører fra skjermen. Bruk nøkkelboksen eller ring vakttelefonen.",
    "The municipality has switched off unlocking from the screen. Use the key box or call the duty phone.",
)
NOT_YOUR_ROLE = words(
    "Kommunen lar ikke din rolle låse opp dører fra skjermen. Bruk nøkkelboksen eller ring vakttelefonen.",
    "The municipality lets other roles unlock doors from the screen. Use the key box or call the duty phone.",
)
NOT_YOUR_TEAM = words(
    "Kommunen lar ikke ditt team låse opp dører fra skjermen. Bruk nøkkelboksen eller ring vakttelefonen.",
    "The municipality lets other teams unlock doors from the screen. Use the key box or call the duty phone.",
)
UNREADABLE = words(
    "Kommunens innstilling for opplåsing kan ikke leses. Bruk nøkkelboksen og si fra til vakttelefonen.",
    "The municipality's setting for unlocking cannot be read. Use the key box and tell the duty phone.",
)


def refusal(setting: object, roles: Collection[str], teams: Collection[str]) -> Words | None:
    """The sentence for somebody with these roles and teams; None where the municipality lets them. Pure."""
    try:
        switch = RemoteUnlockPart.model_validate(setting)
    except ValidationError:
        return UNREADABLE
    if not switch.allowed:
        return SWITCHED_OFF
    if not set(switch.roles) & set(roles):
        return NOT_YOUR_ROLE
    if switch.teams and not set(switch.teams) & set(teams):
        return NOT_YOUR_TEAM
    return None


async def why_not(session: AsyncSession, actor: Actor) -> Words | None:
    """The sentence for this person; None where the municipality lets them, or their roles open no door anyway."""
    if not actor.has(Right.OPEN_DOORS):
        return None
    row = await session.get(Municipality, 1)
    body = row.body if row else {}
    person = await session.get(Staff, actor.staff)
    return refusal(body.get(SETTING, {}), actor.roles, person.teams if person else ())
