"""My page: language, sound test, screen, my sessions, sign out; staying signed in; and the help page."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from sqlmodel import col, select
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from dashboard.auth import sessions
from dashboard.auth.cookie import clear_cookie
from dashboard.look.moments import Moment, moment
from dashboard.look.words import mark, say
from dashboard.pages.common import Here, Lang, Person, frame, origin, page
from hub.centre import audit
from hub.store.centre_tables import Zone

router = APIRouter()

ROLES = {
    "carer": mark("Care worker"),
    "nurse": mark("Nurse"),
    "coordinator": mark("Coordinator"),
    "technician": mark("Technician"),
    "auditor": mark("Auditor"),
    "kiosk": mark("Wall screen"),
    "admin": mark("Administrator"),
}
MEANINGS = {
    "p1": mark("A life may depend on it. Sounds until somebody has taken it."),
    "p2": mark("Somebody must act soon. Sounds now and then."),
    "p3": mark("To be dealt with during the shift. Sounds once."),
    "tech": mark("Equipment that needs care. No sound."),
}


@dataclass(frozen=True, slots=True)
class SessionShown:
    """One of my sessions."""

    id: str
    agent: str
    created: Moment
    this: bool


BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari")
SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
CALLED = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "macOS"}


def browser_of(agent: str) -> str:
    """`Firefox, Windows`: enough to know one's own devices by; empty if nothing is known."""
    found = [next((one for one in known if one in agent), "") for known in (BROWSERS, SYSTEMS)]
    return ", ".join(CALLED.get(one, one) for one in found if one)


@router.get("/{lang}/me")
async def me(request: Request, lang: Lang, person: Person, web: Here) -> HTMLResponse:
    """My page."""
    real = web.real.now()
    async with web.store.reading() as session:
        around = await frame(session, web, person)
        mine = await sessions.open_sessions(session, person.actor.staff, real)
        zones = (await session.exec(select(Zone.name).where(col(Zone.id).in_(person.actor.zones)))).all()
    tz = around.place.tz
    shown = [
        SessionShown(
            row.id, browser_of(row.agent), moment(row.created, real, tz, lang), row.id == person.session
        )
        for row in mine
    ]
    return page(
        request,
        lang,
        "me.html",
        around,
        here="me",
        sessions=shown,
        zones=sorted(zones),
        roles=[say(lang, ROLES[role]) for role in sorted(person.actor.roles) if role in ROLES],
    )


@router.post("/{lang}/me/sessions/{identity}/end")
async def end(request: Request, lang: Lang, identity: str, person: Person, web: Here) -> Response:
    """End one of my own sessions, on a telephone left behind for instance."""
    async with web.store.writing() as session:
        await sessions.revoke(session, identity, person.actor.staff, web.real.now())
        await audit.write(
            session,
            audit.Deed(
                at=web.now(),
                actor=person.actor.staff,
                action="session.end",
                subject=f"session {identity[:12]}",
                origin=origin(request),
            ),
        )
    return RedirectResponse(f"/{lang}/me", status_code=303)


@router.post("/{lang}/me/stay")
async def stay(lang: Lang, person: Person, web: Here) -> JSONResponse:  # noqa: ARG001  the address has a language
    """Draw the session out by half an hour."""
    async with web.store.writing() as session:
        await sessions.extend(session, person, web.real.now())
    return JSONResponse({})


@router.post("/{lang}/sign-out")
async def sign_out(request: Request, lang: Lang, person: Person, web: Here) -> Response:
    """End this session."""
    async with web.store.writing() as session:
        await sessions.revoke(session, person.session, person.actor.staff, web.real.now())
        await audit.write(
            session,
            audit.Deed(
                at=web.now(), actor=person.actor.staff, action="session.sign_out", origin=origin(request)
            ),
        )
    answer = RedirectResponse(f"/{lang}/sign-in", status_code=303)
    clear_cookie(request, answer)
    return answer


@router.get("/{lang}/about")
async def about(request: Request, lang: Lang, person: Person, web: Here) -> HTMLResponse:
    """Help, keyboard, accessibility."""
    async with web.store.reading() as session:
        around = await frame(session, web, person)
    meanings = {tier: say(lang, text) for tier, text in MEANINGS.items()}
    return page(request, lang, "about.html", around, here="about", meanings=meanings)
