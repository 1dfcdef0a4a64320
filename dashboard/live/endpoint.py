"""`GET /{lang}/live?after=<cursor>`: the live stream of a signed-in person."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboard.live.frames import read_cursor
from dashboard.live.response import LiveResponse
from dashboard.pages.common import Here, Lang, Person

router = APIRouter()


@router.get("/{lang}/live")
async def live(request: Request, lang: Lang, person: Person, web: Here, after: str = "") -> Response:
    """Everything after a cursor, then everything new. `Last-Event-ID` wins over `after`."""
    said = request.headers.get("last-event-id") or after
    client = web.feed.join(person, lang)
    try:
        opening = await web.feed.opening(person, lang, read_cursor(said, web.feed.epoch), client)
    except BaseException:
        web.feed.leave(client)
        raise
    return LiveResponse(client, opening, web.feed.leave)
