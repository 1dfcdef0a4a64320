"""One door of a home: what its lock says, unlocking it for a reason, and how far that has come (reference section 9).

A page of its own that works without script; with script the same page stands in a dialog over the alarm or the
resident. The hub decides (hub.centre.commands): who may, for what reason, how fresh the lock's word must be. What it
refuses is told with its sentence, and nothing that was chosen or written is lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dashboard.auth.cookie import may_sign_in, set_cookie
from dashboard.auth.sessions import Viewer, open_session
from dashboard.look.words import Language, mark, pick, say
from dashboard.pages import door_panel
from dashboard.pages.common import Forbidden, Here, Lang, Missing, Person, frame, origin, page
from dashboard.pages.door_panel import Asked
from dashboard.pages.looking import look
from dashboard.reads.doors import opens
from dashboard.reads.links import meant_for
from dashboard.web import Web
from hub.centre import commands
from hub.centre.access import Right
from hub.centre.alerts.refusals import AlertError, NotAllowed, NotFound, StepUp, Unacceptable
from hub.centre.sign_in import redeem
from hub.store.centre_tables import Device, Home

router = APIRouter()

NOT_THIS_LINK = mark("This link is for somebody else, has been used, or is too old.")
CHOOSE = mark("Choose why the door is to be unlocked.")
STATUS: Mapping[type[AlertError], int] = {NotAllowed: 403, StepUp: 403, Unacceptable: 422}


@router.get("/{lang}/doors/{device}")
async def show(
    request: Request,
    lang: Lang,
    device: str,
    person: Person,
    web: Here,
    alarm: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> HTMLResponse:
    """The door's page, or alone for a dialog."""
    return await _answer(request, lang, device, person, web, Asked(secrets.token_hex(12), alarm), "", 200)


@router.post("/{lang}/doors/{device}/unlock")
async def unlock(
    request: Request, lang: Lang, device: str, person: Person, web: Here, asked: Annotated[Asked, Depends()]
) -> Response:
    """Ask for the door to be unlocked; with a fresh sign-in, if one was asked for and has come along."""
    await _reach(web, device, person)
    person, secret, wrong = await _signed_in_anew(request, lang, person, web, asked)
    if wrong:
        return await _answer(request, lang, device, person, web, asked, wrong, 403, link=True)
    answer: Response
    if not asked.purpose:
        answer = await _answer(request, lang, device, person, web, asked, say(lang, CHOOSE), 422)
    else:
        answer = await _ask(request, lang, device, person, web, asked, "unlock")
    if secret:
        set_cookie(request, answer, secret)
    return answer


@router.post("/{lang}/doors/{device}/lock")
async def lock(
    request: Request, lang: Lang, device: str, person: Person, web: Here, asked: Annotated[Asked, Depends()]
) -> Response:
    """Ask for the door to be locked; that needs no reason."""
    return await _ask(request, lang, device, person, web, asked, "lock")


@router.post("/{lang}/doors/{device}/state")
async def state(
    request: Request, lang: Lang, device: str, person: Person, web: Here, asked: Annotated[Asked, Depends()]
) -> Response:
    """Ask the lock where it stands."""
    return await _ask(request, lang, device, person, web, asked, "state")


async def _ask(
    request: Request, lang: Language, device: str, person: Viewer, web: Web, asked: Asked, name: str
) -> Response:
    row, _home = await _reach(web, device, person)
    try:
        await commands.ask(web.store, web.clock, _wish(row, asked, name), person.actor, origin(request))
    except NotFound:
        raise Missing from None
    except AlertError as refused:
        says, status = pick(refused.says, lang), STATUS.get(type(refused), 409)
        again = isinstance(refused, StepUp)
        return await _answer(request, lang, device, person, web, asked, says, status, link=again)
    web.feed.nudge()
    if "alone" in request.query_params:
        fresh = Asked(secrets.token_hex(12), asked.origin, asked.purpose, asked.reason, asked.house)
        return await _answer(request, lang, device, person, web, fresh, "", 200)
    back = f"?alarm={asked.origin}" if asked.origin else ""
    return RedirectResponse(f"/{lang}/doors/{device}{back}", status_code=303)


def _wish(row: Device, asked: Asked, name: str) -> commands.Wish:
    """What the hub is asked for. The house number is asked of everybody who answers no alarm."""
    if name != "unlock":
        return commands.Wish(row.home, row.id, name, {})
    alert = asked.alert
    return commands.Wish(
        row.home,
        row.id,
        name,
        {},
        reason=asked.reason,
        alert=alert,
        purpose="" if alert is not None else asked.purpose,
        id=asked.once,
        house=None if alert is not None else asked.house,
    )


async def _signed_in_anew(
    request: Request, lang: Language, person: Viewer, web: Web, asked: Asked
) -> tuple[Viewer, str, str]:
    """The person as they are after a fresh sign-in with the link they gave; its cookie; what was wrong with it.

    The session before ends by itself: the open pages still hear their stream by it, and it is none the fresher.
    """
    token = asked.link.strip().rpartition("token=")[2].partition("&")[0]
    if not token:
        return person, "", ""
    now, sender = web.real.now(), origin(request)
    if not may_sign_in(request) or web.brake.holds(sender, now):
        return person, "", say(lang, "Too many attempts. Wait a minute.")
    async with web.store.writing() as session:
        mine = await meant_for(session, token, now) == person.actor.staff
        staff = await redeem(session, token, real=now, world=web.now(), origin=sender) if mine else None
        if staff is None:
            web.brake.failed(sender, now)
            return person, "", say(lang, NOT_THIS_LINK)
        secret = await open_session(session, staff, now, request.headers.get("user-agent", ""))
    return replace(person, actor=replace(person.actor, login_age=0.0)), secret, ""


async def _reach(web: Web, device: str, person: Viewer) -> tuple[Device, Home]:
    """The lock and its home, if this person has business there. Deny comes before does-not-exist."""
    if not person.actor.has(Right.SEE_RESIDENT):
        raise Forbidden
    async with web.store.reading() as session:
        row = await session.get(Device, device)
        home = await session.get(Home, row.home) if row else None
    if row is None or home is None or row.until is not None or not opens(row):
        raise Missing
    if not person.actor.may(Right.SEE_RESIDENT, zone=home.zone, home=home.id):
        raise Forbidden(home.id if person.actor.has(Right.EMERGENCY_ACCESS) else "")
    return row, home


async def _answer(
    request: Request,
    lang: Language,
    device: str,
    person: Viewer,
    web: Web,
    asked: Asked,
    says: str,
    status: int,
    *,
    link: bool = False,
) -> HTMLResponse:
    """The page with a sentence on it, or its inside alone."""
    row, home = await _reach(web, device, person)
    await look(web, person, origin(request), "door.read", home=home.id, subject=f"device {row.id}")
    async with web.store.reading() as session:
        around = await frame(session, web, person)
        shown = await door_panel.gather(session, row, home, person, web, lang, asked, says, link=link)
    template = "door_alone.html" if "alone" in request.query_params else "door_page.html"
    return page(
        request,
        lang,
        template,
        around,
        status=status,
        here="alarms" if asked.origin else "residents",
        shown=shown,
    )
