"""What a person reads when something does not work: always a way on, and the duty phone (reference section 8)."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from dashboard.look.paint import paint
from dashboard.look.words import LANGUAGES, Language, preferred, say
from dashboard.pages.common import Forbidden, Missing, SignedOut, in_other_language
from dashboard.reads.place import place
from dashboard.web import web_of

NOT_SIGNED_IN = {"nb": "Logg inn først.", "en": "Sign in first."}
"""For programs, which are told in both languages, as the JSON interface does."""


def language_of(request: Request) -> Language:
    """The language of the address, else the one the browser asks for."""
    first = request.url.path.strip("/").partition("/")[0]
    for one in LANGUAGES:
        if first == one:
            return one
    return preferred(request.headers.get("accept-language", ""))


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer: a script asks for JSON or carries its own mark."""
    scripted = "hx-request" in request.headers or request.url.path.startswith("/api/")
    return "text/html" in request.headers.get("accept", "") and not scripted


def from_form(request: Request) -> bool:
    """Whether a form was sent without script: whatever such a browser accepts, a person reads the answer."""
    scripted = "hx-request" in request.headers or "application/json" in request.headers.get("accept", "")
    return request.method == "POST" and not scripted and not request.url.path.startswith("/api/")


async def door(
    request: Request,
    title: str,
    texts: list[str],
    *,
    status: int,
    token: str = "",
    button: str = "",
    emergency: str = "",
    links: list[tuple[str, str]] | None = None,
) -> HTMLResponse:
    """A page outside the frame: sign-in, and all errors. token, button: of a link that may be used, and its words."""
    language = language_of(request)
    content = paint(
        language,
        "door.html",
        title=title,
        texts=texts,
        token=token,
        button=button,
        emergency=emergency,
        links=links or [],
        other_language=in_other_language(request),
        duty_phone=await duty_phone(request),
    )
    return HTMLResponse(content, status_code=status)


async def duty_phone(request: Request) -> str:
    """The number that is always answered; an error page must come even when the database does not answer."""
    try:
        async with web_of(request).store.reading() as session:
            return (await place(session)).duty_phone
    except Exception:
        return ""


async def signed_out(request: Request, _error: Exception) -> Response:
    """Nobody is signed in: people to the sign-in page, programs a plain 401."""
    if not wants_page(request):
        away = {"HX-Redirect": f"/{language_of(request)}/sign-in"}
        return JSONResponse({"says": NOT_SIGNED_IN}, status_code=401, headers=away)
    return RedirectResponse(f"/{language_of(request)}/sign-in", status_code=303)


async def forbidden(request: Request, error: Exception) -> Response:
    """403, with emergency access for those who may ask for it."""
    language = language_of(request)
    home = error.home if isinstance(error, Forbidden) else ""
    if not wants_page(request):
        return JSONResponse({"says": say(language, "You do not have access to this.")}, status_code=403)
    title = (
        say(language, "You do not have access to this resident. Emergency access?")
        if home
        else say(language, "You do not have access to this.")
    )
    return await door(
        request,
        title,
        [],
        status=403,
        emergency=home,
        links=[(say(language, "To the alarms"), f"/{language}/alarms")],
    )


async def missing(request: Request, _error: Exception) -> Response:
    """404."""
    language = language_of(request)
    if not wants_page(request):
        return JSONResponse({"says": say(language, "There is no such page.")}, status_code=404)
    return await door(
        request,
        say(language, "There is no such page."),
        [say(language, "It may have been closed, or lie outside your zones.")],
        status=404,
        links=[(say(language, "To the alarms"), f"/{language}/alarms")],
    )


async def not_understood(request: Request, _error: Exception) -> Response:
    """A form or address that makes no sense: 404 for a page, 422 for what a form or script sent."""
    if request.method == "GET":
        return await missing(request, _error)
    language = language_of(request)
    says = say(language, "The form was not understood. Nothing was done.")
    if not (wants_page(request) or from_form(request)):
        return JSONResponse({"says": says}, status_code=422)
    links = [(say(language, "To the alarms"), f"/{language}/alarms")]
    return await door(request, says, [], status=422, links=links)


async def http_error(request: Request, error: Exception) -> Response:
    """Errors of the framework itself: unknown address, wrong method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if request.url.path.startswith("/api/"):
        detail = error.detail if isinstance(error, HTTPException) else ""
        return JSONResponse({"detail": detail}, status_code=status)
    if status == 404:
        return await missing(request, error)
    language = language_of(request)
    says = say(language, "This cannot be done here.")
    if not wants_page(request):
        return JSONResponse({"says": says}, status_code=status)
    links = [(say(language, "To the alarms"), f"/{language}/alarms")]
    return await door(request, says, [], status=status, links=links)


async def fault(request: Request, error: Exception) -> Response:
    """500: something of ours broke. The code on the page is the one in the log."""
    language = language_of(request)
    code = str(request.scope.get("state", {}).get("request_id", "–"))
    structlog.get_logger().exception("a request failed", request=code, exc_info=error)
    says = say(language, "Something went wrong. Error %(id)s.", id=code)
    if not wants_page(request):
        return JSONResponse({"says": says}, status_code=500)
    links = [(say(language, "To the alarms"), f"/{language}/alarms")]
    return await door(request, says, [], status=500, links=links)


def install(app: FastAPI) -> None:
    """Give the application its error pages."""
    app.add_exception_handler(SignedOut, signed_out)
    app.add_exception_handler(Forbidden, forbidden)
    app.add_exception_handler(Missing, missing)
    app.add_exception_handler(RequestValidationError, not_understood)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, fault)
