"""/rules, why an alert is there, why one is not, and what another book would have said."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlmodel import select

from drivers.events import TimeError, iso, parse_time
from hub.api import alerts, homes, looking
from hub.api.context import Here, Origin, Person
from hub.api.problems import RESPONSES, ProblemError, missing, no_access
from hub.centre.access import Actor, Right
from hub.centre.alerts.codes import words
from hub.hindsight.books import book_in_force
from hub.hindsight.questions import UnknownAlertError, ask_what_if, ask_why_not, explain_alert
from hub.store.centre_tables import Alert, Home
from rules import Book, BookError, Decision, load_book
from rules.problems import Wrong
from rules.spans import DAY
from rules.what_if import check_parameters
from rules.why_not import Unasked

router = APIRouter(responses=RESPONSES, tags=["rules"])

HomeId = Annotated[str, Path(pattern=r"^[a-z0-9_-]{1,64}$")]
MAX_BOOK = 200_000
"""Characters of a book sent with a question."""


class RuleOut(BaseModel):
    """One rule of the book in force."""

    name: str
    form: str = Field(description="Its opening and what it goes on with.")
    urgency: str
    queue: str
    life_safety: bool


class WhyOut(BaseModel):
    """Sentences on one alert, by language."""

    rule: str
    version: str
    nb: list[str]
    en: list[str]


class WhyNotOut(BaseModel):
    """Sentences on how a rule stood in a home at an instant."""

    rule: str
    home: str
    at: str
    says: list[str]


class WhatIfIn(BaseModel):
    """What would be different: a whole book, or values of residents' parameters, or both."""

    book: str | None = Field(default=None, max_length=MAX_BOOK, description="A rule book as YAML text.")
    parameters: dict[str, str | int | float | bool] = Field(default={}, max_length=50)
    days: int = Field(default=30, ge=1, le=92)


class AlertThen(BaseModel):
    """An alert as one of the two books tells it. to: where it moved."""

    at: str
    rule: str
    key: str
    says: dict[str, str]
    to: str | None = None


class WhatIfOut(BaseModel):
    """same: alerts of the rules concerned that come at the same instant under both."""

    same: int
    gone: list[AlertThen]
    new: list[AlertThen]
    moved: list[AlertThen]


@router.get("/rules", summary="The rules in force")
async def rules(person: Person) -> list[RuleOut]:  # noqa: ARG001  signed-in people only
    """Every rule of the book, in its order."""
    return [
        RuleOut(
            name=rule.name,
            form=rule.form.value,
            urgency=rule.urgency,
            queue=rule.queue,
            life_safety=rule.life_safety,
        )
        for rule in book_in_force().rules.values()
    ]


@router.get("/alerts/{number}/why", summary="Why an alert is there")
async def why(api: Here, person: Person, origin: Origin, number: alerts.Number) -> WhyOut:
    """The rule, its numbers and the events it rests on. The look is written into the trail."""
    if not person.has(Right.SEE_NAMES):
        raise no_access()
    async with api.store.reading() as session:
        row = (await session.exec(select(Alert).where(Alert.id == number, alerts.within(person)))).first()
        if row is None:
            raise missing()
        try:
            found = await explain_alert(session, number)
        except UnknownAlertError:
            raise missing() from None
    await looking.note(api, person, origin, home=row.home, subject=f"alert {number}")
    said = found.sentences
    return WhyOut(
        rule=found.decision.rule, version=found.decision.version, nb=list(said["nb"]), en=list(said["en"])
    )


@router.get("/homes/{home}/why-not", summary="Why an alert is not there")
async def why_not(
    api: Here,
    person: Person,
    origin: Origin,
    home: HomeId,
    rule: Annotated[str, Query(max_length=64, description="The rule that might have raised.")] = "",
    at: Annotated[str | None, Query(max_length=40, description="ISO 8601; now if not said.")] = None,
    language: Annotated[Literal["nb", "en"], Query()] = "nb",
) -> WhyNotOut:
    """What the rule waited for in this home, since when, until when. The look is written into the trail."""
    moment = api.now() if at is None else _instant(at)
    async with api.store.reading() as session:
        await _reach(session, person, home)
        try:
            says = await ask_why_not(session, book_in_force(), rule, home, moment, language)
        except Unasked as unknown:
            sentence = words(f"Boken har ingen regel {rule!r}.", str(unknown))
            raise ProblemError(404, "not-found", sentence) from None
    await looking.note(api, person, origin, home=home, subject=f"rule {rule}")
    return WhyNotOut(rule=rule, home=home, at=iso(moment), says=says)


@router.post("/homes/{home}/what-if", summary="What another book or other limits would have changed")
async def what_if(api: Here, person: Person, origin: Origin, home: HomeId, asked: WhatIfIn) -> WhatIfOut:
    """Alerts gone, new and moved over the last days of this home. The look is written into the trail."""
    before = book_in_force()
    after = before if asked.book is None else _book(asked.book)
    try:
        check_parameters(asked.parameters, before, after)
    except Wrong as wrong:
        sentence = words(f"Verdien kan ikke brukes: {wrong}", f"The value cannot be used: {wrong}")
        raise ProblemError(422, "refused", sentence) from None
    now = api.now()
    async with api.store.reading() as session:
        await _reach(session, person, home)
        if not person.has(Right.ASK_WHAT_IF):
            raise no_access()
        found = await ask_what_if(
            session,
            before,
            after,
            [home],
            since=now - asked.days * DAY,
            until=now,
            parameters=asked.parameters,
        )
    await looking.note(api, person, origin, home=home, subject="what if")
    return WhatIfOut(
        same=found.same,
        gone=[_then(each) for each in found.gone],
        new=[_then(each) for each in found.new],
        moved=[_then(each.before, each.after) for each in found.moved],
    )


def _then(decision: Decision, moved: Decision | None = None) -> AlertThen:
    return AlertThen(
        at=iso(decision.at),
        rule=decision.rule,
        key=decision.key,
        says=dict(decision.says),
        to=iso(moved.at) if moved is not None else None,
    )


def _book(text: str) -> Book:
    try:
        return load_book(text, source="book")
    except BookError as wrong:
        first = wrong.problems[0]
        sentence = words(f"Regelboken kan ikke brukes: {first}", f"The book cannot be used: {first}")
        raise ProblemError(422, "refused", sentence, problems=wrong.problems) from None


def _instant(text: str) -> int:
    try:
        return parse_time(int(text) if text.isascii() and text.isdigit() else text)
    except TimeError as wrong:
        raise ProblemError(422, "invalid", words("Tidspunktet kan ikke leses.", str(wrong))) from None


async def _reach(session: Any, person: Actor, home: str) -> None:
    """The home exists for this person, or nothing does."""
    if not person.has(Right.SEE_RESIDENT):
        raise no_access()
    wanted = select(Home.id).where(Home.id == home, homes.within(person))
    if (await session.exec(wanted)).first() is None:
        raise missing()
