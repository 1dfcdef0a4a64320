"""libosdp's controller of one RS-485 line, driven by one worker thread for all lines of the process.

Only the worker touches libosdp; the event loop hands it jobs and bytes, and hears of events through
`call_soon_threadsafe`. libosdp puts a device that failed aside for 300 seconds; the cure, measured, is to disable
it, wait 0.3 s and enable it again, which the link asks for (`toggle`).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from osdp import (
    Capability,
    Channel,
    Command,
    ControlPanel,
    Event,
    LibFlag,
    LogLevel,
    PDInfo,
    StatusReportType,
)

from drivers.protocols import osdp
from drivers.protocols.osdp_asking import Asking

log = logging.getLogger(__name__)

REFRESH_EVERY: Final = 0.02
OFF_FOR: Final = 0.3
MAX_HELD: Final = 65_536
"""Bytes that wait for libosdp; more is noise that nobody reads."""

REPORTS: Final = {StatusReportType.Local: osdp.LSTATR, StatusReportType.Input: osdp.ISTATR,
                  StatusReportType.Output: osdp.OSTATR, StatusReportType.Remote: osdp.RSTATR}  # fmt: skip


NEEDS: Final = {
    StatusReportType.Local: None,
    StatusReportType.Input: Capability.ContactStatusMonitoring,
    StatusReportType.Output: Capability.OutputControl,
    StatusReportType.Remote: Capability.Readers,
}
"""What a device must have for a status to be asked for."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One device on the line. key: its Secure Channel key.

    install: a device that still has everybody's key (SCBK-D) is spoken to with that, given this key and then spoken
    to with this one; for installing only.
    ask_every: seconds between two questions about its contacts, outputs, casing and power.
    """

    address: int
    key: bytes
    install: bool = False
    ask_every: float = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which devices are online, and which with Secure Channel."""

    online: frozenset[int] = frozenset()
    secure: frozenset[int] = frozenset()


class _Wire(Channel):  # type: ignore[misc]  # libosdp is untyped
    """Two buffers: what the port delivered, and what goes out."""

    def __init__(self, put: Callable[[bytes], None]) -> None:
        super().__init__()
        self._put = put
        self._held = bytearray()
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Bytes came from the port."""
        with self._lock:
            self._held += data
            del self._held[:-MAX_HELD]

    def read(self, max_bytes: int) -> bytes:
        """What libosdp takes."""
        with self._lock:
            taken = bytes(self._held[:max_bytes])
            del self._held[:max_bytes]
        return taken

    def write(self, buf: bytes) -> int:
        """What libosdp sends."""
        self._put(bytes(buf))
        return len(buf)

    def flush(self) -> None:
        """Forget what came."""
        with self._lock:
            self._held.clear()


class Bus:
    """One line's controller. Everything but `feed` and `ask` runs in the worker thread.

    put: bytes for the port. heard: (address, code and data). ended: (address, command, whether it was done).
    changed: a new snapshot. All four are called in the worker thread and must only hand over.
    """

    def __init__(
        self,
        readers: tuple[Reader, ...],
        put: Callable[[bytes], None],
        heard: Callable[[int, bytes], None],
        ended: Callable[[int, bytes, bool], None],
        changed: Callable[[Snapshot], None],
    ) -> None:
        self._readers = readers
        self._wire = _Wire(put)
        self._heard, self._ended, self._changed = heard, ended, changed
        self._jobs: deque[Callable[[], None]] = deque(maxlen=256)
        self._enable_at: dict[int, float] = {}
        self._panel: Any = None
        self._snapshot = Snapshot()
        self._asking = {one.address: Asking(tuple(NEEDS), one.ask_every) for one in readers}

    def feed(self, data: bytes) -> None:
        """Bytes came from the port."""
        self._wire.feed(data)

    def ask(self, job: Callable[[], None]) -> None:
        """Have something done in the worker thread before its next round."""
        self._jobs.append(job)

    def unlock(self, address: int, payload: bytes) -> None:
        """Submit an unlock; a refusal at once ends it as not done."""
        output, seconds = osdp.read_unlock(payload)
        command = {
            "command": Command.Output,
            "output_no": output,
            "control_code": osdp.TEMPORARILY_ON,
            "timer_count": round(seconds * 10),
        }
        if not self._panel.submit_command(address, command):
            self._ended(address, payload, False)

    def toggle(self, address: int) -> None:
        """End the 300 seconds: off now, on again a moment later."""
        self._panel.disable_pd(address)
        self._enable_at[address] = time.monotonic() + OFF_FOR

    def step(self) -> None:
        """One round of the worker."""
        if self._panel is None:
            self._panel = self._make()
        while self._jobs:
            self._jobs.popleft()()
        self._enable()
        self._panel.ctx.refresh()
        self._look()
        self._ask_for_status()

    def close(self) -> None:
        """Let go of libosdp's memory."""
        self._panel = None

    def _make(self) -> Any:
        infos = [PDInfo(one.address, self._wire, scbk=one.key, flags=_flags(one)) for one in self._readers]
        panel = ControlPanel(infos, log_level=LogLevel.Emergency)
        panel.lock = threading.Lock()
        panel.ctx.set_event_callback(
            self._event
        )  # libosdp's own callback also fills a queue that nobody empties
        panel.set_command_completion_handler(self._completed)
        return panel

    def _enable(self) -> None:
        now = time.monotonic()
        for address in [one for one, at in self._enable_at.items() if at <= now]:
            del self._enable_at[address]
            self._panel.enable_pd(address)

    def _look(self) -> None:
        online, secure = self._panel.status(), self._panel.sc_status()
        addresses = [one.address for one in self._readers]
        snapshot = Snapshot(_named(online, addresses), _named(secure, addresses))
        if snapshot != self._snapshot:
            self._snapshot = snapshot
            self._changed(snapshot)

    def _ask_for_status(self) -> None:
        """A device tells by itself what changed, if it wants to; a forced door must not depend on that."""
        now = time.monotonic()
        for one in self._readers:
            asking = self._asking[one.address]
            ready = self._snapshot.secure
            if one.address not in ready:
                asking.begin_anew()
            elif (status := asking.next(now)) is not None and self._can(one.address, status):
                report = {"command": Command.Status, "type": status, "report": b""}
                if not self._panel.submit_command(one.address, report):
                    asking.ended(now, done=False)

    def _can(self, address: int, status: int) -> bool:
        """Whether it has what is asked about; a question it refuses would cost it two seconds on the line."""
        needs = NEEDS[status]
        able = needs is None or self._panel.check_capability(address, needs)[1] > 0
        if not able:
            self._asking[address].leave_out(status)
        return able

    def _event(self, number: int, event: Mapping[str, Any]) -> int:
        try:
            reply = reply_of(event)
        except (KeyError, TypeError, ValueError):
            log.exception("an OSDP event could not be read")
            return 0
        if reply:
            self._heard(self._readers[number].address, reply)
        return 0

    def _completed(self, address: int, command: Mapping[str, Any], status: int) -> None:
        if command.get("command") == Command.Status:
            self._asking[address].ended(time.monotonic(), done=status == 0)
        if command.get("command") != Command.Output:
            return
        payload = osdp.write_unlock(command["output_no"], command["timer_count"] / 10)
        self._ended(address, payload, status == 0)


