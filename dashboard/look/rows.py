"""One alarm row, for the page and for the stream alike (reference sections 6 and 20).

A row says nothing that depends on who looks: what is *mine* and which button I get is derived in the page from
data attributes, and enforced by the server when an action comes.
"""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.auth.scope import Redaction
from dashboard.look import alarm_words, people
from dashboard.look.moments import WORTH_TELLING_APART, Moment, moment
from dashboard.look.priority import LISTED, Tier, list_key, tier_of
from dashboard.look.words import Language, pick, say
from dashboard.reads.alerts import Told
from drivers.catalogue import CATALOGUE
from drivers.events import Millis
from hub.centre.areas.counting import KIND as AREA


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row's words and attributes. next_at: world ms of the next escalation, 0 if none is due.

    area: the alarm of an area that this one belongs to, 0 for none. boxes: gateways in it, of an area's own alarm.
    """

    id: int
    version: int
    key: str
    list: str
    tier: Tier
    urgency: str
    queue: str
    handling: str
    condition: str
    life_safety: bool
    zone: str
    home: str
    owner: str
    seen: tuple[str, ...]
    title: str
    who: str
    where: tuple[str, ...]
    hand: str
    happened: Moment
    heard: Moment | None
    count: int
    last: Moment
    next_at: Millis
    next_tell: str
    escalated: int
    area: int = 0
    boxes: int = 0

    @property
    def untaken(self) -> bool:
        """Nobody has it yet, and it is not put off."""
        return self.handling in {"new", "seen"}

    @property
    def name(self) -> str:
        """What buttons and announcements call it."""
        return f"{self.title}, {self.who}" if self.who else self.title


def row_of(told: Told, redaction: Redaction, language: Language, now: Millis) -> Row:
    """Write one alert as a row for a level of redaction and a language."""
    alert, names = told.alert, told.names
    tz = names.tz(alert.home)
    apart = abs(alert.heard - alert.at) > WORTH_TELLING_APART
    return Row(
        id=told.id,
        version=alert.version,
        key=list_key(
            alert.urgency, alert.queue, alert.handling, alert.at, told.id, grouped=alert.area is not None
        ),
        list="alarms" if alert.urgency in LISTED else "work",
        tier=tier_of(alert.urgency, alert.queue),
        urgency=alert.urgency,
        queue=alert.queue,
        handling=alert.handling,
        condition=alert.condition,
        life_safety=alert.life_safety,
        zone=alert.zone,
        home=alert.home,
        owner=alert.owner or "",
        seen=tuple(str(mark["staff"]) for mark in alert.seen_by),
        title=title(told, redaction, language),
        who=residents(told, redaction, language),
        where=_where(told, redaction),
        hand=_hand(told, language, now),
        happened=moment(alert.at, now, tz, language),
        heard=moment(alert.heard, now, tz, language) if apart else None,
        count=alert.count,
        last=moment(alert.last_at, now, tz, language),
        next_at=0 if alert.area else alert.next_due or 0,
        next_tell=alarm_words.tell(alert.next_tell, language),
        escalated=alert.escalated,
        area=alert.area or 0,
        boxes=alert.count if alert.kind == AREA else 0,
    )


def title(told: Told, redaction: Redaction, language: Language) -> str:
    """What happened. A sentence on a home may hold a name, so others get the catalogue's words."""
    nameless = told.alert.kind == AREA
    said = pick(told.alert.says, language) if redaction == "full" or nameless else ""
    spec = CATALOGUE.facts.get(told.alert.kind)
    return said or (pick(spec.words, language) if spec else say(language, "Alarm"))


def residents(told: Told, redaction: Redaction, language: Language) -> str:
    """Who lives there, as far as this viewer may know."""
    persons = told.names.residents.get(told.alert.home, ())
    return people.shown((person.name for person in persons), redaction, language)


def _where(told: Told, redaction: Redaction) -> tuple[str, ...]:
    home = told.names.homes.get(told.alert.home)
    device = told.names.devices.get(told.alert.device)
    zone = told.names.zones.get(told.alert.zone, "")
    room = device.room if device else ""
    address = home.address if home and redaction != "initials" else ""
    return tuple(part for part in (address, room, zone) if part)


def _hand(told: Told, language: Language, now: Millis) -> str:
    """Who has it: the handling in words."""
    alert = told.alert
    tz = told.names.tz(alert.home)
    if alert.handling == "taken":
        taken = say(language, "%(name)s is on it", name=told.staff(alert.owner))
        return f"{taken} · {alarm_words.step(alert.step, language)}" if alert.step else taken
    if alert.handling == "seen" and alert.seen_by:
        seen = [told.staff(str(mark["staff"])) for mark in alert.seen_by]
        return say(language, "Seen by %(name)s", name=people.joined(seen, language))
    if alert.handling == "snoozed":
        until = moment(alert.snoozed_until or now, now, tz, language).clock
        return say(language, "Snoozed until %(time)s", time=until)
    if alert.handling == "resolved":
        at = moment(alert.resolved_at or now, now, tz, language).clock
        return say(language, "%(name)s closed it at %(time)s", name=_closer(told, language), time=at)
    return say(language, "Not taken")


def _closer(told: Told, language: Language) -> str:
    by = told.alert.resolved_by or "hub"
    return say(language, "The hub") if by == "hub" else told.staff(by)
