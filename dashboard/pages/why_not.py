"""Why no alarm? How a rule stood in a resident's home at a moment, in sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import HTMLResponse

from dashboard.auth.scope import Scope
from dashboard.look.event_words import DOSE
from dashboard.look.moments import Moment, local, moment
from dashboard.look.rows import Row, row_of
from dashboard.look.rule_words import rule_name
from dashboard.look.words import Language, say
from dashboard.pages.common import Here, Lang, Person, frame, origin, page
from dashboard.pages.looking import look
from dashboard.pages.residents import reach
from dashboard.reads.alerts import told, within
from drivers.events import Millis
from hub.hindsight.books import book_in_force
from hub.hindsight.questions import ask_why_not
from hub.store.centre_tables import Alert, Device, Home
from rules import Book
from rules.book import role_of
from rules.homes import zone
from rules.local_time import instant
from rules.spans import DAY, MINUTE

router = APIRouter()

LONGEST_BACK: Millis = 400 * DAY
"""A year and a little; further back nobody remembers what they ask about."""
MOST_ALARMS = 5
KIND = re.compile(r" \((?:[a-z]+)\.(?:[a-z0-9_]+)\)")
"""The engine names a kind behind its words; people need the words."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One rule to ask about, by what it would say."""

    name: str
    words: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """said: sentences on how the rule stood. decisions: its newest ones. alarms: those it did raise the day before."""

    words: str
    rule: str
    at: Moment
    said: tuple[str, ...]
    decisions: tuple[str, ...]
    alarms: tuple[Row, ...]


@router.get("/{lang}/residents/{resident}/why-not")
async def why_not(
    request: Request, lang: Lang, resident: str, person: Person, web: Here, rule: str = "", at: str = ""
) -> HTMLResponse:
    """The form, and with a rule chosen its answer. The look is written into the trail first."""
    async with web.store.reading() as session:
        row, home = await reach(session, resident, person)
    book, now = book_in_force(), web.now()
    chosen = rule if rule in book.rules else ""
    about = f"resident {row.id}" + (f", rule {chosen}" if chosen else "")
    await look(web, person, origin(request), "resident.why_not", home=home.id, subject=about)
    when = read_clock(at, home.tz) if at else now
    answer, wrong = None, ""
    async with web.store.reading() as session:
        around = await frame(session, web, person)
        if when is None or not now - LONGEST_BACK <= when <= now + MINUTE:
            wrong = say(lang, "Choose a time that has been, at most a year ago.")
        elif chosen:
            when = min(when, now)
            name = rule_name(book.rules[chosen], lang, row.name)
            answer = await _answer(session, book, chosen, name, home, around.scope, when, now, lang)
    return page(
        request,
        lang,
        "why_not.html",
        around,
        status=422 if wrong else 200,
        here="residents",
        resident=row,
        choices=choices(book, chosen, row.name, lang),
        at=clock_field(now if when is None else when, home.tz),
        latest=clock_field(now, home.tz),
        answer=answer,
        wrong=wrong,
    )


def choices(book: Book, chosen: str, resident: str, language: Language) -> list[Choice]:
    """The rules of a home, by what they would say."""
    found = [
        Choice(name, rule_name(rule, language, resident), name == chosen)
        for name, rule in book.rules.items()
        if role_of(rule) != "area"
    ]
    return sorted(found, key=lambda choice: choice.words.casefold())


async def _answer(
    session: AsyncSession,
    book: Book,
    rule: str,
    name: str,
    home: Home,
    scope: Scope,
    at: Millis,
    now: Millis,
    language: Language,
) -> Answer:
    lines = await ask_why_not(session, book, rule, home.id, at, language)
    names = dict((await session.exec(select(Device.id, Device.name).where(Device.home == home.id))).all())
    return Answer(
        words=name,
        rule=rule,
        at=moment(at, now, home.tz, language),
        said=tuple(
            in_words(line, home.id, names) for line in lines if not line.startswith(" ") and not _heads(line)
        ),
        decisions=tuple(in_words(line.strip(), home.id, names) for line in lines if line.startswith(" ")),
        alarms=await _raised(session, rule, home.id, scope, at, now, language),
    )


def _heads(line: str) -> bool:
    """The engine's own heading over its newest decisions; the page has one of its own."""
    return line.endswith(":")


def in_words(line: str, home: str, devices: Mapping[str, str]) -> str:
    """A sentence of the engine's for people: devices by name, doses by time, no ids of homes, no kinds in brackets."""
    for key, name in ((home, ""), *devices.items()):
        known = re.escape(key)
        found = re.match(rf"{known}(/[^:]*(?:[0-9]:[^:]*)?)?: ", line)
        if found:
            line = f"{_head(name, found[1])}{line[found.end() :]}"
        found = re.search(rf"  {known}(/\S+)?  ", line)
        if found:
            line = f"{line[: found.start()]}  {_head(name, found[1])}{line[found.end() :]}"
    line = KIND.sub("", line)
    return line[:1].upper() + line[1:]


def _head(name: str, part: str | None) -> str:
    """What a sentence speaks of: a device, a dose of it, or nothing but the home."""
    dose = DOSE.match(part[1:]) if part else None
    words = ", ".join(filter(None, (name, dose[0] if dose else (part or "")[1:])))
    return f"{words}: " if words else ""


async def _raised(
    session: AsyncSession, rule: str, home: str, scope: Scope, at: Millis, now: Millis, language: Language
) -> tuple[Row, ...]:
    """The alarms that this rule did raise here in the day before, newest first, as far as the person may see them."""
    wanted = (
        select(Alert)
        .where(within(scope), Alert.rule == rule, Alert.home == home, Alert.at <= at, Alert.at > at - DAY)
        .order_by(col(Alert.at).desc())
        .limit(MOST_ALARMS)
    )
    found: Sequence[Alert] = (await session.exec(wanted)).all()
    return tuple(row_of(one, scope.redaction, language, now) for one in await told(session, found))


def read_clock(text: str, tz: str) -> Millis | None:
    """A date and time as a browser's field writes it, on the home's clock; None where it is none."""
    try:
        written = datetime.fromisoformat(text[:40])
    except ValueError:
        return None
    if written.tzinfo is not None or not 1971 <= written.year <= 9000:
        return None
    minutes = written.hour * 60 + written.minute
    return instant(written.toordinal(), minutes, zone(tz)) + written.second * 1000


def clock_field(at: Millis, tz: str) -> str:
    """The same, for the field."""
    return f"{local(at, tz):%Y-%m-%dT%H:%M}"
