"""A small HTTP answerer for /healthz, /readyz and /metrics on the loopback address; GET only, nothing is read in.

Written out because a web server would cost a gateway box more memory than the rest of its program.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import orjson
import structlog

READ_WITHIN = 5.0
"""Seconds a client may take to say what it wants."""

LONGEST_REQUEST = 8192
"""Bytes of request line and headers."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before a port that is taken is tried again, doubling; each is drawn from the upper half."""

AT_ONCE = 16
"""Clients answered at the same time."""


say = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers."""

    status: HTTPStatus
    body: bytes
    content_type: str = "application/json"

    @classmethod
    def json(cls, value: object, *, ok: bool = True) -> Answer:
        """A JSON document; 503 where something is not well."""
        return cls(HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE, orjson.dumps(value))


Pages = dict[str, Callable[[], Answer]]


async def serve_always(port: int, pages: Pages) -> None:
    """Answer until cancelled; while somebody else has the port, say so in one sentence and try again."""
    waits = 0
    while True:
        try:
            await serve(port, pages)
        except OSError as taken:
            why = os.strerror(taken.errno) if taken.errno else str(taken)
            say.error(f"the pages for watching cannot be shown on 127.0.0.1:{port}: {why}; all else goes on")
        await asyncio.sleep(min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(waits, 10)) * random.uniform(0.5, 1.0))
        waits += 1


async def serve(port: int, pages: Pages) -> None:
    """Answer on 127.0.0.1 until cancelled. Raises OSError when the port is taken."""
    places = asyncio.Semaphore(AT_ONCE)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with places, asyncio.timeout(READ_WITHIN):
                answer = _answer(await reader.readuntil(b"\r\n\r\n"), pages)
                writer.write(_wire(answer))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", port, limit=LONGEST_REQUEST)
    async with server:
        await server.serve_forever()


def _answer(request: bytes, pages: Pages) -> Answer:
    words = request.split(b"\r\n", 1)[0].split(b" ")
    if len(words) != 3 or words[0] not in {b"GET", b"HEAD"}:
        return Answer(HTTPStatus.BAD_REQUEST, b'{"error": "expected GET"}')
    page = pages.get(words[1].split(b"?", 1)[0].decode("ascii", "replace"))
    if page is None:
        return Answer(HTTPStatus.NOT_FOUND, orjson.dumps({"error": f"there are {', '.join(pages)}"}))
    answer = page()
    return Answer(answer.status, b"", answer.content_type) if words[0] == b"HEAD" else answer


def _wire(answer: Answer) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + answer.body
