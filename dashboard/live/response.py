"""The answer that never ends: bytes of one client's queue, written as they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dashboard.live.channel import Client

SLOWEST_WRITE = 30.0
"""Seconds a write may hang before the connection counts as dead; the browser comes back with its cursor."""

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class LiveResponse(Response):
    """Sends `opening`, then what the client's queue holds, until the browser goes or the client is ended."""

    def __init__(self, client: Client, opening: bytes, leave: Callable[[Client], None]) -> None:
        self._client, self._opening, self._leave = client, opening, leave
        self.status_code = 200
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Write until the end."""
        gone = asyncio.create_task(self._until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await self._write(send, self._opening)
            while not self._client.ended or not self._client.empty:
                await self._write(send, await self._client.take())
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (TimeoutError, OSError):
            pass
        finally:
            gone.cancel()
            self._leave(self._client)

    async def _write(self, send: Send, content: bytes) -> None:
        if content:
            async with asyncio.timeout(SLOWEST_WRITE):
                await send({"type": "http.response.body", "body": content, "more_body": True})

    async def _until_gone(self, receive: Receive) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while (await receive())["type"] != "http.disconnect":
                pass
            self._client.end()
