"""What all pages share: the signed-in person, the language of the address, and the frame around the content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Path, Request
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import HTMLResponse

from dashboard.auth import sessions
from dashboard.auth.cookie import read_cookie
from dashboard.auth.scope import Scope, scope_of
from dashboard.auth.sessions import Viewer
from dashboard.live.board import Counts, Mark, count, read_marks
from dashboard.live.frames import cursor_text
from dashboard.look.paint import paint
from dashboard.look.texts import script_texts
from dashboard.look.words import Language
from dashboard.reads.alerts import cursor, within
from dashboard.reads.place import Place, epoch, place
from dashboard.web import Web, web_of
from drivers.events import Millis
from hub.centre.access import Right

Lang = Annotated[Language, Path()]
Number = Annotated[int, Path(ge=1, le=2**53)]
"""An alert's number in an address; a larger one is nobody's, and no database takes it."""
MOST_MARKS = 500
"""Open alarms whose marks a page carries for its sound; the loudest come first."""


class SignedOut(Exception):  # noqa: N818  an answer, not a fault
    """Nobody is signed in: the request is sent to the sign-in page."""


class Forbidden(Exception):  # noqa: N818  an answer, not a fault
    """A person may not see something. home: of a resident they could open with a stated reason."""

    def __init__(self, home: str = "") -> None:
        super().__init__(home)
        self.home = home


class Missing(Exception):  # noqa: N818  an answer, not a fault
    """There is no such thing for this person."""


async def signed_in(request: Request) -> Viewer:
    """The person whose browser this is. Raises SignedOut."""
    return await person_behind(web_of(request), request)


async def person_behind(web: Web, request: Request) -> Viewer:
    """The person of a request's web session. Raises SignedOut."""
    secret = read_cookie(request)
    if secret is None:
        raise SignedOut
    identity, now = sessions.hashed(secret), web.real.now()
    async with web.store.reading() as session:
        viewer = (await sessions.viewers(session, [identity], now, web.now())).get(identity)
    if viewer is None:
        raise SignedOut
    if viewer.due_to_be_marked(now):
        async with web.store.writing() as session:
            await sessions.mark_seen(session, [identity], now)
    return viewer


Person = Annotated[Viewer, Depends(signed_in)]
Here = Annotated[Web, Depends(web_of)]


def origin(request: Request) -> str:
    """Where a request came from, for the audit trail."""
    return f"web {request.client.host}" if request.client else "web"


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame around a page shows, and what live.js starts from. marks: all open alerts, in list order."""

    viewer: Viewer
    scope: Scope
    place: Place
    now: Millis
    speed: float
    cursor: str
    counts: Counts
    marks: tuple[Mark, ...]
    rights: frozenset[Right]

    def may(self, right: str) -> bool:
        """Whether the person has a right, by its name."""
        return Right[right] in self.rights

    def board(self, language: Language) -> dict[str, Any]:
        """The page's starting point for live.js."""
        return {
            "cursor": self.cursor,
            "counts": self.counts.as_json(),
            "marks": [mark.as_list() for mark in self.marks[:MOST_MARKS]],
            "me": self.viewer.actor.staff,
            "lang": language,
            "t": self.now,
            "speed": self.speed,
            "duty": self.place.duty_phone,
            "tz": self.place.tz,
            "texts": script_texts(language),
        }


async def frame(session: AsyncSession, web: Web, viewer: Viewer) -> Frame:
    """Read what the frame needs. The cursor comes first: a repeated change is harmless, a missed one is not."""
    scope = scope_of(viewer.actor)
    at = cursor_text(await epoch(session), await cursor(session))
    marks = sorted(await read_marks(session, within(scope)), key=lambda mark: (not mark.listed, mark.key))
    return Frame(
        viewer=viewer,
        scope=scope,
        place=await place(session),
        now=web.now(),
        speed=web.speed,
        cursor=at,
        counts=count(marks),
        marks=tuple(marks),
        rights=viewer.actor.rights,
    )


def page(
    request: Request,
    language: Language,
    template: str,
    around: Frame,
    *,
    status: int = 200,
    here: str = "",
    **context: Any,
) -> HTMLResponse:
    """A whole page, or a fragment of one, for a signed-in person. here: the entry of the menu it belongs to."""
    content = paint(
        language, template, frame=around, here=here, other_language=in_other_language(request), **context
    )
    return HTMLResponse(content, status_code=status)


def in_other_language(request: Request) -> str:
    """The address of this page in the other language."""
    path = request.url.path
    other = {"/nb/": "/en/", "/en/": "/nb/"}.get(path[:4])
    moved = f"{other}{path[4:]}" if other else path
    return f"{moved}?{request.url.query}" if request.url.query else moved


def link_with(request: Request, **changes: str | None) -> str:
    """The page's own address with some words of its query changed; None takes a word out."""
    words: Mapping[str, str | None] = {**request.query_params, **changes}
    query = urlencode({name: value for name, value in words.items() if value is not None})
    return f"{request.url.path}?{query}" if query else request.url.path
