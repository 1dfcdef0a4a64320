"""OSDP lines: readers and strikes on RS-485, with Secure Channel, through libosdp.

The port is opened, lost and found again like every serial port; each opening begins with a fresh handshake. A
device that libosdp has put aside is brought back after 1.5 seconds. An unlock is at least once, so only the timed
output is sent (drivers.protocols.osdp.write_unlock): a door opened twice closes by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from drivers.device_type import Outgoing
from drivers.events import DecodeError, Frame, Millis
from drivers.links.back_off import BackOff
from drivers.links.link import Hear, LinkDown, LinkHealth, LinkState
from drivers.links.osdp_bus import WORKER, Bus, Reader, Snapshot, Worker
from drivers.links.serial_port import SerialPort, open_port
from drivers.links.serial_settings import LineSettings, unit_of
from drivers.protocols import osdp
from drivers.protocols.line import count
from drivers.protocols.osdp import COMPLETED, FAILED, OVER, REPLY, STATUS
from drivers.protocols.streams import LINE
from drivers.settings import taken

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.25
OFFLINE_FOR: Final = 1.5
"""Seconds a device may be offline on an open line before it is brought back."""
AGAIN_AT_MOST: Final = 30.0
UNREAD_BYTES: Final = 64
"""So many bytes without a reader online are no late answer: the line is set up wrongly."""
LIFE_EVERY: Final[Millis] = 120_000
MAX_RECORDING: Final = 256


class OsdpLink:
    """One line with its readers. readers: address → key and mode."""

    def __init__(
        self,
        name: str,
        url: str,
        readers: tuple[Reader, ...],
        line: LineSettings,
        now: Callable[[], Millis],
        *,
        worker: Worker = WORKER,
        back_off: BackOff | None = None,
        on_change: Callable[[LinkHealth], None] | None = None,
    ) -> None:
        self.name = name
        self._url = url
        self._readers = readers
        self._line = line
        self._now = now
        self._worker = worker
        self._back_off = back_off or BackOff()
        self._on_change = on_change
        self._state: LinkState = "configured"
        self._reason = ""
        self._since = now()
        self._counters: dict[str, int] = {}
        self._bus: Bus | None = None
        self._snapshot = Snapshot()
        self._told: dict[int, bool] = {}
        self._offline_since: dict[int, float] = {}
        self._toggle_at: dict[int, tuple[float, float]] = {}
        self._life: dict[int, Millis] = {}
        self._said: dict[tuple[int, int], bytes] = {}
        self._sending: dict[int, asyncio.Future[bool]] = {}
        self._strange = self._readable = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._hear: Hear | None = None

    async def run(self, hear: Hear) -> None:
        """Open, read, close, wait, for ever."""
        self._hear = hear
        try:
            while True:
                self._become("down", await self._once())
                await asyncio.sleep(self._back_off.wait())
        finally:
            for task in set(self._tasks):
                task.cancel()
            self._become("configured", "")

    async def send(self, address: str, outgoing: Outgoing) -> None:
        """Have a reader open its strike for a while. Raises LinkDown."""
        unit = self._unit(address)
        if self._bus is None or unit not in self._snapshot.online:
            raise LinkDown(f"{self.name}: reader {unit} is offline")
        if unit not in self._snapshot.secure:
            raise LinkDown(
                f"{self.name}: reader {unit} has no Secure Channel, and no door is opened in clear"
            )
        if unit in self._sending:
            raise LinkDown(f"{self.name}: reader {unit} is busy with another command")
        try:
            osdp.read_unlock(outgoing.payload)
        except DecodeError as wrong:
            raise LinkDown(f"{self.name}: {wrong}") from None
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._sending[unit] = done
        bus = self._bus
        bus.ask(lambda: bus.unlock(unit, outgoing.payload))
        try:
            async with asyncio.timeout(max(5.0, outgoing.wait / 1000)):
                if not await done:
                    raise LinkDown(f"{self.name}: reader {unit} did not carry it out")
        except TimeoutError:
            raise LinkDown(
                f"{self.name}: reader {unit} did not answer; whether it opened is not known"
            ) from None
        finally:
            self._sending.pop(unit, None)

    def health(self) -> LinkHealth:
        """State and counters."""
        return LinkHealth(self._state, dict(self._counters), self._since, self._reason)

    # -- one opening

    async def _once(self) -> str:
        self._become("opening", self._reason)
        try:
            port = await open_port(self.name, self._url, self._line)
        except LinkDown as down:
            count(self._counters, "failed_opens")
            return down.reason
        count(self._counters, "opens")
        bus = self._begin(port)
        looking = asyncio.create_task(self._look_again())
        try:
            return await self._read(port, bus)
        finally:
            looking.cancel()
            self._end(bus)
            await port.close()

    def _begin(self, port: SerialPort) -> Bus:
        loop = asyncio.get_running_loop()
        post = loop.call_soon_threadsafe
        bus = Bus(
            self._readers,
            lambda data: _quietly(post, port.write, data),
            lambda address, reply: _quietly(post, self._replied, address, reply),
            lambda address, command, done: _quietly(post, self._ended, address, command, done),
            lambda snapshot: _quietly(post, self._changed, snapshot),
        )
        now = loop.time()
        self._offline_since = {one.address: now for one in self._readers}
        self._strange = self._readable = 0
        self._toggle_at.clear()
        self._bus = bus
        self._worker.add(bus)
        return bus

    def _end(self, bus: Bus) -> None:
        self._worker.remove(bus)
        self._bus = None
        self._changed(Snapshot())
        for done in self._sending.values():
            if not done.done():
                done.set_result(False)

    async def _read(self, port: SerialPort, bus: Bus) -> str:
        while True:
            try:
                data = await port.read()
            except LinkDown as down:
                return down.reason
            count(self._counters, "bytes", len(data))
            if not self._snapshot.online:
                self._strange += len(data)
                self._readable += len(osdp.scan(data)[0])
            bus.feed(data)

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self._look()

    # -- what the bus says

    def _replied(self, address: int, reply: bytes) -> None:
        count(self._counters, "replies")
        if reply[0] not in osdp.STATUSES or self._is_news(address, reply):
            self._record(address, reply, REPLY)

    def _is_news(self, address: int, reply: bytes) -> bool:
        """A status that was asked for and is as before says nothing; signs of life go up by themselves."""
        same = self._said.get((address, reply[0])) == reply
        self._said[address, reply[0]] = reply
        return not same

    def _forget_said(self, address: int) -> None:
        """Whatever it says next is news again."""
        for code in osdp.STATUSES:
            self._said.pop((address, code), None)

    def _ended(self, address: int, command: bytes, done: bool) -> None:
        count(self._counters, "unlocks" if done else "failed_unlocks")
        self._forget_said(address)
        self._record(address, command, COMPLETED if done else FAILED)
        waiting = self._sending.get(address)
        if waiting is not None and not waiting.done():
            waiting.set_result(done)
        if done:
            _, seconds = osdp.read_unlock(command)
            asyncio.get_running_loop().call_later(seconds, self._over, address, command)

    def _over(self, address: int, command: bytes) -> None:
        self._forget_said(address)
        self._record(address, command, OVER)

    def _changed(self, snapshot: Snapshot) -> None:
        """Say who came and who went; a reader that never was online has not gone."""
        now = asyncio.get_running_loop().time()
        for one in self._readers:
            online = one.address in snapshot.online
            if online:
                self._offline_since.pop(one.address, None)
                self._toggle_at.pop(one.address, None)
                self._back_off.reset()
            elif one.address not in self._offline_since:
                self._strange = self._readable = 0
                self._offline_since[one.address] = now
            self._tell(one.address, online=online)
        self._snapshot = snapshot
        self._look()

    def _tell(self, address: int, *, online: bool) -> None:
        before = self._told.get(address)
        if before == online or (before is None and online is False):
            return
        self._told[address] = online
        self._forget_said(address)
        if before is not None:
            self._record(address, b"online" if online else b"offline", STATUS)

    def _look(self) -> None:
        """Bring back who was put aside, say how the line is, and that devices live."""
        if self._bus is None:
            return
        now = asyncio.get_running_loop().time()
        for address, since in self._offline_since.items():
            self._bring_back(address, since, now)
        dead = sorted(address for address, since in self._offline_since.items() if now - since > OFFLINE_FOR)
        if len(dead) == len(self._readers):
            self._become("down", f"no reader answers{self._doubt()}")
        elif dead:
            self._become("degraded", f"reader {', '.join(map(str, dead))} does not answer")
        elif not self._offline_since:
            self._become("up", "")
        for address in self._snapshot.online:
            self._live(address)

    def _doubt(self) -> str:
        """What to look at where bytes come and no reader is online."""
        if self._readable:
            return "; what comes can be read, so look at the reader's address and key"
        return f"; {self._line.doubt}" if self._strange >= UNREAD_BYTES else ""

    def _bring_back(self, address: int, since: float, now: float) -> None:
        at, wait = self._toggle_at.get(address, (since + OFFLINE_FOR, OFFLINE_FOR))
        self._toggle_at.setdefault(address, (at, wait))
        if now < at or self._bus is None:
            return
        bus, wait = self._bus, min(AGAIN_AT_MOST, wait * 2)
        self._toggle_at[address] = (now + wait, wait)
        count(self._counters, "brought_back")
        bus.ask(lambda: bus.toggle(address))

    def _live(self, address: int) -> None:
        now = self._now()
        last = self._life.get(address)
        if last is None or not 0 <= now - last < LIFE_EVERY:
            self._life[address] = now
            self._record(address, b"", LINE)

    def _record(self, address: int, payload: bytes, channel: str) -> None:
        if len(self._tasks) >= MAX_RECORDING:
            count(self._counters, "overload")
            return
        frame = Frame("serial", f"{self.name}#{address}", payload, self._now(), channel)
        task = asyncio.get_running_loop().create_task(self._hand_up(frame))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_up(self, frame: Frame) -> None:
        assert self._hear is not None
        try:
            accepted = (await self._hear(frame)).accepted
        except Exception:
            log.exception("a frame of %s could not be handed over", frame.address)
            accepted = False
        if not accepted and frame.payload:
            self._said.pop((self._unit(frame.address), frame.payload[0]), None)  # it must be said again
        count(self._counters, "frames" if accepted else "not_recorded")

    def _unit(self, address: str) -> int:
        try:
            return int(unit_of(address))
        except ValueError:
            raise LinkDown(f"expected an address like {self.name}#1, got {address!r:.80}") from None

    def _become(self, state: LinkState, reason: str) -> None:
        changed = state != self._state
        self._reason = reason
        if not changed:
            return
        self._state, self._since = state, self._now()
        log.info("OSDP line %s is %s%s", self.name, state, f": {reason}" if reason else "")
        if self._on_change is not None:
            self._on_change(self.health())


def reader_of(address: str, settings: Mapping[str, Any], key: bytes | None) -> Reader:
    """The reader that a registered device describes. Raises ValueError with a sentence."""
    unit = unit_of(address)
    if not unit.isdigit() or not 0 <= int(unit) <= 126:
        raise ValueError(f"an OSDP reader's address is like port#1, from 0 to 126, not {address!r:.80}")
    install = taken(osdp.SETTINGS, settings, "install")
    if key is not None and len(key) != 16:
        raise ValueError(f"a Secure Channel key has 16 bytes, this one has {len(key)}")
    if key is None:
        raise ValueError(
            f"the reader {address} needs its Secure Channel key; with install: true a new reader is given it"
        )
    return Reader(int(unit), key, install, float(taken(osdp.SETTINGS, settings, "status_every")))


def _quietly(post: Callable[..., object], *args: Any) -> None:
    """Hand over to the event loop, unless it is gone."""
    try:
        post(*args)
    except RuntimeError:
        log.debug("the event loop is closed")
