"""The stream's frames as bytes: protocol v1 of reference section 20."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

RETRY = b"retry: 1000\n\n"
BYE = b"event: bye\ndata: {}\n\n"
AUTH = b"event: auth\ndata: {}\n\n"
FULL = b"event: full\ndata: {}\n\n"


def frame(event: str, body: Mapping[str, Any], identity: str = "") -> bytes:
    """One event. identity: the cursor a browser comes back with, `<epoch>-<seq>`."""
    head = f"id: {identity}\n" if identity else ""
    return f"{head}event: {event}\ndata: ".encode() + orjson.dumps(body) + b"\n\n"


def cursor_text(epoch: str, seq: int) -> str:
    """A place in the stream of one database."""
    return f"{epoch}-{seq}"


def read_cursor(text: str | None, epoch: str) -> int | None:
    """The place a browser names, or None if it is of another database or not readable."""
    said, _, number = (text or "").rpartition("-")
    if said != epoch or not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return int(number)
