"""The numbers and chains that hold just now: the municipality's own, then the rule book's, then the defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import orjson
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.centre.alerts.chains import Chain, chain_from, chain_of
from hub.registry.timers import Timers, timers_as_far_as_known
from hub.store.centre_tables import Chain as ChainRow
from hub.store.centre_tables import Municipality, StoreFact

BOOK_CHAINS = "book_chains"
"""The rule book's chains, which a centre stores at its start so that every process goes by them (StoreFact)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers and chains that hold just now. speed: of the homes' clock, by which people's steps last longer."""

    timers: Timers
    chains: dict[str, Chain] = field(default_factory=dict)
    speed: float = 1.0

    def chain(self, name: str, queue: str, urgency: str) -> Chain:
        """Whom to tell about such an alert, and when."""
        steps = chain_of(name, queue, urgency, self.chains)
        return tuple(replace(step, after=round(step.after * self.speed)) for step in steps)


async def policy_of(session: AsyncSession, fixed: Timers | None = None, speed: float = 1.0) -> Policy:
    """Read the municipality's timers and all chains; `fixed` timers come before the registry's.

    Chains of the registry come before those of the rule book. speed: how fast the homes' clock runs.
    """
    settings = (await session.exec(select(Municipality.body).where(Municipality.id == 1))).first() or {}
    timers = fixed or timers_as_far_as_known(settings.get("timers", {}))
    book = (await session.exec(select(StoreFact.value).where(StoreFact.name == BOOK_CHAINS))).first()
    chains = {name: chain_from(steps) for name, steps in orjson.loads(book or "{}").items()}
    stored = (await session.exec(select(ChainRow.id, col(ChainRow.steps)))).all()
    chains |= {name: chain_from(steps) for name, steps in stored if steps}
    return Policy(timers.paced(speed), chains, speed)


async def store_fact(session: AsyncSession, name: str, value: str) -> None:
    """Write down a fact about this centre."""
    await session.merge(StoreFact(name=name, value=value))
