"""The dashboard: a notice is shown where its person is signed in at a screen.

The row, its sound and the live stream are the web process's work and come from the alert itself; this channel
knows whether anybody is there to see it, and says so. Notices of one moment ask the database together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlmodel import col, func, select

from hub.channels.channel import Delivery, Notice, NotReachedError
from hub.clock import Clock
from hub.store.centre_tables import WebSession
from hub.store.engine import Store

FRESH = 30 * 60 * 1000
"""ms since a web session last spoke; an open page speaks every few seconds."""

AWAY = {"nb": "ikke pålogget", "en": "not signed in"}


@dataclass(slots=True)
class _Question:
    """People asked for together, and how many screens each is signed in to."""

    people: set[str]
    answer: asyncio.Task[dict[str, int]]


@dataclass(slots=True)
class Dashboard:
    """Looks for a live web session of the person. wall: the machine's own time, in which sessions are kept."""

    store: Store
    wall: Clock
    name: str = "dashboard"
    _open: _Question | None = field(default=None, init=False)

    @property
    def words(self) -> Mapping[str, str]:
        """What people call it."""
        return {"nb": "skjerm", "en": "screen"}

    def reaches(self, target: str) -> bool:
        """Staff, who may be signed in; not places."""
        return bool(target) and not target.startswith("phone:")

    async def send(self, notice: Notice) -> Delivery:
        """Say on how many screens the person is signed in. Raises NotReachedError where it is none."""
        screens = (await self._ask(notice.target)).get(notice.target, 0)
        if not screens:
            raise NotReachedError(f"{notice.name} is not signed in", AWAY)
        return Delivery("shown", f"{screens} screens")

    async def _ask(self, person: str) -> dict[str, int]:
        if self._open is None:
            self._open = _Question(set(), asyncio.create_task(self._answer(), name="screens"))
        question = self._open
        question.people.add(person)
        return await asyncio.shield(question.answer)  # who gives up waiting takes nobody else's answer away

    async def _answer(self) -> dict[str, int]:
        """Wait for the others of this moment, then ask for all of them."""
        await asyncio.sleep(0)
        question, self._open = self._open, None
        assert question is not None
        now = self.wall.now()
        live = select(WebSession.staff, func.count()).where(
            col(WebSession.staff).in_(question.people),
            col(WebSession.revoked).is_(None),
            WebSession.expires > now,
            WebSession.seen > now - FRESH,
        )
        async with self.store.reading() as session:
            return dict((await session.exec(live.group_by(WebSession.staff))).all())
