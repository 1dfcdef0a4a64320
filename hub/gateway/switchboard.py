"""The switchboard: one supervised task per link, started again for ever, and the way to send through them.

A link that ends or breaks comes back after a jittered wait (TR-15); what it is and was is told as
`gateway.adapter` facts, so that a radio which hears nothing is a state that somebody sees.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from drivers.device_type import Outgoing
from drivers.links.link import Hear, Link, LinkDown, LinkHealth, LinkState

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before a link that broke is started again, doubling; each is drawn from the upper half."""

STEADY = 60.0
"""Seconds a link must have run before the next break counts as the first."""

LOOK_EVERY = 0.5
"""Seconds between two looks at how the links are."""

SETTLED_AFTER = 3.0
"""Seconds a state must last before it is told: a link that is back at once was never away."""

TOLD: frozenset[LinkState] = frozenset({"up", "degraded", "down"})
"""States worth telling; the others are on the way to one of these."""

say = structlog.get_logger(__name__)

OnChange = Callable[[str, LinkHealth], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a link is to be. fingerprint: what it is made of; the same again means leave it alone.

    make: builds it; ValueError with a sentence when the settings cannot be meant.
    serves: whether it carries a device at this kind of link and address. carries: the registered devices behind it.
    """

    fingerprint: str
    make: Callable[[], Link]
    serves: Callable[[str, str], bool]
    carries: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Running:
    plan: Plan
    task: asyncio.Task[None]
    link: Link | None = None
    trouble: str = ""
    seen: LinkState = "configured"
    seen_since: float = 0.0
    told: LinkState | None = None


@dataclass(slots=True, eq=False)
class Switchboard:
    """All links of a gateway. on_change: told when a link has settled in another state."""

    hear: Hear
    on_change: OnChange
    _links: dict[str, _Running] = field(default_factory=dict)

    async def change(self, plans: Mapping[str, Plan]) -> None:
        """Bring the links into line with the plans: end what is gone or changed, start what is new."""
        for name, running in list(self._links.items()):
            if name not in plans or plans[name].fingerprint != running.plan.fingerprint:
                del self._links[name]
                await _end(running.task)
        for name, plan in plans.items():
            if name in self._links:
                self._links[name].plan = plan
            else:
                self._start(name, plan)

    async def watch(self) -> None:
        """Look after the links for ever; when cancelled, end them all."""
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY)
                for name, running in list(self._links.items()):
                    await self._look(name, running)
        finally:
            for running in self._links.values():
                running.task.cancel()
            await asyncio.gather(*(running.task for running in self._links.values()), return_exceptions=True)

    async def send(self, kind: str, address: str, outgoing: Outgoing) -> None:
        """Send to a device over the link that carries it. Raises LinkDown with a sentence."""
        for running in self._links.values():
            if running.plan.serves(kind, address):
                if running.link is None:
                    raise LinkDown(running.trouble or "the link is being started")
                await running.link.send(address, outgoing)
                return
        raise LinkDown(f"no {kind} link of this gateway carries {address!r:.100}")

    def health(self) -> dict[str, LinkHealth]:
        """How every link is now."""
        return {name: _health(running) for name, running in self._links.items()}

    def carried(self) -> dict[str, frozenset[str]]:
        """The registered devices behind every link."""
        return {name: running.plan.carries for name, running in self._links.items()}

    def _start(self, name: str, plan: Plan) -> None:
        task = asyncio.create_task(self._keep(name), name=f"link {name}")
        self._links[name] = _Running(plan, task, seen_since=_now())

    async def _keep(self, name: str) -> None:
        waits = 0
        while True:
            running = self._links[name]
            began = _now()
            try:
                running.link = running.plan.make()
                await running.link.run(self.hear)
                running.trouble = "the link ended by itself"
            except ValueError as wrong:
                running.trouble = str(wrong)
            except Exception as fault:
                running.trouble = f"the link broke: {fault!r:.300}"
                say.exception("a link broke", link=name)
            running.link = None
            waits = 0 if _now() - began > STEADY else waits + 1
            say.warning("a link is started again", link=name, why=running.trouble)
            await asyncio.sleep(
                min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(waits, 10)) * random.uniform(0.5, 1.0)
            )

    async def _look(self, name: str, running: _Running) -> None:
        health = _health(running)
        if health.state != running.seen:
            running.seen, running.seen_since = health.state, _now()
        settled = _now() - running.seen_since >= SETTLED_AFTER
        if settled and health.state in TOLD and health.state != running.told:
            running.told = health.state
            await self.on_change(name, health)


def _health(running: _Running) -> LinkHealth:
    if running.link is None:
        return LinkHealth("down" if running.trouble else "opening", reason=running.trouble)
    return running.link.health()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _now() -> float:
    return asyncio.get_running_loop().time()
