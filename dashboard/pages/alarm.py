"""S2, one alarm: as a page of its own, and as the panel alone."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from dashboard.pages import panel
from dashboard.pages.common import Here, Lang, Missing, Number, Person, frame, origin, page

router = APIRouter()


@router.get("/{lang}/alarms/{number}")
async def alarm(request: Request, lang: Lang, number: Number, person: Person, web: Here) -> HTMLResponse:
    """The page of one alarm."""
    return await _show(request, lang, number, person, web, "alarm.html", "h1")


@router.get("/{lang}/alarms/{number}/panel")
async def alone(request: Request, lang: Lang, number: Number, person: Person, web: Here) -> HTMLResponse:
    """The panel alone: beside the list, or in place of itself when something changed."""
    heading = "h1" if request.query_params.get("heading") == "h1" else "h2"
    return await _show(request, lang, number, person, web, "panel_alone.html", heading)


async def _show(
    request: Request, lang: Lang, number: Number, person: Person, web: Here, template: str, heading: str
) -> HTMLResponse:
    shown = await panel.read(web, person, lang, number, origin(request))
    if shown is None:
        raise Missing
    async with web.store.reading() as session:
        around = await frame(session, web, person)
    return page(request, lang, template, around, here="alarms", panel=shown, says="", heading=heading)
