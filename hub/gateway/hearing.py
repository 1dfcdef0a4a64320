"""Hearing: a frame becomes events in the journal; the answer to the sender comes after the commit.

Nothing a device sends can stop this: what nobody can read is a line of its own (hub.gateway.strangers bounds
how many), a decoder that breaks is a fault somebody is told of, and a commit that fails is "not accepted", so
that the device says it again. Frames are decoded in the order in which `hear` is called.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson
import structlog

from drivers.catalogue import CATALOGUE
from drivers.device_type import Result
from drivers.events import DecodeError, Event, Fact, Frame, Millis, iso
from drivers.links.link import Receipt
from hub.gateway import journal, orders
from hub.gateway.ids import Ids
from hub.gateway.journal import Line
from hub.gateway.moments import moment
from hub.gateway.roll import MAX_MEMORY, Assigned, Roll
from hub.gateway.strangers import Strangers
from hub.store.errors import StoreError
from hub.store.writer import Writer
from hub.uplink.messages import LaneName

MAX_FACTS = 256
"""Facts in one frame; more is a broken decoder or a hostile sender."""

LONGEST_ID = 100
"""Characters of a device's own report id; a longer or unprintable one is replaced by its digest, so that the
event's id (device, report, place, digest) stays below the 200 characters the centre takes."""

DRAINED_WITHIN = 5.0
"""Seconds (real) that a pause waits for frames under way to be committed."""

NEVER_RETAINED = {"event", "result"}
"""Channels on which a retained message is old news that the broker repeats, never an event (TR-10)."""

say = structlog.get_logger(__name__)

OnFault = Callable[[Assigned, Frame, str], Sequence[Line]]
"""Given the device, the frame and what broke: the lines (alerts) to be written with it."""


def nothing_to_write(_device: Assigned, _frame: Frame, _why: str) -> Sequence[Line]:
    """Stand in where nobody is to be told."""
    return ()


class OutOfStepError(Exception):
    """An earlier frame of this device was not committed, so what was decoded after it cannot stand."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What one frame brought into the journal. answered: the commands whose outcome was among it."""

    events: tuple[journal.Noted, ...] = ()
    lanes: frozenset[LaneName] = frozenset()
    answered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    """One frame, decoded. events: each with whether its time is the device's own word."""

    frame: Frame
    device: Assigned
    events: tuple[tuple[Event, bool], ...]
    results: tuple[Result, ...]
    memory: tuple[int, bytes] | None
    lineage: int


