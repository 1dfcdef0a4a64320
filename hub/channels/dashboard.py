"""The dashboard: a notice is shown where its person is signed in at a screen.

The row, its sound and the live stream are the web process's work and come from the alert itself; this channel
knows whether anybody is there to see it, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import col, select

from hub.channels.channel import Delivery, Notice, NotReachedError
from hub.clock import Clock
from hub.store.centre_tables import WebSession
from hub.store.engine import Store

FRESH = 30 * 60 * 1000
"""ms since a web session last spoke; an open page speaks every few seconds."""

AWAY = {"nb": "ikke pålogget", "en": "not signed in"}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Looks for a live web session of the person. wall: the machine's own time, in which sessions are kept."""

    store: Store
    wall: Clock
    name: str = "dashboard"

    @property
    def words(self) -> Mapping[str, str]:
        """What people call it."""
        return {"nb": "skjerm", "en": "screen"}

    def reaches(self, target: str) -> bool:
        """Staff, who may be signed in; not places."""
        return bool(target) and not target.startswith("phone:")

    async def send(self, notice: Notice) -> Delivery:
        """Say on how many screens the person is signed in. Raises NotReachedError where it is none."""
        now = self.wall.now()
        live = select(WebSession.id).where(
            WebSession.staff == notice.target,
            col(WebSession.revoked).is_(None),
            WebSession.expires > now,
            WebSession.seen > now - FRESH,
        )
        async with self.store.reading() as session:
            screens = len((await session.exec(live)).all())
        if not screens:
            raise NotReachedError(f"{notice.name} is not signed in", AWAY)
        return Delivery("shown", f"{screens} screens")
