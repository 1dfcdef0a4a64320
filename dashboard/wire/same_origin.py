"""Refuse requests that another site makes a signed-in browser send (CSRF; dashboard reference section 21)."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
SENTENCE = "This request did not come from a page of this dashboard, so nothing was done.\n"


def is_same_origin(headers: Headers) -> bool:
    """Whether a browser vouches that one of our own pages sent this.

    Browsers send Sec-Fetch-Site to secure origins only; elsewhere Origin must name our own host.
    """
    said = headers.get("sec-fetch-site")
    if said is not None:
        return said == "same-origin"
    origin = urlsplit(headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == headers.get("host")


class SameOrigin:
    """Lets a changing request pass only if it comes from our own pages, or carries no cookie at all."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or answer 403.

        Without a cookie there is nothing to misuse: a program with a token of its own may call the API.
        """
        if scope["type"] == "http" and scope["method"] not in SAFE:
            headers = Headers(scope=scope)
            vouchable = "cookie" in headers or "authorization" not in headers
            if vouchable and not is_same_origin(headers):
                await PlainTextResponse(SENTENCE, status_code=403)(scope, receive, send)
                return
        await self.app(scope, receive, send)
