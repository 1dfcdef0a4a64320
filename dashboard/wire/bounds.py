"""No form of ours is large: a body beyond the bound is refused before anybody reads it."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 256 * 1024
"""Bytes; the largest honest request is a note of 500 characters, or an API order."""


class TooLarge(Exception):  # noqa: N818  # a verdict on a request, turned into an answer below
    """The body grew beyond the bound while it was read."""


class BodyBound:
    """Answers 413 to a request whose body is, or turns out to be, larger than the bound."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on while counting the bytes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _declared(Headers(scope=scope)) > LARGEST_BODY:
            await _refusal()(scope, receive, send)
            return
        seen = 0
        begun = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > LARGEST_BODY:
                raise TooLarge
            return message

        async def noticed(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, counted, noticed)
        except TooLarge:
            if begun:
                raise
            await _refusal()(scope, receive, send)


def _declared(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else LARGEST_BODY + 1


def _refusal() -> PlainTextResponse:
    return PlainTextResponse(
        f"The request is too large; at most {LARGEST_BODY} bytes are accepted.\n", status_code=413
    )
