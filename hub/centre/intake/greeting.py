"""What a gateway is told at its first word: how far each of its lanes is here, not only the one it used.

A centre that was put back from a backup holds less than it once acknowledged, and a quiet lane would never hear of
it: an alarm of last night would stay unknown until the next one. So the first answer names all lanes, and the
gateway sends again what is lacking (hub.gateway.uplink). Where nothing was lost it hears what it knows. An answer may
be lost on the way, so it is given again now and then, and after every new connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.centre.intake.storing import LaneKey
from hub.centre.intake.watermark import Mark
from hub.store.centre_tables import Lane
from hub.uplink.messages import LANES

AGAIN = 900.0
"""Seconds of real time after which a gateway hears of all its lanes again."""


class Greeted:
    """Which epoch of each gateway this process has answered in full, and when. seconds: a clock nobody sets."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._epochs: dict[str, tuple[str, float]] = {}

    async def marks(self, session: AsyncSession, heard: Iterable[LaneKey]) -> dict[LaneKey, Mark]:
        """The marks of all lanes of those that were not greeted yet; 0 for a lane without entries."""
        new = {(gateway, epoch) for gateway, epoch, _ in heard if not self._is_fresh(gateway, epoch)}
        if not new:
            return {}
        wanted = select(Lane).where(tuple_(col(Lane.gateway), col(Lane.epoch)).in_(new))
        found = {
            (row.gateway, row.epoch, row.lane): Mark(row.upto, row.gap_since)
            for row in (await session.exec(wanted)).all()
        }
        keys = [(gateway, epoch, lane) for gateway, epoch in new for lane in LANES]
        return {key: found.get(key, Mark()) for key in keys}

    def done(self, marks: Iterable[LaneKey]) -> None:
        """These were committed, and their acknowledgements are on their way."""
        now = self._seconds()
        self._epochs |= {
            gateway: (epoch, now) for gateway, epoch, _ in marks if not self._is_fresh(gateway, epoch)
        }

    def forget(self) -> None:
        """A new connection: what was on its way may be lost."""
        self._epochs.clear()

    def _is_fresh(self, gateway: str, epoch: str) -> bool:
        known, at = self._epochs.get(gateway, ("", 0.0))
        return known == epoch and self._seconds() - at < AGAIN