def reply_of(event: Mapping[str, Any]) -> bytes:
    """A libosdp event as it stood in the packet: code and data. Keys are counted, never told. Empty for notices."""
    kind = event["event"]
    if kind == Event.CardRead:
        return bytes([osdp.RAW, event["reader_no"], event["format"] & 0xFF]) + _card(
            event["length"], event["data"]
        )
    if kind == Event.KeyPress:
        count = min(255, len(event["data"]))
        return bytes([osdp.KEYPAD, event["reader_no"], count]) + b"*" * count
    if kind == Event.Status:
        return bytes([REPORTS[event["type"]]]) + bytes(event["report"])
    return b""


def _card(length: int, data: bytes) -> bytes:
    return int(length).to_bytes(2, "little") + bytes(data)


def _flags(reader: Reader) -> list[int]:
    return [LibFlag.InstallMode if reader.install else LibFlag.EnforceSecure]


def _named(mask: int, addresses: list[int]) -> frozenset[int]:
    return frozenset(address for number, address in enumerate(addresses) if mask & (1 << number))


@dataclass(slots=True)
class Worker:
    """The thread that drives every bus of the process. It lives while there is a bus."""

    _buses: list[Bus] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def add(self, bus: Bus) -> None:
        """Drive this bus from now on."""
        with self._lock:
            self._buses.append(bus)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="osdp", daemon=True)
                self._thread.start()

    def remove(self, bus: Bus) -> None:
        """Drive it no more; when this returns the worker does not touch it."""
        with self._lock, contextlib.suppress(ValueError):
            self._buses.remove(bus)
            bus.close()

    def _run(self) -> None:
        while True:
            begin = time.monotonic()
            with self._lock:
                if not self._buses:
                    self._thread = None
                    return
                for bus in self._buses:
                    self._step(bus)
            time.sleep(max(0.002, REFRESH_EVERY - (time.monotonic() - begin)))

    def _step(self, bus: Bus) -> None:
        try:
            bus.step()
        except Exception:
            log.exception("an OSDP line could not be driven")


WORKER: Final = Worker()