@dataclass(slots=True, eq=False)
class Hearing:
    """Turns frames into committed events.

    after: told of every commit, strictly in journal order. on_fault: asked what to write when a decoder breaks;
    on_refused: when it refuses a frame, which the device then sent in vain. unwritten: told when what they gave
    could not be written, and is to be given again. stamp: a frame's time of hearing as the clock shows it now.
    """

    writer: Writer
    roll: Callable[[], Roll]
    after: Callable[[Committed], None]
    on_fault: OnFault
    on_refused: OnFault = nothing_to_write
    unwritten: Callable[[Assigned], None] = lambda _device: None
    stamp: Callable[[Millis], Millis] = lambda heard: heard
    ids: Ids = field(default_factory=Ids)
    strangers: Strangers = field(default_factory=Strangers)
    counters: Counter[str] = field(default_factory=Counter)
    _under_way: Counter[Millis] = field(default_factory=Counter)
    _gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, frame: Frame) -> Receipt:
        """Take one frame; the receipt comes after the commit."""
        async with self._gate:  # open unless paused, and then in the order of calls
            pass
        heard = self.stamp(frame.heard)
        if heard != frame.heard:
            frame = replace(frame, heard=heard)
        self.counters["frames"] += 1
        self._under_way[frame.heard] += 1
        try:
            return await self._hear_again_if_need_be(frame)
        finally:
            self._under_way[frame.heard] -= 1
            if not self._under_way[frame.heard]:
                del self._under_way[frame.heard]
            if not self._under_way:
                self._quiet.set()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Let nothing in while this lasts; it begins when what was under way is committed or given up."""
        async with self._gate:
            self._quiet.clear()
            if self._under_way:
                with suppress(TimeoutError):
                    async with asyncio.timeout(DRAINED_WITHIN):
                        await self._quiet.wait()
            yield

    def oldest_under_way(self) -> Millis | None:
        """When the oldest frame was heard whose commit is not known yet."""
        return min(self._under_way, default=None)

    async def _hear_again_if_need_be(self, frame: Frame) -> Receipt:
        try:
            return await self._hear(frame)
        except OutOfStepError:
            pass  # an earlier frame failed; what the decoder remembers is mended now, so read this one again
        try:
            return await self._hear(frame)
        except OutOfStepError as error:
            return self._refused(frame, error)

    async def _hear(self, frame: Frame) -> Receipt:
        device = self.roll().find(frame)
        if isinstance(device, str):
            return await self._unread("unknown", frame, device)
        if frame.retained and frame.channel in NEVER_RETAINED:
            return await self._unread(
                "unreadable", frame, "an event is news once; this one was kept by the broker", device
            )
        try:
            reading = self._decode(frame, device)
        except DecodeError as wrong:
            device.undo_frame()
            alerts = () if frame.retained else self.on_refused(device, frame, str(wrong))
            return await self._unread("unreadable", frame, str(wrong), device, alerts)
        except Exception as fault:
            device.undo_frame()
            return await self._broken(frame, device, fault)
        return await self._keep(reading)

    # ------------------------------------------------------------ reading

    def _decode(self, frame: Frame, device: Assigned) -> _Reading:
        facts, results = _bounded(device.type.decode(frame, device.unit))
        for fact in facts:
            CATALOGUE.check(fact.kind, fact.data)
        events = tuple(self._events(frame, device, facts))
        for event, _given in events:
            _check_storable(event)
        return _Reading(frame, device, events, results, _memory_after(device), device.memory.lineage)

    def _events(self, frame: Frame, device: Assigned, facts: Sequence[Fact]) -> Iterable[tuple[Event, bool]]:
        used: Counter[str] = Counter()
        for fact in facts:
            when = moment(fact, frame.heard, own_clock=device.type.own_clock)
            if when.doubt:
                self.counters["doubted_times"] += 1
                say.warning("a device's time was not believed", device=device.id, why=when.doubt)
            name = self._id(fact, frame, device, used)
            yield (
                Event(
                    name, when.at, frame.heard, device.home, device.id, _kind(fact, device), dict(fact.data)
                ),
                when.given,
            )

    def _id(self, fact: Fact, frame: Frame, device: Assigned, used: Counter[str]) -> str:
        """The wire's own id where there is one; several facts of one report are told apart by their place."""
        if fact.id is None:
            return self.ids.new(device.id, frame.heard)
        own = fact.id if len(fact.id) <= LONGEST_ID and fact.id.isprintable() else f"#{_short(fact.id)}"
        used[own] += 1
        place = f".{used[own]}" if used[own] > 1 else ""
        return f"{device.id}:{own}{place}"

    # ------------------------------------------------------------ keeping

    async def _keep(self, reading: _Reading) -> Receipt:
        if not (reading.events or reading.results or reading.memory):
            return Receipt(accepted=True)
        device = reading.device

        def operation(db: sqlite3.Connection) -> Committed:
            return _commit(db, reading)

        def then(committed: Committed) -> None:
            if reading.memory is not None:
                device.memory.version, device.memory.committed = reading.memory
            self._committed(committed)

        try:
            committed = await self.writer.write(operation, then)
        except Exception as error:
            if reading.memory is not None:
                device.undo_commits(reading.lineage)
            if isinstance(error, OutOfStepError):
                raise
            if not isinstance(
                error, StoreError | sqlite3.Error
            ):  # a defect of ours; saying it again would not help
                return await self._broken(reading.frame, device, error)
            return self._refused(reading.frame, error)
        return Receipt(accepted=True, events=tuple(noted.event.id for noted in committed.events))

    def _committed(self, committed: Committed) -> None:
        new = sum(noted.new for noted in committed.events)
        self.counters["events"] += new
        self.counters["duplicates"] += len(committed.events) - new
        self.after(committed)

    def _refused(self, frame: Frame, error: Exception) -> Receipt:
        """Not written: the sender is not answered, and says it again if it can."""
        self.counters["not_accepted"] += 1
        say.error("a frame was not accepted", link=frame.link, address=frame.address, why=str(error))
        return Receipt(accepted=False)

    # ------------------------------------------------------------ what nobody can read

    async def _unread(
        self,
        kind: Literal["unknown", "unreadable"],
        frame: Frame,
        why: str,
        device: Assigned | None = None,
        alerts: Sequence[Line] = (),
    ) -> Receipt:
        """A line in the journal, within bounds. With an alert it is always written, as the alert's evidence."""
        self.counters[kind] += 1
        verdict = self.strangers.judge(frame)
        if alerts or verdict == "write":
            return await self._write_unread(kind, frame, why, device, alerts)
        left_out = "; like others before it, it was counted but not kept" if verdict == "leave out" else ""
        return Receipt(accepted=True, error=why + left_out)

    async def _broken(self, frame: Frame, device: Assigned, fault: Exception) -> Receipt:
        """Our own defect, not the device's: it must not swallow a call for help (DESIGN.md, promise 5)."""
        why = f"the driver {device.type.id} broke on this frame: {fault!r:.300}"
        self.counters["broken"] += 1
        say.exception("a driver broke", device=device.id, type=device.type.id, fault=repr(fault))
        alerts = self.on_fault(device, frame, why)
        if not alerts and self.strangers.judge(frame) != "write":
            return Receipt(accepted=True, error=why)
        return await self._write_unread("unreadable", frame, why, device, alerts)

    async def _write_unread(
        self,
        kind: Literal["unknown", "unreadable"],
        frame: Frame,
        why: str,
        device: Assigned | None,
        with_it: Sequence[Line],
    ) -> Receipt:
        line = _unread_line(kind, frame, why, device, self.strangers.untold())

        def operation(db: sqlite3.Connection) -> Committed:
            lines = [journal.append(db, one) for one in (line, *with_it)]
            return Committed(lanes=frozenset(one.lane for one in lines))

        try:
            await self.writer.write(operation, self._committed)
        except (StoreError, sqlite3.Error) as error:
            if device is not None and with_it:
                self.unwritten(device)
            return self._refused(frame, error)
        self.strangers.written(frame)
        return Receipt(accepted=True, error=why)


