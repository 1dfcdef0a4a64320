"""Everything about one alarm: what happened, why, what to do, who, how to get in, what has been done.

Reading it is reading about a resident: each time is a row in the audit trail (promise 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.auth.scope import scope_of
from dashboard.auth.sessions import Viewer
from dashboard.look import alarm_words
from dashboard.look.causes import Why, why_of
from dashboard.look.door_words import DoorShown
from dashboard.look.moments import WORTH_TELLING_APART, Moment, age, local, moment
from dashboard.look.rows import Row, row_of
from dashboard.look.rule_words import rule_sentence
from dashboard.look.words import Language, mark, pick, say, say_many
from dashboard.pages.door_panel import closed_to, doors_of
from dashboard.pages.looking import look
from dashboard.reads.alerts import Told, alert_in, told
from dashboard.reads.areas import SILENT, homes_of, said
from dashboard.reads.devices import LIMITS, known_devices
from dashboard.reads.doors import opens
from dashboard.reads.journal import entries_of, lines_of
from dashboard.reads.place import names
from dashboard.web import Web
from drivers.catalogue import CATALOGUE
from drivers.events import Millis
from hub.centre.access import ANSWER_QUEUE, Right
from hub.centre.alerts.codes import CAUSES, MEASURES
from hub.centre.alerts.lifecycle import ALLOWED, posture
from hub.centre.alerts.standing import standing_of
from hub.centre.areas.counting import KIND as AREA
from hub.centre.door import BOLT
from hub.hindsight.books import book_in_force
from hub.store.centre_tables import Alert, AlertLine, Resident
from rules.spans import say_span

SNOOZES = (5, 10, 15, 30)
"""Minutes to choose from."""
SNOOZES_LOW = (60, 240, 480, 1440)
EMERGENCY = "113"
FIRE = "110"
MOST_HOMES = 200
"""Homes of an outage on one page; the list of alarms has them all."""
SIGNS = {True: mark("the gateway is silent"), False: mark("the gateway is without power")}
DOOR_STATES = (BOLT, "door.leaf")


@dataclass(frozen=True, slots=True)
class Acts:
    """What this person may do with it as it stands; the server decides again when the action comes."""

    take: bool = False
    take_over: bool = False
    step: bool = False
    hand_back: bool = False
    snooze: bool = False
    resolve: bool = False
    seen: bool = False

    @property
    def any(self) -> bool:
        """Anything at all."""
        return self.take or self.take_over or self.step or self.snooze or self.resolve


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A resident as the panel shows one."""

    id: str
    name: str
    age: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A number to call."""

    name: str
    relation: str
    number: str


@dataclass(frozen=True, slots=True)
class DoorState:
    """A lock or door, with the age of what is known of it."""

    device: str
    value: str
    known: bool
    at: Moment


@dataclass(frozen=True, slots=True)
class LineShown:
    """One line of what has been done."""

    at: Moment
    icon: str
    text: str
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class HomeShown:
    """A home in an area's alarm. sign: what is known of its gateway. calls: the residents' own numbers."""

    row: Row
    sign: str
    warnings: tuple[str, ...]
    calls: list[Call]


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Causes of one group of the form."""

    name: str
    codes: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The whole panel. names: whether the viewer may know who lives there. homes: of an area's alarm.

    locks: doors that can be unlocked from here; no_unlock: why this person does not; doors: all others.
    """

    row: Row
    act: Acts
    names: bool
    people: list[PersonCard]
    address: str
    zone: str
    key_box: str
    notes: str
    locks: list[DoorShown]
    no_unlock: str
    doors: list[DoorState]
    calls: list[Call]
    plan: list[str]
    why: Why
    lines: list[LineShown]
    causes: list[CauseGroup]
    measures: list[tuple[str, str]]
    snoozes: list[tuple[int, str]]
    step: str
    owner: str
    owned_for: str
    cause: str
    measure: str
    note: str
    undo_left: bool
    homes: list[HomeShown]
    more_homes: int = 0
    resolving: bool = False


async def read(web: Web, viewer: Viewer, language: Language, number: int, where_from: str) -> Panel | None:
    """The panel of an alarm, or None if there is no such alarm for this person. Writes the audit row first."""
    async with web.store.reading() as session:
        alert = await alert_in(session, scope_of(viewer.actor), number)
    if alert is None:
        return None
    await look(web, viewer, where_from, "alert.read", home=alert.home, subject=f"alert {number}")
    async with web.store.reading() as session:
        fresh = await alert_in(session, scope_of(viewer.actor), number)
        return await _gather(session, fresh, viewer, language, web) if fresh else None


async def _gather(session: AsyncSession, alert: Alert, viewer: Viewer, language: Language, web: Web) -> Panel:
    now = web.now()
    [one] = await told(session, [alert])
    scope = scope_of(viewer.actor)
    full = scope.redaction == "full" and viewer.actor.has(Right.SEE_RESIDENT)
    tz = one.names.tz(alert.home)
    home = one.names.homes.get(alert.home)
    body: Mapping[str, Any] = home.body if home else {}
    residents = one.names.residents.get(alert.home, ()) if full else ()
    lines = await lines_of(session, alert.id or 0)
    homes = await homes_of(session, scope, one.id) if alert.kind == AREA else []
    low = alert.urgency == "low"
    return Panel(
        row=row_of(one, scope.redaction, language, now),
        act=_acts(alert, viewer),
        names=full,
        people=[person_card(resident, now, tz) for resident in residents],
        address=home.address if home and scope.redaction != "initials" else "",
        zone=one.names.zones.get(alert.zone, ""),
        key_box=str(body.get("key_box", "")) if full else "",
        notes=str(body.get("notes", "")) if full else "",
        locks=await doors_of(session, home, web, language) if full and home else [],
        no_unlock=await closed_to(session, viewer, language) if full else "",
        doors=await _doors(session, alert.home, now, tz, language) if full else [],
        calls=calls_of(residents, language),
        plan=sentences(pick(alert.staff_action, language)),
        why=await _why(session, alert, full, tz, language, now),
        lines=await _lines(session, lines, one, language, now, full),
        causes=_causes(language),
        measures=[(code, pick(measure.says, language)) for code, measure in MEASURES.items()],
        snoozes=[(minutes, _minutes(minutes, language)) for minutes in (SNOOZES_LOW if low else SNOOZES)],
        step=alert.step,
        owner=one.staff(alert.owner),
        owned_for=age(alert.owner_since or now, now, language),
        cause=alarm_words.cause(alert.cause, language) if alert.cause else "",
        measure=alarm_words.measure(alert.measure, language) if alert.measure else "",
        note=alert.note if full else "",
        undo_left=alert.undo.get("by") == viewer.actor.staff and now <= int(alert.undo.get("until", 0)),
        homes=[_home(each, viewer, language, now) for each in homes[:MOST_HOMES]],
        more_homes=max(0, len(homes) - MOST_HOMES),
    )


def _home(one: Told, viewer: Viewer, language: Language, now: Millis) -> HomeShown:
    """One home of an outage: who lives there, as far as this person may know, and what calls for care."""
    scope = scope_of(viewer.actor)
    full = scope.redaction == "full" and viewer.actor.has(Right.SEE_RESIDENT)
    residents = one.names.residents.get(one.alert.home, ()) if full else ()
    return HomeShown(
        row=row_of(one, scope.redaction, language, now),
        sign=say(language, SIGNS[one.alert.kind == SILENT]),
        warnings=tuple(
            text
            for each in residents
            for text in person_card(each, now, one.names.tz(one.alert.home)).warnings
        ),
        calls=[Call(each.name, "", each.phone) for each in residents if each.phone],
    )


def _acts(alert: Alert, viewer: Viewer) -> Acts:
    """What the table of the life cycle allows this person."""
    if not viewer.actor.may(ANSWER_QUEUE[alert.queue], zone=alert.zone, home=alert.home):
        return Acts()
    standing = standing_of(alert)
    mine = posture(standing, viewer.actor.staff)
    allowed = {name for name, table in ALLOWED.items() if mine in table}
    read_by_me = any(mark["staff"] == viewer.actor.staff for mark in alert.seen_by)
    return Acts(
        take="take" in allowed,
        take_over="take_over" in allowed,
        step="step" in allowed,
        hand_back="hand_back" in allowed,
        snooze="snooze" in allowed and not standing.held_quiet,
        resolve="resolve" in allowed,
        seen=alert.handling == "new" and not read_by_me,
    )


def sentences(text: str) -> list[str]:
    """The action plan, one sentence a step. A full stop inside a number or before a small letter ends none."""
    steps: list[str] = []
    for line in text.splitlines():
        rest = line.strip()
        while rest:
            end = next(
                (
                    at + 1
                    for at, char in enumerate(rest[:-2])
                    if char in ".!?" and rest[at + 1] == " " and rest[at + 2].isupper()
                ),
                len(rest),
            )
            steps.append(rest[:end].strip())
            rest = rest[end:].strip()
    return steps


def person_card(resident: Resident, now: Millis, tz: str) -> PersonCard:
    """A resident with age and warnings."""
    born = resident.body.get("birth_year")
    years = local(now, tz).year - born if isinstance(born, int) else 0
    warnings = resident.body.get("warnings", [])
    return PersonCard(resident.id, resident.name, years, tuple(str(one) for one in warnings))


def calls_of(residents: Iterable[Resident], language: Language) -> list[Call]:
    """Whom to call: the residents, their next of kin, the emergency services."""
    calls: list[Call] = []
    for resident in residents:
        if resident.phone:
            calls.append(Call(resident.name, "", resident.phone))
        calls += [
            Call(str(kin.get("name", "")), str(kin.get("relation", "")), str(kin["phone"]))
            for kin in resident.body.get("next_of_kin", [])
            if kin.get("phone")
        ]
    if calls:
        calls.append(Call(say(language, "Medical emergency"), "", EMERGENCY))
        calls.append(Call(say(language, "Fire"), "", FIRE))
    return calls


async def _doors(
    session: AsyncSession, home: str, now: Millis, tz: str, language: Language
) -> list[DoorState]:
    return [
        DoorState(
            device=known.device.name or known.device.id,
            value=pick(CATALOGUE.states[state.state].value_words.get(state.value, {}), language, state.value),
            known=state.value != "unknown" and not known.silent,
            at=moment(state.at, now, tz, language),
        )
        for known in await known_devices(session, {home}, now, LIMITS)
        for state in known.states
        if state.state in DOOR_STATES and not (state.state == BOLT and opens(known.device))
    ]


async def _why(
    session: AsyncSession, alert: Alert, full: bool, tz: str, language: Language, now: Millis
) -> Why:
    if alert.kind == AREA:
        entries, places = await said(session, alert.evidence)
    else:
        entries = await entries_of(session, alert.evidence, alert.home)
        found = await names(session, homes=(), devices={entry.device for entry in entries})
        places = {key: device.name or key for key, device in found.devices.items()}
    why = why_of(
        alert.rule,
        alert.because,
        entries,
        device_names=places,
        link=await _timeline_of(session, alert.home, language) if full else "",
        now=now,
        tz=tz,
        language=language,
    )
    return replace(why, says=_sentences(alert, tz, language, now))


def _sentences(alert: Alert, tz: str, language: Language, now: Millis) -> tuple[str, ...]:
    """What the rule waits for, when it acted, and how late that was, as far as the book and the decision say."""
    rule = book_in_force().rules.get(alert.rule)
    lag = alert.because.get("lag", 0)
    said = [rule_sentence(rule, language)] if rule is not None else []
    said.append(
        say(language, "This time it acted at %(time)s.", time=moment(alert.at, now, tz, language).clock)
    )
    if isinstance(lag, int) and lag > 0:
        said.append(
            say(language, "That was heard %(span)s after it had happened.", span=say_span(lag, language))
        )
    elif alert.heard - alert.at > WORTH_TELLING_APART:
        heard = moment(alert.heard, now, tz, language).clock
        said.append(say(language, "It was decided later, at %(time)s.", time=heard))
    return tuple(said)


async def _timeline_of(session: AsyncSession, home: str, language: Language) -> str:
    query = select(Resident.id).where(Resident.home == home).order_by(col(Resident.id)).limit(1)
    resident = (await session.exec(query)).first()
    return f"/{language}/residents/{resident}" if resident else ""


async def _lines(
    session: AsyncSession,
    lines: list[AlertLine],
    one: Told,
    language: Language,
    now: Millis,
    full: bool,
) -> list[LineShown]:
    tz = one.names.tz(one.alert.home)
    found = await names(session, homes=(), staff={line.by for line in lines})
    return [
        LineShown(
            at=moment(line.at, now, tz, language),
            icon=alarm_words.LINE_ICONS.get(line.what, "activity"),
            text=alarm_words.line(line.what, line.data, language),
            by=found.staff.get(line.by, say(language, "The hub") if line.by == "hub" else line.by),
            note=(str(line.data.get("note", "")) if full else "") or alarm_words.reached(line.data, language),
        )
        for line in lines
    ]


def _causes(language: Language) -> list[CauseGroup]:
    return [
        CauseGroup(
            say(language, words),
            [(code, pick(one.says, language)) for code, one in CAUSES.items() if one.group == group],
        )
        for group, words in alarm_words.RESPONSES.items()
    ]


def _minutes(minutes: int, language: Language) -> str:
    if minutes < 60:
        return say_many(language, "%(num)d minute", "%(num)d minutes", minutes)
    return say_many(language, "%(num)d hour", "%(num)d hours", minutes // 60)
