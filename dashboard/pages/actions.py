"""What a person does with an alarm. The desk decides; a stale or impossible action is answered by its sentence.

A script asks for JSON and gets the outcome with the row as it now stands; without script the same form leads
back to the page it came from.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from dashboard.auth.scope import scope_of
from dashboard.auth.sessions import Viewer
from dashboard.live.telling import row_body
from dashboard.look.paint import write_row
from dashboard.look.rows import row_of
from dashboard.look.words import Language, mark, pick, say
from dashboard.pages import panel
from dashboard.pages.common import Here, Lang, Missing, Number, Person, frame, origin, page
from dashboard.reads.alerts import alert_in, told
from dashboard.web import Web
from hub.centre.alerts.desk import AlertError, NotFound
from hub.centre.alerts.lifecycle import ALLOWED, UNDOABLE, Action
from hub.store.centre_tables import Alert

router = APIRouter()

CONFLICT = 409
DONE = {
    "seen": mark("You have seen the alarm."),
    "take": mark("You have taken the alarm."),
    "take_over": mark("You have taken over the alarm."),
    "step": mark("Noted."),
    "hand_back": mark("You have handed the alarm back."),
    "snooze": mark("The alarm is snoozed."),
    "resolve": mark("The alarm is closed."),
    "undo": mark("Undone."),
}
"""What a person reads after it was carried out."""


class Asked:
    """The fields of any action's form."""

    def __init__(
        self,
        version: Annotated[int, Form(ge=1, le=2**31)],
        back: Annotated[str, Form(max_length=20)] = "",
        step: Annotated[str, Form(max_length=40)] = "",
        minutes: Annotated[int, Form(ge=0, le=60 * 24 * 31)] = 0,
        reason: Annotated[str, Form(max_length=1000)] = "",
        cause: Annotated[str, Form(max_length=40)] = "",
        measure: Annotated[str, Form(max_length=40)] = "",
        note: Annotated[str, Form(max_length=5000)] = "",
    ) -> None:
        self.version, self.back, self.step, self.minutes = version, back, step, minutes
        self.reason, self.cause, self.measure, self.note = reason, cause, measure, note

    def action(self, name: str, now: int) -> Action:
        """The action for the desk. Minutes count from now, on the homes' clock."""
        return Action(
            name,
            self.version,
            step=self.step,
            until=now + self.minutes * 60_000,
            reason=self.reason,
            cause=self.cause,
            measure=self.measure,
            note=self.note,
        )


@router.post("/{lang}/alarms/{number}/{name}")
async def act(
    request: Request,
    lang: Lang,
    number: Number,
    name: str,
    person: Person,
    web: Here,
    asked: Annotated[Asked, Depends()],
) -> Response:
    """Carry out one action."""
    if name not in {*ALLOWED, "undo"}:
        raise Missing
    scripted = "application/json" in request.headers.get("accept", "")
    try:
        alert = await _at_the_desk(web, number, name, person, asked, origin(request))
    except AlertError as refused:
        if isinstance(refused, NotFound):
            raise Missing from None
        says = pick(refused.says, lang)
        if scripted:
            return await _answer(web, person, lang, number, says, {}, CONFLICT)
        return await _page(request, web, person, lang, number, says)
    if not scripted:
        back = f"/{lang}/alarms" if asked.back == "list" else f"/{lang}/alarms/{number}"
        return RedirectResponse(back, status_code=303)
    return await _answer(web, person, lang, number, say(lang, DONE[name]), _undo(web, lang, name, alert))


async def _at_the_desk(
    web: Web, number: int, name: str, person: Viewer, asked: Asked, where_from: str
) -> Alert:
    if name == "undo":
        return await web.desk.undo(number, asked.version, person.actor, where_from)
    return await web.desk.act(number, asked.action(name, web.now()), person.actor, where_from)


def _undo(web: Web, lang: Language, name: str, alert: Alert) -> dict[str, Any]:
    """What the page needs to offer taking it back, for as long as that is possible (in seconds at the wall)."""
    if name not in UNDOABLE or not alert.undo:
        return {}
    seconds = (int(alert.undo.get("until", 0)) - web.now()) / 1000 / web.speed
    return {"url": f"/{lang}/alarms/{alert.id}/undo", "version": alert.version, "seconds": max(0, seconds)}


async def _answer(
    web: Web,
    person: Viewer,
    lang: Language,
    number: int,
    says: str,
    undo: dict[str, Any],
    status: int = 200,
) -> JSONResponse:
    """The sentence and the row as it now stands, the same for success and refusal."""
    scope = scope_of(person.actor)
    async with web.store.reading() as session:
        alert = await alert_in(session, scope, number)
        rows = await told(session, [alert]) if alert else []
    body: dict[str, Any] = {"says": says, "undo": undo}
    for one in rows:
        row = row_of(one, scope.redaction, lang, web.now())
        op = "del" if row.handling == "resolved" else "put"
        body["row"] = row_body(row, op, write_row(row, lang))
    return JSONResponse(body, status_code=status)


async def _page(
    request: Request, web: Web, person: Viewer, lang: Language, number: int, says: str
) -> Response:
    """The alarm's page with the sentence on it, for a browser without script."""
    shown = await panel.read(web, person, lang, number, origin(request))
    if shown is None:
        raise Missing
    async with web.store.reading() as session:
        around = await frame(session, web, person)
    return page(
        request,
        lang,
        "alarm.html",
        around,
        status=CONFLICT,
        here="alarms",
        panel=shown,
        says=says,
        heading="h1",
    )
