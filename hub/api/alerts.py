"""/alerts: the list, one alert with its timeline, and everything a person can do with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from sqlalchemy import ColumnElement, false, or_, true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.catalogue import CATALOGUE
from hub.api import looking
from hub.api.context import Here, Origin, Person
from hub.api.problems import RESPONSES, missing
from hub.api.shapes import (
    AlertDetail,
    AlertOut,
    Based,
    CodeOut,
    Codes,
    LineOut,
    ResolveIn,
    SnoozeIn,
    StepIn,
)
from hub.centre.access import Actor, Right
from hub.centre.alerts.codes import CAUSES, MEASURES, Code
from hub.centre.areas.counting import KIND as AREA
from hub.centre.telling import URGENCY_WORDS
from hub.store.centre_tables import Alert, AlertLine

router = APIRouter(prefix="/alerts", tags=["alerts"], responses=RESPONSES)

Number = Annotated[int, Path(ge=1, description="The alert's id.")]

STATES: dict[str, ColumnElement[bool]] = {
    "open": col(Alert.handling) != "resolved",
    "resolved": col(Alert.handling) == "resolved",
    "all": true(),
}


def within(actor: Actor) -> ColumnElement[bool]:
    """What this person may see, as a condition: filtered in the database, deny by default (SC-2)."""
    if not actor.queues:
        return false()
    reached: ColumnElement[bool] = true()
    if not actor.everywhere:
        zones = col(Alert.zone).in_([*actor.zones, ""])
        reached = or_(zones, col(Alert.home).in_(list(actor.homes)))
    return col(Alert.queue).in_(actor.queues) & reached


@router.get("", summary="List alerts, newest first")
async def listing(
    api: Here,
    person: Person,
    state: Annotated[Literal["open", "resolved", "all"], Query(description="Which alerts.")] = "open",
    home: Annotated[str, Query(max_length=64, description="Only of this home.")] = "",
    queue: Annotated[Literal["", "care", "technical"], Query(description="Only of this queue.")] = "",
    before: Annotated[int | None, Query(description="Only with a smaller id: the next page.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many.")] = 100,
) -> list[AlertOut]:
    """Alerts that this person may see."""
    wanted = select(Alert).where(STATES[state], within(person))
    if home:
        wanted = wanted.where(Alert.home == home)
    if queue:
        wanted = wanted.where(Alert.queue == queue)
    if before is not None:
        wanted = wanted.where(col(Alert.id) < before)
    async with api.store.reading() as session:
        rows = (await session.exec(wanted.order_by(col(Alert.id).desc()).limit(limit))).all()
    return [AlertOut.model_validate(shown(row, person)) for row in rows]


@router.get("/codes", summary="Causes and measures to resolve an alert with")
async def codes(person: Person) -> Codes:  # noqa: ARG001  signed-in people only
    """The lists behind the resolve form."""
    return Codes(causes=_codes(CAUSES.items()), measures=_codes(MEASURES.items()))


def _codes(items: Any) -> list[CodeOut]:
    listed: Sequence[tuple[str, Code]] = list(items)
    return [
        CodeOut.model_validate({"code": code, "says": dict(one.says), "group": one.group})
        for code, one in listed
    ]


@router.get("/{number}", summary="One alert, with everything behind it")
async def detail(api: Here, person: Person, origin: Origin, number: Number) -> AlertDetail:
    """The alert. Looking at a resident's alert is written into the trail."""
    async with api.store.reading() as session:
        row = await _found(session, person, number)
    await looking.note(api, person, origin, home=row.home, subject=f"alert {number}")
    return AlertDetail.model_validate(shown(row, person))


@router.get("/{number}/timeline", summary="What happened to an alert, oldest first")
async def timeline(api: Here, person: Person, number: Number) -> list[LineOut]:
    """Every line of its timeline."""
    async with api.store.reading() as session:
        await _found(session, person, number)
        wanted = select(AlertLine).where(AlertLine.alert == number).order_by(col(AlertLine.id))
        return [LineOut.model_validate(row) for row in (await session.exec(wanted)).all()]


async def _found(session: AsyncSession, person: Actor, number: int) -> Alert:
    row = (await session.exec(select(Alert).where(Alert.id == number, within(person)))).first()
    if row is None:
        raise missing()
    return row


def shown(row: Alert, person: Actor) -> dict[str, Any]:
    """The alert's columns; for people who may not see names, in words that name nobody (an area's name nobody)."""
    columns = row.model_dump()
    if not person.has(Right.SEE_NAMES) and row.kind != AREA:
        spec = CATALOGUE.facts.get(row.kind)
        columns["says"] = dict(spec.words) if spec else dict(URGENCY_WORDS[row.urgency])
        columns |= {"staff_action": {"nb": "", "en": ""}, "because": {}, "note": ""}
    return columns


# ---------------------------------------------------------------- actions


@router.post("/{number}/seen", summary="Silence the sound for me")
async def seen(api: Here, person: Person, origin: Origin, number: Number, body: Based) -> AlertDetail:
    """The chain runs on; only this person's sound stops."""
    return _done(await api.desk.seen(number, body.version, person, origin), person)


@router.post("/{number}/take", summary="Take the alert")
async def take(api: Here, person: Person, origin: Origin, number: Number, body: Based) -> AlertDetail:
    """Become responsible. Of two who take at once exactly one succeeds; the other gets 409 with who was first."""
    return _done(await api.desk.take(number, body.version, person, origin), person)


@router.post("/{number}/step", summary="Say what I am doing about it")
async def step(api: Here, person: Person, origin: Origin, number: Number, body: StepIn) -> AlertDetail:
    """Calling, on the way, or at the door; an answer without a step lapses."""
    return _done(await api.desk.step(number, body.version, person, origin, step=body.step), person)


@router.post("/{number}/take_over", summary="Take the alert over from somebody")
async def take_over(api: Here, person: Person, origin: Origin, number: Number, body: Based) -> AlertDetail:
    """Become responsible in another's place."""
    return _done(await api.desk.take_over(number, body.version, person, origin), person)


@router.post("/{number}/hand_back", summary="Give the alert up")
async def hand_back(api: Here, person: Person, origin: Origin, number: Number, body: Based) -> AlertDetail:
    """It is new again, and its chain starts anew."""
    return _done(await api.desk.hand_back(number, body.version, person, origin), person)


@router.post("/{number}/snooze", summary="Put the alert off")
async def snooze(api: Here, person: Person, origin: Origin, number: Number, body: SnoozeIn) -> AlertDetail:
    """At most half an hour, with a reason, and never where a life may depend on it."""
    alert = await api.desk.snooze(number, body.version, person, origin, until=body.until, reason=body.reason)
    return _done(alert, person)


@router.post("/{number}/resolve", summary="End the alert")
async def resolve(api: Here, person: Person, origin: Origin, number: Number, body: ResolveIn) -> AlertDetail:
    """With a cause, a measure and perhaps a note."""
    alert = await api.desk.resolve(
        number, body.version, person, origin, cause=body.cause, measure=body.measure, note=body.note
    )
    return _done(alert, person)


@router.post("/{number}/undo", summary="Take my last action back")
async def undo(api: Here, person: Person, origin: Origin, number: Number, body: Based) -> AlertDetail:
    """Within ten seconds of seen, take or resolve."""
    return _done(await api.desk.undo(number, body.version, person, origin), person)


def _done(alert: Alert, person: Actor) -> AlertDetail:
    return AlertDetail.model_validate(shown(alert, person))
