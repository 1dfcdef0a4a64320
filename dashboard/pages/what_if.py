"""What would have happened: other limits for a resident, judged over the last days of the home's journal.

The whole question stands in the page's address. While it is worked on, the page shows how far it is and asks again:
by script in place, without script by loading itself anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import HTMLResponse

from dashboard.look.moments import Moment, moment
from dashboard.look.rule_words import changes, limit_name, limits, shown
from dashboard.look.words import Language, pick, say, say_many
from dashboard.pages.common import Forbidden, Here, Lang, Person, frame, link_with, origin, page
from dashboard.pages.looking import look
from dashboard.pages.residents import reach
from dashboard.studies import Study, Tell
from dashboard.web import Web
from drivers.events import Millis
from drivers.registry import DEVICE_TYPES
from hub.centre.access import Right
from hub.hindsight.books import book_in_force
from hub.hindsight.questions import ask_what_if
from hub.store.centre_tables import Device, Home, Resident
from rules import Book, Decision
from rules.book import role_of
from rules.spans import DAY, say_span
from rules.what_if import Difference

router = APIRouter()

DAYS = (1, 7, 14, 30, 92)
USUAL_DAYS = 30
MOST_SHOWN = 100
"""Alarms of each sort on the page; the numbers count all."""
LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class Change:
    """One limit, as it is and as it would be."""

    words: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Then:
    """An alarm of the other past. moved: by how much, in words, for one that comes at another time."""

    at: Moment
    words: str
    rule: str
    to: Moment | None = None
    moved: str = ""


@dataclass(frozen=True, slots=True)
class Sort:
    """Alarms gone, new or moved. more: how many are not on the page."""

    title: str
    icon: str
    hint: str
    alarms: tuple[Then, ...]
    more: int


@router.get("/{lang}/residents/{resident}/what-if")
async def what_if(request: Request, lang: Lang, resident: str, person: Person, web: Here) -> HTMLResponse:
    """The form; with limits changed, how far the answer is, and then the answer."""
    async with web.store.reading() as session:
        row, home = await reach(session, resident, person)
        if not person.actor.has(Right.ASK_WHAT_IF):
            raise Forbidden
        own, classes = await _known(session, home)
    await look(web, person, origin(request), "resident.what_if", home=home.id, subject=f"resident {row.id}")
    book, days = book_of_homes(), _days(request.query_params.get("days", ""))
    asked = {name: request.query_params.get(name, "")[:LONGEST_VALUE] for name in book.types}
    found = limits(book, own, asked, classes, lang, row.name)
    changed = changes(book, own, found)
    study = None
    if changed and not any(limit.wrong for limit in found):
        study = await _ask(web, person.session, home, book, changed, days)
    async with web.store.reading() as session:
        around = await frame(session, web, person)
    context = _told(study, book, own, changed, home, around.now, days, lang)
    fragment = request.headers.get("hx-request") and study is not None
    return page(
        request,
        lang,
        "what_if_answer.html" if fragment else "what_if.html",
        around,
        status=422 if any(limit.wrong for limit in found) else 200,
        here="residents",
        resident=row,
        limits=found,
        days=days,
        choices=[(each, say_many(lang, "%(num)d day", "%(num)d days", each)) for each in DAYS],
        sent="days" in request.query_params,
        again=link_with(request),
        study=study,
        **context,
    )


def book_of_homes() -> Book:
    """The rules of homes: what an area's say does not hang on one resident's limits."""
    book = book_in_force()
    return book.only(frozenset(name for name, rule in book.rules.items() if role_of(rule) != "area"))


def _days(text: str) -> int:
    return int(text) if text in {str(each) for each in DAYS} else USUAL_DAYS


async def _known(session: AsyncSession, home: Home) -> tuple[Mapping[str, Any], set[str]]:
    """The limits that hold in the home now (of several residents the first by id decides), and what stands there."""
    residents = (await session.exec(select(Resident).where(Resident.home == home.id))).all()
    own: dict[str, Any] = {}
    for each in sorted(residents, key=lambda one: one.id, reverse=True):
        own |= each.parameters
    classes = set()
    for device in (await session.exec(select(Device).where(Device.home == home.id))).all():
        known = DEVICE_TYPES.get(device.type)
        classes |= {device.device_class, *(known.classes if known else ())}
    return own, classes


async def _ask(
    web: Web, session: str, home: Home, book: Book, changed: Mapping[str, Any], days: int
) -> Study:
    async def work(tell: Tell) -> Difference:
        until = web.now()
        async with web.store.reading() as reading:
            return await ask_what_if(
                reading,
                book,
                book,
                [home.id],
                since=until - days * DAY,
                until=until,
                parameters=changed,
                share=tell,
            )

    asked = ", ".join(f"{name}={value}" for name, value in sorted(changed.items()))
    return await web.studies.ask(session, f"{home.id}: {asked} over {days} days, book {book.version}", work)


def _told(
    study: Study | None,
    book: Book,
    own: Mapping[str, Any],
    changed: Mapping[str, Any],
    home: Home,
    now: Millis,
    days: int,
    language: Language,
) -> dict[str, Any]:
    """What the answer's part of the page shows."""
    told = [
        Change(
            limit_name(name, language),
            shown(name, own.get(name, book.defaults.get(name)), book.types[name], language),
            shown(name, value, book.types[name], language),
        )
        for name, value in changed.items()
    ]
    found = study.answer if study is not None else None
    period = say_many(language, "the last day", "the last %(num)d days", days)
    sorts = _sorts(found, home.tz, now, language) if found else []
    return {"changed": told, "found": found, "sorts": sorts, "period": period}


def _sorts(found: Difference, tz: str, now: Millis, language: Language) -> list[Sort]:
    def then(decision: Decision) -> Then:
        return Then(moment(decision.at, now, tz, language), pick(decision.says, language), decision.rule)

    gone, new = [then(each) for each in found.gone], [then(each) for each in found.new]
    moved = [
        Then(
            moment(each.before.at, now, tz, language),
            pick(each.before.says, language),
            each.before.rule,
            moment(each.after.at, now, tz, language),
            _by(each.by, language),
        )
        for each in found.moved
    ]
    return [
        _sort(say(language, "Gone"), "bell-off", say(language, "Would anybody have been missed?"), gone),
        _sort(say(language, "New"), "bell-ring", say(language, "Would you have wanted to be called?"), new),
        _sort(say(language, "Moved"), "clock", say(language, "The same alarm at another time."), moved),
    ]


def _sort(title: str, icon: str, hint: str, alarms: list[Then]) -> Sort:
    return Sort(title, icon, hint, tuple(alarms[-MOST_SHOWN:][::-1]), max(0, len(alarms) - MOST_SHOWN))


def _by(milliseconds: int, language: Language) -> str:
    span = say_span(abs(milliseconds) // 1000 * 1000, language)
    return (
        say(language, "%(span)s earlier", span=span)
        if milliseconds < 0
        else say(language, "%(span)s later", span=span)
    )
