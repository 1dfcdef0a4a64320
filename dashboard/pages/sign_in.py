"""Sign-in by a one-time link. Opening the link only shows a button: a mail scanner or a preview must not use it up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dashboard.auth.cookie import may_sign_in, set_cookie
from dashboard.auth.sessions import open_session
from dashboard.look.words import Language, say
from dashboard.pages import errors
from dashboard.pages.common import Forbidden, Here, Lang, Missing, Person, SignedOut, origin, signed_in
from dashboard.reads.links import whose
from dashboard.reads.place import place
from dashboard.web import Web
from hub.centre import audit
from hub.centre.access import Right
from hub.centre.sign_in import redeem
from hub.registry.timers import timers_as_far_as_known
from hub.store.centre_tables import EmergencyAccess, Home

router = APIRouter()
LONGEST_TOKEN = 200


@router.get("/{lang}/sign-in")
async def ask(request: Request, lang: Lang, web: Here, token: str = "") -> Response:
    """The page behind a link: one button with a name on it. Without a good link it says where to get one."""
    if not may_sign_in(request):
        return await errors.door(
            request,
            say(lang, "Sign in"),
            [say(lang, "Signing in needs an encrypted connection (https).")],
            status=403,
        )
    if token:
        return await _behind_link(request, lang, web, token)
    try:
        await signed_in(request)
    except SignedOut:
        return await _without_link(request, lang, 200)
    return RedirectResponse(f"/{lang}/alarms", status_code=303)


@router.post("/{lang}/sign-in")
async def use(
    request: Request, lang: Lang, web: Here, token: Annotated[str, Form(max_length=LONGEST_TOKEN)]
) -> Response:
    """Use the link up and begin a web session."""
    now, sender = web.real.now(), origin(request)
    if not may_sign_in(request):
        raise Forbidden
    if web.brake.holds(sender, now):
        says = say(lang, "Too many attempts. Wait a minute.")
        return await errors.door(request, says, [], status=429)
    async with web.store.writing() as session:
        staff = await redeem(session, token, real=now, world=web.now(), origin=sender)
        agent = request.headers.get("user-agent", "")
        secret = await open_session(session, staff, now, agent) if staff else ""
    if not secret:
        web.brake.failed(sender, now)
        return await _without_link(request, lang, 403, say(lang, "This link has been used or is too old."))
    answer = RedirectResponse(f"/{lang}/alarms", status_code=303)
    set_cookie(request, answer, secret)
    return answer


async def _behind_link(request: Request, lang: Language, web: Web, token: str) -> HTMLResponse:
    async with web.store.reading() as session:
        name = await whose(session, token, web.real.now()) if len(token) <= LONGEST_TOKEN else ""
    if not name:
        return await _without_link(request, lang, 200, say(lang, "This link has been used or is too old."))
    button = say(lang, "Sign in as %(name)s", name=name)
    return await errors.door(request, say(lang, "Sign in"), [], status=200, token=token, button=button)


async def _without_link(request: Request, lang: Language, status: int, first: str = "") -> HTMLResponse:
    more = say(
        lang,
        "You sign in with a one-time link. Ask your shift leader, or make one on the server: trygghub sign-in-link.",
    )
    return await errors.door(
        request, say(lang, "Sign in"), [text for text in (first, more) if text], status=status
    )


@router.post("/{lang}/emergency/{home}")
async def emergency(
    request: Request,
    lang: Lang,
    home: str,
    person: Person,
    web: Here,
    reason: Annotated[str, Form(min_length=3, max_length=200)],
) -> Response:
    """Open a home outside one's zones, with a stated reason, for the rest of a shift. It is audited."""
    if not person.actor.has(Right.EMERGENCY_ACCESS) or not reason.strip():
        raise Forbidden
    await _grant(web, person.actor.staff, home, reason.strip(), origin(request))
    return RedirectResponse(f"/{lang}/residents", status_code=303)


async def _grant(web: Web, staff: str, home: str, reason: str, where_from: str) -> None:
    now = web.now()
    async with web.store.writing() as session:
        if await session.get(Home, home) is None:
            raise Missing
        seconds = timers_as_far_as_known((await place(session)).timers).emergency
        session.add(
            EmergencyAccess(staff=staff, home=home, reason=reason, at=now, until=now + seconds * 1000)
        )
        deed = audit.Deed(
            at=now, actor=staff, action="access.emergency", home=home, why=reason, origin=where_from
        )
        await audit.write(session, deed)