def _kind(fact: Fact, device: Assigned) -> str:
    """A sign of life is the device's own, whatever it spoke of: it counts for what the device is registered as."""
    own = f"{device.part.device_class}.heartbeat"
    return own if fact.kind.endswith(".heartbeat") and own in CATALOGUE.facts else fact.kind


def _commit(db: sqlite3.Connection, reading: _Reading) -> Committed:
    if reading.memory is not None:
        _store_memory(db, reading.device.id, *reading.memory)
    frame = journal.append_frame(db, reading.frame) if reading.events else None
    noted = tuple(
        journal.append_event(db, event, given=given, frame=frame) for event, given in reading.events
    )
    if frame is not None and not any(one.new for one in noted):
        db.execute("DELETE FROM frame WHERE seq = ?", (frame,))
    settled = [orders.settle(db, orders.outcome_of(each), reading.frame.heard) for each in reading.results]
    lanes: set[LaneName] = {line.lane for line in settled if line is not None}
    lanes.update(CATALOGUE.spec(one.event.kind).lane for one in noted if one.new)
    return Committed(noted, frozenset(lanes), tuple(each.command for each in reading.results))


def _store_memory(db: sqlite3.Connection, device: str, version: int, memory: bytes) -> None:
    """Replace version - 1 by version; anything else means that an earlier frame is missing."""
    text = memory.decode()
    if version == 1:
        row = db.execute(
            "INSERT OR IGNORE INTO unit_memory (device, version, memory) VALUES (?, 1, ?)", (device, text)
        )
    else:
        row = db.execute(
            "UPDATE unit_memory SET version = ?, memory = ? WHERE device = ? AND version = ?",
            (version, text, device, version - 1),
        )
    if row.rowcount != 1:
        raise OutOfStepError(f"an earlier frame of {device} was not written; it has to be said again")


def _memory_after(device: Assigned) -> tuple[int, bytes] | None:
    """The next version of what the decoder remembers, if this frame changed it."""
    memory = device.memory
    now = orjson.dumps(device.unit.memory)
    if now == memory.latest:
        return None
    if len(now) > MAX_MEMORY:
        raise ValueError(f"the decoder remembers {len(now)} bytes, at most {MAX_MEMORY} are expected")
    memory.ahead, memory.latest = memory.ahead + 1, now
    return memory.ahead, now


def _bounded(found: Iterable[Fact | Result]) -> tuple[list[Fact], tuple[Result, ...]]:
    facts: list[Fact] = []
    results: list[Result] = []
    for one in found:
        if isinstance(one, Fact):
            facts.append(one)
        else:
            results.append(one)
        if len(facts) + len(results) > MAX_FACTS:
            raise DecodeError(f"the frame holds more than {MAX_FACTS} facts")
    return facts, tuple(results)


def _unread_line(
    kind: Literal["unknown", "unreadable"], frame: Frame, why: str, device: Assigned | None, left_out: int
) -> Line:
    body = {
        "link": frame.link,
        "address": frame.address[:200],
        "channel": frame.channel[:200],
        "home": device.home if device else "",
        "device": device.id if device else "",
        "hex": frame.payload[: journal.KEPT_BYTES].hex(),
        "size": len(frame.payload),
        "error": why[:500].encode("utf-8", "replace").decode(),
        "heard": iso(frame.heard),
        "left_out": left_out,
    }
    return Line(
        type=kind,
        lane="technical",
        body=orjson.dumps(body),
        at=frame.heard,
        heard=frame.heard,
        home=device.home if device else "",
        device=device.id if device else "",
    )


def _check_storable(event: Event) -> None:
    """Raise DecodeError for what JSON cannot hold: integers beyond 64 bits, text that is no Unicode."""
    try:
        orjson.dumps(event.as_json())
    except TypeError as wrong:
        raise DecodeError(f"{event.kind} holds a value that cannot be stored: {wrong}") from None


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
