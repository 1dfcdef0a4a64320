"""What a step of a chain tells people: who is meant, their notices, how each went, and the words for a timeline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre.alerts.case import Case
from hub.centre.alerts.codes import Words, words
from hub.centre.duty import Rota, Target, rota_of, told
from hub.channels.channel import Channel, Notice
from hub.registry.models import ALWAYS_ANSWERS
from hub.store.centre_tables import Notification, Zone

URGENCY_WORDS: dict[str, Words] = {
    "critical": words("Kritisk alarm", "Critical alarm"),
    "high": words("Varsel", "Warning"),
    "moderate": words("Merknad", "Notice"),
    "low": words("Oppgave", "Task"),
}

NO_WORDS = words("", "")
NOT_REACHED = words("ikke nådd", "not reached")
DOES_NOT_WORK = words("virker ikke", "does not work")
PLACE = words("alarmsentral", ALWAYS_ANSWERS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one notification went. status: sent, shown, unreached or failed. way: the channel, in people's words.

    why: why somebody was not reached, in a word or two.
    """

    notification: int
    channel: str
    target: str
    name: str
    status: str
    detail: str = ""
    way: Words = field(default_factory=lambda: NO_WORDS)
    why: Words = field(default_factory=lambda: NO_WORDS)

    @property
    def reached(self) -> bool:
        """Handed over, as far as the channel knows."""
        return self.status in {"sent", "shown"}


@dataclass(frozen=True, slots=True)
class Leased:
    """A claimed step with what is to be sent now, and what an earlier life had sent. data: of its deadline."""

    deadline: int
    alert: int
    data: Mapping[str, Any]
    notices: tuple[tuple[Channel, Notice], ...]
    before: tuple[Outcome, ...]


@dataclass(slots=True)
class Duty:
    """Who is meant where, at one instant; each rota is read once. zones: id → name."""

    session: AsyncSession
    now: Millis
    zones: dict[str, str] = field(default_factory=dict)
    _rotas: dict[str, Rota] = field(default_factory=dict)
    _meant: dict[tuple[str, str], tuple[Target, ...]] = field(default_factory=dict)

    async def meant(self, tell: str, zone: str) -> tuple[Target, ...]:
        """The people meant by a chain's words in that zone."""
        if zone not in self._rotas:
            self._rotas[zone] = await rota_of(self.session, zone)
        if (tell, zone) not in self._meant:
            self._meant[tell, zone] = told(tell, self._rotas[zone], self.now)
        return self._meant[tell, zone]

    def text(self, case: Case) -> Words:
        """What may stand on a locked screen: how urgent and where, but not who."""
        where = f" – {self.zones[case.zone]}" if case.zone in self.zones else ""
        urgency = URGENCY_WORDS[case.standing.urgency]
        return words(f"{urgency['nb']}{where}. Åpne for å se.", f"{urgency['en']}{where}. Open to see.")


async def duty_at(session: AsyncSession, zones: Collection[str], now: Millis) -> Duty:
    """Look up who is on duty for these zones."""
    named = await session.exec(select(Zone.id, Zone.name).where(col(Zone.id).in_(zones)))
    return Duty(session, now, dict(named.all()))


def notice(leased: int, due: Millis, case: Case, person: Target, tell: str, text: Words) -> Notice:
    """One attempt. leased: the number of its Notification row."""
    return Notice(
        id=leased,
        alert=case.id or 0,
        target=person.id,
        name=person.name,
        phone=person.phone,
        urgency=case.standing.urgency,
        tell=tell,
        text=text,
        says=case.says,
        due=due,
    )


def recorded(row: Notification, name: str, channel: Channel) -> Outcome:
    """What an earlier life of this step had recorded."""
    why = {"unreached": NOT_REACHED, "failed": DOES_NOT_WORK}.get(row.status, NO_WORDS)
    return Outcome(row.id or 0, row.channel, row.target, name, row.status, row.detail, channel.words, why)


def people(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Who was told, and how that went; `says` is fit for the timeline: `Eva Haugen (screen, not signed in)`."""
    return [
        {
            "staff": one.target,
            "name": one.name,
            "channel": one.channel,
            "status": one.status,
            "detail": one.detail,
            "says": {language: _tried(one, language) for language in ("nb", "en")},
        }
        for one in outcomes
    ]


def _tried(one: Outcome, language: str) -> str:
    how = [one.way[language] or one.channel, one.why[language]]
    name = PLACE[language] if one.name == ALWAYS_ANSWERS else one.name
    return f"{name} ({', '.join(filter(None, how))})"
