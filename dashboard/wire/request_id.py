"""A short id for each request: in the log, in the answer's head, and in the text of an error page."""

from __future__ import annotations

import secrets

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without the characters that are misheard or misread on the telephone."""


def new_id() -> str:
    """Seven characters a nurse can read out."""
    return "".join(secrets.choice(ALPHABET) for _ in range(7))


class RequestId:
    """Gives each request its id, in `scope["state"]["request_id"]`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity = new_id()
        scope.setdefault("state", {})["request_id"] = identity

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = identity
            await send(message)

        with structlog.contextvars.bound_contextvars(request=identity):
            await self.app(scope, receive, with_id)
