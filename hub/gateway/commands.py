"""Orders from the centre and of rules: written down, carried out once, in time or not at all, always answered (TR-14).

An order is committed as under way before a byte leaves for the device; a restart in between ends it as failed
with an honest "not known", since an unlock that is repeated minutes later opens a door nobody watches.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from drivers.device_type import Command, Outgoing
from drivers.events import Millis, iso
from drivers.links.link import LinkDown
from hub.clock import Clock
from hub.gateway import orders, unanswered
from hub.gateway.journal import Appended, Noted
from hub.gateway.orders import Outcome
from hub.gateway.roll import Assigned, Roll
from hub.store.errors import StoreError
from hub.store.writer import Writer
from hub.uplink.messages import LaneName, Order

MOST_AT_ONCE = 64
"""Orders under way together; more are refused, since no home asks for so much."""

say = structlog.get_logger(__name__)

Send = Callable[[str, str, Outgoing], Awaitable[None]]


class RefusedError(ValueError):
    """An order that is not carried out, and why."""


@dataclass(slots=True, eq=False)
class Commands:
    """Carries out orders. send: to a device over its link. after: told of lanes with new entries.

    noted: told of the event that a bolt is unknown, after an opening that nobody answered.
    """

    writer: Writer
    clock: Clock
    roll: Callable[[], Roll]
    send: Send
    after: Callable[[Iterable[LaneName]], None]
    noted: Callable[[Noted], None] = lambda _noted: None
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _answered: dict[str, asyncio.Event] = field(default_factory=dict)

    async def start(self) -> None:
        """End what a restart cut off."""
        now = self.clock.now()
        ended, unknown = await self.writer.write(lambda db: _cut_off(db, now))
        self.after({line.lane for line in ended})
        for noted in unknown:
            self.noted(noted)

    async def take(self, order: Order) -> None:
        """Take an order from the centre: returns when it is written down; the rest goes on by itself.

        A second delivery of the same id changes nothing.
        """
        now = self.clock.now()
        if await self.writer.write(lambda db: orders.begin(db, order, now)):
            self.carry_out(order)

    def carry_out(self, order: Order) -> None:
        """Start on an order that is written down as under way."""
        say.info("order", id=order.id, device=order.device, name=order.name, asked_by=order.asked_by)
        self._answered[order.id] = asyncio.Event()
        task = asyncio.create_task(self._carry_out(order), name=f"order {order.id}")
        self._under_way[order.id] = task
        task.add_done_callback(lambda _done: self._forget(order.id))

    def answered(self, command: str) -> None:
        """A device's answer to this command is in the journal."""
        event = self._answered.get(command)
        if event is not None:
            event.set()

    async def close(self) -> None:
        """Stop waiting for answers; the next start says honestly what is not known."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _carry_out(self, order: Order) -> None:
        try:
            self._find_room()
            device = self._device(order)
            outgoing = self._encode(order, device)
            late = self.clock.now() - order.expires
            if late >= 0:
                await self._settle(
                    Outcome(order.id, "expired", f"it was to be done before {iso(order.expires)}")
                )
                return
            await self.send(device.part.link, device.part.address, outgoing)
            await self._wait_for_answer(order, outgoing)
        except RefusedError as why:
            await self._settle(Outcome(order.id, "refused", str(why)))
        except LinkDown as down:
            await self._settle(Outcome(order.id, "failed", f"the device could not be reached: {down.reason}"))
        except Exception as fault:
            say.exception("an order broke", id=order.id)
            await self._settle(Outcome(order.id, "failed", f"carrying it out broke: {fault!r:.200}"))

    def _find_room(self) -> None:
        if len(self._under_way) > MOST_AT_ONCE:
            raise RefusedError(f"{MOST_AT_ONCE} orders are under way already")

    def _device(self, order: Order) -> Assigned:
        device = self.roll().devices.get(order.device)
        if device is None or device.home != order.home:
            raise RefusedError(
                f"no device {order.device!r} in the home {order.home!r} is served by this gateway"
            )
        if not device.is_assigned(self.clock.now()):
            raise RefusedError(f"{order.device!r} is not assigned to a home now")
        known = device.type.commands.get(order.name)
        if known is None:
            names = ", ".join(device.type.commands) or "none"
            raise RefusedError(f"a {device.type.id} takes no command {order.name!r}; it takes {names}")
        strange = sorted(set(order.args) - set(known))
        if strange:
            raise RefusedError(f"the command {order.name!r} has no argument {strange[0]!r:.60}")
        return device

    def _encode(self, order: Order, device: Assigned) -> Outgoing:
        command = Command(id=order.id, name=order.name, args=order.args, expires=order.expires)
        try:
            return device.type.encode(command, device.unit)
        except ValueError as wrong:
            raise RefusedError(str(wrong)) from None

    async def _wait_for_answer(self, order: Order, outgoing: Outgoing) -> None:
        """An answer is written by whoever hears it (hub.gateway.hearing); without one the end is not known."""
        if outgoing.wait <= 0:
            await self._settle(Outcome(order.id, "done"))
            return
        try:
            async with asyncio.timeout(outgoing.wait / 1000):
                await self._answered[order.id].wait()
        except TimeoutError:
            why = (
                f"no answer within {outgoing.wait / 1000:g} s; whether the device carried it out is not known"
            )
            await self._settle(Outcome(order.id, "failed", why))

    async def _settle(self, outcome: Outcome) -> None:
        now = self.clock.now()

        def then(written: tuple[Appended | None, Noted | None]) -> None:
            line, unknown = written
            if unknown is not None:
                self.noted(unknown)
            if line is not None:
                self.after({line.lane})

        try:
            await self.writer.write(lambda db: _settle(db, outcome, now), then)
        except StoreError as error:
            say.error("an order's outcome could not be written", id=outcome.command, why=str(error))

    def _forget(self, command: str) -> None:
        self._under_way.pop(command, None)
        self._answered.pop(command, None)


def _settle(db: sqlite3.Connection, outcome: Outcome, now: Millis) -> tuple[Appended | None, Noted | None]:
    """How an order went, and that a bolt is unknown where it did not answer: both or neither."""
    return orders.settle(db, outcome, now), unanswered.bolt_unknown(db, outcome.command, now)


def _cut_off(db: sqlite3.Connection, now: Millis) -> tuple[Sequence[Appended], list[Noted]]:
    """The same for what a restart cut off."""
    under_way = [row[0] for row in db.execute("SELECT id FROM received_command WHERE status = 'under_way'")]
    ended = orders.cut_off(db, now)
    found = [unanswered.bolt_unknown(db, command, now) for command in under_way]
    return ended, [noted for noted in found if noted is not None]
