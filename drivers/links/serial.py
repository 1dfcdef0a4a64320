"""Serial links: open a port, run a protocol machine over it, come back after every unplugging.

The machine (drivers.protocols.line) decides what to say; this file does it. An answer that means "written
down" leaves only after the gateway's commit. A port that opens proves nothing: a line is up while its traffic
says so. serialx is used as measured: unplugging is an OSError within milliseconds, a TCP peer that closes is
an empty read, opening drops what was sent before.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from drivers.device_type import Outgoing
from drivers.events import Frame, Millis
from drivers.links.back_off import BackOff
from drivers.links.link import Hear, LinkDown, LinkHealth, LinkState
from drivers.links.serial_port import SerialPort, open_port
from drivers.links.serial_settings import LineSettings, unit_of
from drivers.protocols.line import Answer, Failed, Heard, LineMachine, Out, Sent, Write, count

log = logging.getLogger(__name__)

MAX_UNRECORDED: Final = 256
"""Frames on their way to the journal; beyond that the port is not read until some have arrived."""
SETTLE_WITHIN: Final = 2.0
HAND_OVER_WITHIN: Final = 30.0
"""Seconds for the device to take a message, where its answer is not waited for longer."""
LOOK_EVERY: Final = 1.0
BAD_WINDOW: Final = 60.0
BAD_SHARE: Final = 0.05
BAD_LEAST: Final = 3


class SerialLink:
    """One serial port and the conversation on it.

    name: the device address's port, also what frames carry. url: what serialx opens. now: world time for
    frames. life_every: ms of world time between two recorded signs of life of one unit.
    """

    def __init__(
        self,
        name: str,
        url: str,
        machine: LineMachine,
        line: LineSettings,
        now: Callable[[], Millis],
        *,
        back_off: BackOff | None = None,
        life_every: Millis = 120_000,
        on_change: Callable[[LinkHealth], None] | None = None,
    ) -> None:
        self.name = name
        self._url = url
        self._machine = machine
        self._line = line
        self._now = now
        self._back_off = back_off or BackOff()
        self._life_every = life_every
        self._on_change = on_change
        self._port: SerialPort | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._state: LinkState = "configured"
        self._reason = ""
        self._logged: tuple[LinkState, str] = ("configured", "")
        self._since = now()
        self._counters: dict[str, int] = {}
        self._quality: deque[tuple[float, bool]] = deque(maxlen=200)
        self._life: dict[str, Millis] = {}
        self._tickets = 0
        self._sending: dict[int, asyncio.Future[None]] = {}
        self._recording: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._room.set()

    # -- what the gateway sees

    async def run(self, hear: Hear) -> None:
        """Open, read, close, wait, for ever."""
        try:
            while True:
                reason = await self._once(hear)
                self._become("down", reason)
                await asyncio.sleep(self._back_off.wait())
        finally:
            await self._settle()
            self._become("configured", "")

    async def send(self, address: str, outgoing: Outgoing) -> None:
        """Hand bytes to the unit behind `address` and wait until it took them. Raises LinkDown."""
        if self._port is None:
            raise LinkDown(f"{self.name} is not open: {self._reason or 'not yet opened'}")
        self._tickets += 1
        ticket, done = self._tickets, asyncio.get_running_loop().create_future()
        self._sending[ticket] = done
        self._do(
            self._machine.send, ticket, unit_of(address), outgoing.payload, outgoing.channel, self._clock()
        )
        try:
            async with asyncio.timeout(within := max(HAND_OVER_WITHIN, outgoing.wait / 1000)):
                await done
        except TimeoutError:
            raise LinkDown(f"{self.name} did not take the message within {within:g} s") from None
        finally:
            self._sending.pop(ticket, None)
            self._machine.cancel(ticket)

    def health(self) -> LinkHealth:
        """State and counters, the machine's own included."""
        counters = {**self._machine.counters, **self._counters}
        return LinkHealth(self._state, counters, self._since, self._reason)

    # -- one opening

    async def _once(self, hear: Hear) -> str:
        """Open the port and serve it until it is lost; say why it was."""
        self._become("opening", self._reason)
        try:
            port = await open_port(self.name, self._url, self._line)
        except LinkDown as down:
            count(self._counters, "failed_opens")
            return down.reason
        count(self._counters, "opens")
        self._port = port
        self._hear = hear
        try:
            self._do(self._machine.start, self._clock())
            self._look()
            return await self._read(port)
        finally:
            self._port = None
            self._do(self._machine.stop, port.lost or "the line went down")
            if self._timer is not None:
                self._timer.cancel()
            await port.close()

    async def _read(self, port: SerialPort) -> str:
        while True:
            await self._room.wait()
            try:
                data = await port.read()
            except LinkDown as down:
                return down.reason
            count(self._counters, "bytes", len(data))
            self._do(self._machine.feed, data, self._clock())

    # -- what the machine wants

    def _do(self, ask: Callable[..., Sequence[Out]], *args: Any) -> None:
        """Ask the machine and carry out what it says. A fault in it closes the port and is said, never hidden."""
        bad, noise = self._bad_so_far()
        try:
            wanted = ask(*args)
        except Exception as wrong:
            log.exception("the protocol machine of %s failed", self.name)
            self._lose(f"the protocol machine failed: {wrong!r:.200}")
            return
        worse, louder = self._bad_so_far()
        self._quality.extend([(self._clock(), False)] * (worse - bad + (louder > noise)))
        for one in wanted:
            self._carry_out(one)
        self._wake_at_due()

    def _bad_so_far(self) -> tuple[int, int]:
        counters = self._machine.counters
        return counters.get("check_errors", 0), counters.get("noise_bytes", 0)

    def _carry_out(self, one: Out) -> None:
        if isinstance(one, Write):
            self._write(one)
        elif isinstance(one, Heard):
            self._heard(one)
        else:
            self._sent(one)

    def _write(self, one: Write) -> None:
        if self._port is not None:
            self._port.write(one.data)

    def _sent(self, one: Sent | Failed) -> None:
        done = self._sending.pop(one.ticket, None)
        if done is None or done.done():
            return
        if isinstance(one, Sent):
            done.set_result(None)
        else:
            done.set_exception(LinkDown(f"{self.name}: {one.reason}"))

    def _heard(self, one: Heard) -> None:
        self._back_off.reset()
        self._quality.append((self._clock(), True))
        if one.life and not self._life_is_due(one.unit):
            return
        address = f"{self.name}#{one.unit}" if one.unit else self.name
        frame = Frame("serial", address, one.payload, self._now(), one.channel)
        task = asyncio.get_running_loop().create_task(
            self._record(frame, one.ticket), name=f"record {address}"
        )
        self._recording.add(task)
        task.add_done_callback(self._recorded)
        if len(self._recording) >= MAX_UNRECORDED:
            self._room.clear()

    def _life_is_due(self, unit: str) -> bool:
        now = self._now()
        last = self._life.get(unit)
        if last is not None and 0 <= now - last < self._life_every:
            return False
        self._life[unit] = now
        return True

    async def _record(self, frame: Frame, ticket: int) -> None:
        """Hand the frame to the gateway; what it says is the answer to the sender, if one waits."""
        count(self._counters, "frames")
        try:
            receipt = await self._hear(frame)
            answer: Answer = "accepted" if receipt.accepted else "busy"
        except Exception:
            log.exception("a frame of %s could not be handed over", self.name)
            count(self._counters, "not_recorded")
            answer = "busy"
        if ticket:
            self._do(self._machine.answer, ticket, answer, self._clock())

    def _recorded(self, task: asyncio.Task[None]) -> None:
        self._recording.discard(task)
        if len(self._recording) < MAX_UNRECORDED // 2:
            self._room.set()

    # -- time and state

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()

    def _wake_at_due(self) -> None:
        port = self._port
        if port is None or port.lost:
            return
        if self._timer is not None:
            self._timer.cancel()
        soon = self._clock() + LOOK_EVERY
        due = self._machine.due()
        self._timer = asyncio.get_running_loop().call_at(soon if due is None else min(soon, due), self._wake)

    def _wake(self) -> None:
        now = self._clock()
        due = self._machine.due()
        if due is not None and due <= now:
            self._do(self._machine.tick, now)
        else:
            self._wake_at_due()
        self._look()

    def _look(self) -> None:
        """Judge the line by its traffic."""
        if self._port is None or self._port.lost:
            return
        trouble = self._machine.trouble(self._clock())
        bad, all_ = self._bad_frames()
        if trouble:
            unread = bad >= BAD_LEAST and bad == all_
            self._become("down", f"{trouble}; {self._line.doubt}" if unread else trouble)
        elif bad >= BAD_LEAST and bad > all_ * BAD_SHARE:
            self._become("degraded", f"{bad} of the last {all_} things heard were unreadable")
        else:
            self._become("up", "")

    def _bad_frames(self) -> tuple[int, int]:
        earliest = self._clock() - BAD_WINDOW
        while self._quality and self._quality[0][0] < earliest:
            self._quality.popleft()
        bad = sum(not fine for _, fine in self._quality)
        return bad, len(self._quality)

    def _become(self, state: LinkState, reason: str) -> None:
        changed = state != self._state
        self._reason = reason
        if not changed:
            return
        self._state, self._since = state, self._now()
        self._log(state, reason)
        if self._on_change is not None:
            self._on_change(self.health())

    def _log(self, state: LinkState, reason: str) -> None:
        """A line in the log when it says something new: a port that stays away is tried for days."""
        if state in {"opening", "configured"} or (state, reason) == self._logged:
            return
        self._logged = (state, reason)
        level = logging.INFO if state == "up" else logging.WARNING
        log.log(level, "serial link %s is %s%s", self.name, state, f": {reason}" if reason else "")

    def _lose(self, reason: str) -> None:
        if self._port is not None:
            self._port.lose(reason)

    async def _settle(self) -> None:
        """Let frames that were heard reach the journal; their senders repeat whatever does not."""
        if self._recording:
            await asyncio.wait(set(self._recording), timeout=SETTLE_WITHIN)
        for task in set(self._recording):
            task.cancel()
