"""The uplink: entries go up in lanes, acknowledgements and orders come down, over one MQTT connection.

Only the centre's own acknowledgement, sent after its commit, lets the gateway forget; what the broker says of
delivery is not counted (reference: messaging, section 6). Without acknowledgement entries go up again under the
same numbers, with growing waits. A broker that is not there at boot is waited for in the background.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog
from pydantic import ValidationError

from drivers.links.link import LinkState
from drivers.links.mqtt_client import Message, MqttClient, NotConnected
from hub.gateway import outbox
from hub.gateway.outbox import Cursors
from hub.log import StateLine
from hub.store.errors import StoreError
from hub.store.writer import Writer
from hub.uplink.messages import LARGEST_PART, OLD_COPY, Ack, LaneName, Order, Part, Span, down_topic, up_topic

PUBLISH_WITHIN = 15.0
"""Seconds for the broker to take one batch; then the connection is not believed any more (TR-20)."""

ALL_LANES_WITHIN = 3.0
"""Seconds for a centre that lost entries to say of every lane what it holds, before all are numbered anew."""

PAUSE = (0.2, 1.0)
"""Seconds to wait after a failed attempt, drawn from this span."""

say = structlog.get_logger(__name__)

_M = TypeVar("_M", Ack, Order, Part)


@dataclass(slots=True, eq=False)
class Uplink:
    """The gateway's side of the uplink.

    on_order, on_part: what to do with messages from the centre. on_new_epoch: told, with the reason, when this
    database turned out to be an old copy and its entries were numbered anew. on_lost: told how many entries a
    restored centre lacks that are gone from here too, when the others were numbered anew.
    """

    url: str
    gateway: str
    writer: Writer
    on_order: Callable[[Order], Awaitable[None]]
    on_part: Callable[[Part], Awaitable[None]]
    on_new_epoch: Callable[[str], Awaitable[None]]
    on_lost: Callable[[int], Awaitable[None]]
    cursors: Cursors = field(default_factory=Cursors)
    counters: Counter[str] = field(default_factory=Counter)
    epoch: str = ""
    run_id: str = field(default_factory=lambda: secrets.token_hex(8))
    _lost: int = 0
    _anew_at: float | None = None
    _client: MqttClient = field(init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _line: StateLine = field(default_factory=lambda: StateLine("the uplink"))

    def __post_init__(self) -> None:
        topics = {down_topic(self.gateway, "ack"): self._on_ack,
                  down_topic(self.gateway, "command"): self._on_command,
                  down_topic(self.gateway, "registry"): self._on_registry}  # fmt: skip

        async def on_message(message: Message) -> None:
            await topics[message.topic](message)

        self._client = MqttClient(
            self.url,
            f"gateway-{self.gateway}",
            subscriptions=tuple(topics),
            on_message=on_message,
            on_state=self._on_state,
            max_payload=LARGEST_PART,
        )

    @property
    def state(self) -> LinkState:
        """How the connection to the broker is."""
        return self._client.state

    @property
    def reason(self) -> str:
        """Why it is not up."""
        return self._client.reason

    async def start(self) -> None:
        """Read from the database where every lane stands."""
        self.epoch = await self.writer.write(outbox.epoch)
        for lane, mark in (await self.writer.write(outbox.marks)).items():
            cursor = self.cursors.lanes[lane]
            cursor.acked = cursor.sent = mark.acked
            if lost := await self.writer.write(partial(outbox.missing, lane=lane)):
                self._number_anew_soon(lost)

    async def run(self) -> None:
        """Send and receive for ever; ends only by being cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._client.run(), name="uplink connection")
            tasks.create_task(self._send(), name="uplink sending")

    def nudge(self, lanes: Iterable[LaneName]) -> None:
        """Say that these lanes have new entries."""
        for lane in lanes:
            self.cursors.lanes[lane].pending = True
        self._changed.set()

    # ------------------------------------------------------------ sending

    async def _send(self) -> None:
        while True:
            await self._client.up.wait()
            await self._mend()
            self.cursors.rewind_overdue(_now())
            lane = self.cursors.next_to_send()
            if lane is None:
                await self._rest()
                continue
            try:
                await self._send_batch(lane)
            except (NotConnected, StoreError, TimeoutError) as why:
                self.counters["failed_batches"] += 1
                self.cursors.lanes[lane].pending = True
                say.warning(
                    "a batch did not go up", lane=lane, why=str(why) or "the broker did not take it in time"
                )
                await asyncio.sleep(random.uniform(*PAUSE))

    async def _send_batch(self, lane: LaneName) -> None:
        cursor = self.cursors.lanes[lane]
        cursor.pending = False
        epoch, entries = await self.writer.write(
            lambda db: (outbox.epoch(db), outbox.take(db, lane, cursor.sent))
        )
        if entries is None or epoch != self.epoch:
            return
        batch = outbox.batch_json(epoch, entries, self.run_id)
        async with asyncio.timeout(PUBLISH_WITHIN):
            await self._client.publish(up_topic(self.gateway, lane), batch)
        if epoch == self.epoch:
            cursor.sent_up_to(entries.last, _now(), more=entries.more)
        self.counters["batches"] += 1
        self.counters["entries"] += entries.last - entries.first + 1

    async def _rest(self) -> None:
        """Wait for something new, or until something has to be sent again."""
        due = min(
            (one for one in (self.cursors.next_resend(), self._anew_at) if one is not None), default=None
        )
        try:
            async with asyncio.timeout_at(due):
                await self._changed.wait()
        except TimeoutError:
            self.counters["resends"] += 1
        self._changed.clear()

    # ------------------------------------------------------------ a centre that lost what it had

    async def _mend(self) -> None:
        """Send again what a restored centre lacks, and begin a new epoch where some of it is gone from here too."""
        try:
            for lane in self.cursors.lacking(_now()):
                await self._go_back(lane)
            if self._anew_at is not None and self._anew_at <= _now():
                lost, self._lost, self._anew_at = self._lost, 0, None
                await self._number_anew(f"the centre lacks {lost} entries that are gone from here too")
                await self.on_lost(lost)
        except StoreError as why:
            say.error("what the centre lacks could not be looked up", why=str(why))
            await asyncio.sleep(random.uniform(*PAUSE))

    async def _go_back(self, lane: LaneName) -> None:
        """Through a hole no acknowledgement would ever come, and the window would stay full: then numbers are new."""
        cursor = self.cursors.lanes[lane]
        upto = cursor.heard_back or 0
        lost = await self.writer.write(lambda db: outbox.go_back(db, lane, upto))
        say.warning("the centre was restored and lacks entries", lane=lane, upto=upto, gone=lost)
        if lost:
            self._number_anew_soon(lost)
        else:
            cursor.go_back(_now())
        cursor.heard_back = None

    def _number_anew_soon(self, lost: int) -> None:
        self._lost += lost
        if self._anew_at is None:
            self._anew_at = _now() + ALL_LANES_WITHIN

    def _on_state(self, state: LinkState, reason: str) -> None:
        self._line.tell(state, reason)
        if state == "up":
            self.cursors.rewind_all(_now())
            self._changed.set()

    # ------------------------------------------------------------ receiving

    async def _on_ack(self, message: Message) -> None:
        ack = self._read(Ack, message)
        if ack is None or ack.epoch != self.epoch:
            return
        cursor = self.cursors.lanes[ack.lane]
        held = cursor.believed(ack.upto, self._compared(ack))
        mark = await self.writer.write(lambda db: outbox.acknowledge(db, ack, held))
        if ack.epoch != self.epoch:
            return
        if mark is None:
            await self._start_anew(_why_old(ack))
            return
        cursor.acknowledged(ack.upto, _now(), held=held)
        self.counters["acks"] += 1
        self._changed.set()

    def _compared(self, ack: Ack) -> tuple[Span, ...] | None:
        """What the centre compared in this run; None from one that does not tell."""
        if ack.run is None:
            return None
        return ack.got if ack.run == self.run_id else ()

    async def _on_command(self, message: Message) -> None:
        order = self._read(Order, message)
        if order is not None:
            await self.on_order(order)

    async def _on_registry(self, message: Message) -> None:
        part = self._read(Part, message, retained=True)
        if part is not None:
            await self.on_part(part)

    def _read(self, kind: type[_M], message: Message, *, retained: bool = False) -> _M | None:
        """Check a message on its way in; a wrong one is said and counted, and disturbs nothing."""
        wrong = ""
        if message.retain and not retained:
            wrong = "it was retained by the broker, and an order or acknowledgement is news once"
        try:
            read = kind.model_validate_json(message.payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            wrong = f"{'.'.join(map(str, first['loc'])) or 'the message'}: {first['msg']}"
        if not wrong:
            return read
        self.counters["refused_messages"] += 1
        say.warning(
            "a message from the centre was refused", topic=message.topic, size=message.size, why=wrong[:300]
        )
        return None

    async def _start_anew(self, why: str) -> None:
        if await self._number_anew(why):
            await self.on_new_epoch(why)

    async def _number_anew(self, why: str) -> bool:
        """Begin an epoch, unless another acknowledgement has just made us begin one."""
        old = self.epoch
        begun = await self.writer.write(
            lambda db: outbox.begin_epoch(db) if outbox.epoch(db) == old else None
        )
        if begun is None:
            return False
        self.epoch = begun
        for cursor in self.cursors.lanes.values():
            cursor.start_over()
        self.cursors.rewind_all(_now())
        self._changed.set()
        say.error("entries go up again in a new epoch", why=why)
        return True


def _why_old(ack: Ack) -> str:
    if ack.upto >= OLD_COPY:
        return f"the centre knows other entries under our numbers in the lane {ack.lane}"
    return f"the centre holds {ack.upto} entries of the lane {ack.lane}, more than we ever sent"


def _now() -> float:
    return asyncio.get_running_loop().time()
