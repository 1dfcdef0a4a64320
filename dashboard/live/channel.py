"""A channel: everybody with the same scope and language gets the same bytes."""

from __future__ import annotations

import asyncio
from collections import deque

from dashboard.auth.scope import Scope
from dashboard.live.board import Counts
from dashboard.look.words import Language

MOST_PENDING = 2000
"""Frames a client may lag behind before it is cut; it comes back with its cursor."""


class Client:
    """One open stream: a queue of bytes and a way to end it."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.ended = False
        self._pending: deque[bytes] = deque()
        self._news = asyncio.Event()

    def put(self, content: bytes) -> None:
        """Queue a frame; a client that lags too far behind is cut instead."""
        if self.ended:
            return
        if len(self._pending) >= MOST_PENDING:
            self._pending.clear()
            self.end()
            return
        self._pending.append(content)
        self._news.set()

    def end(self) -> None:
        """Send what is queued, then no more."""
        self.ended = True
        self._news.set()

    @property
    def empty(self) -> bool:
        """Nothing is waiting."""
        return not self._pending

    async def take(self) -> bytes:
        """Wait for frames and take all of them at once; empty at the end."""
        await self._news.wait()
        content = b"".join(self._pending)
        self._pending.clear()
        if not self.ended:
            self._news.clear()
        return content


class Channel:
    """The listeners of one scope in one language. seq: the last change sent here, never a global one (trap 16)."""

    def __init__(self, scope: Scope, language: Language, counts: Counts) -> None:
        self.scope = scope
        self.language = language
        self.counts = counts
        self.seq = 0
        self.counted = True
        self.clients: set[Client] = set()

    def send(self, content: bytes) -> None:
        """Give everybody the same bytes."""
        for client in self.clients:
            client.put(content)
