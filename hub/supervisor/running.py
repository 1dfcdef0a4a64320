"""Start everything in order, keep it alive, stop it in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from hub.broker.check import NEEDED, Logins, check
from hub.supervisor import plan, world
from hub.supervisor.asking import links_of
from hub.supervisor.child import Child, Spec
from hub.supervisor.folder import DataFolder
from hub.supervisor.plan import Stage

LINKS_WITHIN = 30.0
"""Seconds after the homes are there that their world waits at most for the links to them."""

PATIENCE = 20.0
"""Seconds after which a child that is not ready is mentioned; it is waited for longer."""

STOP_ORDER = (("simulators", "web"), ("gateway",), ("bluez", "centre"), ("broker",))
"""Beginnings of names, first what asks, last what carries: so every outbox can empty itself on the way down."""

Say = Callable[[str], None]


class BrokerUnfit(Exception):  # noqa: N818  it says what is so
    """The broker lacks something that nothing works without."""


@dataclass(slots=True)
class Running:
    """All children of one run. told: asked to stop. on_ready: called once, in a thread, when everything answers."""

    stage: Stage
    folder: DataFolder
    say: Say
    on_ready: Callable[[], None]
    children: dict[str, Child] = field(default_factory=dict)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until told to stop. Raises ChildFailed or BrokerUnfit when it makes no sense to go on."""
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, self._asked)
        work = asyncio.create_task(self._everything())
        asked = asyncio.create_task(self.told.wait())
        try:
            await asyncio.wait((work, asked), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._stop()
            work.cancel()
            asked.cancel()
            outcome = (await asyncio.gather(work, return_exceptions=True))[0]
        if isinstance(outcome, BaseExceptionGroup):
            outcome = outcome.exceptions[0]
        if isinstance(outcome, Exception):
            raise outcome

    async def _everything(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            if self.stage.clock is not None:
                tasks.create_task(world.keep_noting(self.folder.clock, self.stage.clock))
            if command := tuple(self.stage.broker.prepare()):
                await self._start(tasks, plan.broker(self.stage, command))
            await self._look_at_broker()
            plan.homes_there(self.stage.root).unlink(missing_ok=True)
            for together in plan.in_order(self.stage):
                await self._start(tasks, *together)
            await self._let_the_world_move()
            await asyncio.to_thread(self.on_ready)

    async def _start(self, tasks: asyncio.TaskGroup, *specs: Spec) -> None:
        """Start these together and wait until all are ready."""
        begun = [Child(spec, self.folder.logs / f"{spec.name}.log", self.say) for spec in specs]
        for child in begun:
            self.children[child.spec.name] = child
            tasks.create_task(child.keep())
        for child in begun:
            await self._await_ready(child)

    async def _await_ready(self, child: Child) -> None:
        while not child.ready.is_set():
            try:
                async with asyncio.timeout(PATIENCE):
                    await child.await_ready()
            except TimeoutError:
                self.say(f"{child.spec.name} is not ready after {PATIENCE:g} s; its log is {child.log_path}")

    async def _let_the_world_move(self) -> None:
        """The day begins when every gateway hears its devices, or after a while without those that do not come."""
        gate = self.stage.clock.gate if self.stage.clock is not None else None
        if gate is None:
            return
        gateways = {box.id: self.stage.memory.ports[box.process] for box in self.stage.boxes}
        shut = [*gateways]
        try:
            async with asyncio.timeout(LINKS_WITHIN):
                while shut := [one for one in shut if not await self._hears(gateways[one])]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            self.say(f"after {LINKS_WITHIN:g} s {', '.join(shut)} does not hear every device; the day begins")
        gate.open()

    async def _hears(self, port: int) -> bool:
        """Whether all links of a gateway are open; one whose radio or line has a fault is open."""
        links = await links_of(port)
        return bool(links) and all(state in {"up", "degraded"} for state in links.values())

    async def _look_at_broker(self) -> None:
        broker, gateway = self.stage.broker, self.stage.memory.gateway
        trial = Logins(broker.url(self.stage.gateway_login), broker.url("centre"), gateway)
        lacks = await asyncio.to_thread(check, trial)
        for lack in lacks:
            self.say(lack.sentence)
        if unfit := [lack for lack in lacks if lack.point in NEEDED]:
            raise BrokerUnfit(unfit[0].sentence)

    def _asked(self) -> None:
        """Asked to stop; asked again: at once."""
        if self.told.is_set():
            for child in self.children.values():
                child.kill()
        else:
            self.say("stopping")
        self.told.set()

    async def _stop(self) -> None:
        if self.stage.listener is not None:
            self.stage.listener.close()  # nobody shall wait for an answer that does not come
        for names in STOP_ORDER:
            going = [one for name, one in self.children.items() if name.startswith(names)]
            await asyncio.gather(*(child.stop() for child in going))
