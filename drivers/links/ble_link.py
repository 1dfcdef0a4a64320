"""The Bluetooth LE link: one adapter or several, a scan on each, the registered devices behind them.

Advertisements of registered devices become frames (`adv:fcd2`), connectable ones are connected to and what
they notify, indicate and answer becomes frames (channel: the characteristic's UUID). Strangers are counted,
not journaled. A frame is handed to the journal in the callback that brought it. BlueZ confirms an indication to the
device before we hear of it; on our own backend the confirmation waits for the receipt.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.device_type import BleUse, Outgoing
from drivers.events import Frame, Millis
from drivers.links.back_off import BackOff
from drivers.links.ble.ear import Ear, settle
from drivers.links.ble.radio import Radio
from drivers.links.ble.repeats import Repeats
from drivers.links.ble.routes import Routes
from drivers.links.ble.session import Patience, Session
from drivers.links.ble.sightings import Sightings
from drivers.links.ble.slots import Slots
from drivers.links.link import Hear, LinkDown, LinkHealth, LinkState

log = logging.getLogger(__name__)

MOST_UNRECORDED = 2000
"""Frames on their way to the journal. Beyond that new ones are lost, counted, and the link is degraded."""
RECORD_WITHIN = 2.0
"""Seconds in which frames already heard may still reach the journal when the link is ended."""
BASE_TAIL = "-0000-1000-8000-00805f9b34fb"


class BleLink:
    """All Bluetooth LE devices of one gateway.

    radios: its adapters; a device is connected to through the one that hears it best and has a slot free.
    units: how each registered device is listened to, by lower-case address. now: world time for frames.
    slots: connections each adapter keeps at a time.
    """

    def __init__(
        self,
        name: str,
        radios: Sequence[Radio],
        units: Mapping[str, BleUse],
        now: Callable[[], Millis],
        *,
        slots: int = 5,
        patience: Patience | None = None,
        back_off: Callable[[], BackOff] = BackOff,
        on_change: Callable[[LinkHealth], None] | None = None,
    ) -> None:
        self.name = name
        self._units = {address.lower(): use for address, use in units.items()}
        self._now = now
        self._patience = patience or Patience()
        self._on_change = on_change
        self._sightings = Sightings()
        self._routes = Routes(self._sightings, several=len(radios) > 1)
        self._repeats = Repeats()
        # A lock must not wait behind meters that stay connected: one slot is for devices visited by reason.
        kept = 1 if any(use.calls is not None for use in units.values()) else 0
        self._ears = [self._ear(radio, Slots(slots, kept=kept), back_off()) for radio in radios]
        self._sessions: dict[str, Session] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._recording: set[asyncio.Task[bool]] = set()
        self._hear: Hear | None = None
        self._overflown = False
        self._state: LinkState = "configured"
        self._reason = ""
        self._since = now()
        self._counters: dict[str, int] = {}

    async def run(self, hear: Hear) -> None:
        """Open the adapters, listen, recover, for ever; ends only by cancellation."""
        self._hear = hear
        try:
            self._begin_sessions()
            await asyncio.gather(*(ear.run() for ear in self._ears))
        finally:
            await settle({task for address in list(self._running) if (task := self._end(address))})
            if self._recording:
                await asyncio.wait(self._recording, timeout=RECORD_WITHIN)
            self._become("configured", "")

    async def send(self, address: str, outgoing: Outgoing) -> None:
        """Write to a connected device; waits for its connection as long as `outgoing.wait` allows."""
        use = self._units.get(address.lower())
        if use is None or not use.subscribe:
            raise LinkDown(f"{address} is no device that this gateway connects to")
        session = self._sessions.get(address.lower())
        if session is None or not any(ear.is_open for ear in self._ears):
            raise LinkDown(f"Bluetooth is not open: {self._reason or 'not yet opened'}")
        await session.send(outgoing)

    def health(self) -> LinkHealth:
        """State and counters; `strangers` is the number of unregistered devices heard lately."""
        counters = {
            **self._counters,
            "strangers": len(self._sightings.strangers),
            "adapters": sum(ear.state in {"up", "degraded"} for ear in self._ears),
            "scan_restarts": sum(ear.scan.restarts for ear in self._ears),
            "adapter_resets": sum(ear.scan.resets for ear in self._ears),
            "connected": sum(session.connected for session in self._sessions.values()),
            "failing": sum(session.failing for session in self._sessions.values()),
            "waiting_for_a_slot": sum(ear.slots.waiting for ear in self._ears),
        }
        return LinkHealth(self._state, counters, self._since, self._reason)

    def set_units(self, units: Mapping[str, BleUse]) -> None:
        """Change which devices are listened to, as the registry changes; the others go on undisturbed."""
        fresh = {address.lower(): use for address, use in units.items()}
        for address in [known for known, use in self._units.items() if fresh.get(known) != use]:
            self._repeats.forget(address)
            self._end(address)
        self._units = fresh
        if self._hear is not None:
            self._begin_sessions()

    # -- adapters

    def _ear(self, radio: Radio, slots: Slots, back_off: BackOff) -> Ear:
        return Ear(
            radio=radio,
            slots=slots,
            silence=self._patience.silence,
            back_off=back_off,
            detected=self._on_advertisement,
            opened=self._on_opened,
            closed=self._on_closed,
            changed=self._look,
            busy=lambda ear: any(one.ear is ear and one.connected for one in self._sessions.values()),
        )

    def _on_opened(self, ear: Ear, connected: list[BLEDevice]) -> None:
        """Links may have outlived our restart: their devices do not advertise, so they must be taken up from here."""
        for device in connected:
            if device.address.lower() in self._units:
                self._count("taken_over")
                self._sightings.saw(device, ear, 0, asyncio.get_running_loop().time())

    async def _on_closed(self, ear: Ear) -> None:
        """Let go what went through an adapter that is gone, and begin anew with whatever hears the devices still."""
        self._sightings.forget(ear)
        lost = [address for address, session in self._sessions.items() if session.ear is ear]
        await settle({task for address in lost if (task := self._end(address))})
        self._begin_sessions()

    # -- sessions

    def _begin_sessions(self) -> None:
        for address, use in self._units.items():
            if use.subscribe and address not in self._running:
                session = self._session(address, use)
                self._sessions[address] = session
                self._running[address] = asyncio.create_task(session.run(), name=f"{self.name} {address}")

    def _session(self, address: str, use: BleUse) -> Session:
        return Session(
            address=address,
            use=use,
            routes=self._routes,
            tell=self._tell,
            count=self._count,
            now=self._now,
            patience=self._patience,
        )

    def _end(self, address: str) -> asyncio.Task[None] | None:
        self._sessions.pop(address, None)
        task = self._running.pop(address, None)
        if task is not None:
            task.cancel()
        return task

    # -- what is heard

    def _on_advertisement(self, ear: Ear, device: BLEDevice, data: AdvertisementData) -> None:
        address = device.address.lower()
        use = self._units.get(address)
        if use is None:
            self._sightings.saw_stranger(address)
            self._count("strange_advertisements")
            return
        now = asyncio.get_running_loop().time()
        self._sightings.saw(device, ear, data.rssi, now)
        if (session := self._sessions.get(address)) is not None:
            session.called(data.manufacturer_data)
        for uuid, payload in data.service_data.items():
            channel = channel_of(uuid)
            if channel not in use.adverts:
                continue
            if self._repeats.is_news(address, channel, payload, now):
                self._tell(address, channel, payload)
            else:
                self._count("repeats")

    def _tell(self, address: str, channel: str, payload: bytes) -> asyncio.Future[bool] | None:
        """Hand a frame to the journal; what is returned says once it is known whether it was written down."""
        if len(self._recording) >= MOST_UNRECORDED:
            self._count("lost")
            self._overflown = True
            self._look()
            return None
        self._count("frames")
        frame = Frame(link=self.name, address=address, payload=payload, heard=self._now(), channel=channel)
        task = _at_once(self._record(frame))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return task

    async def _record(self, frame: Frame) -> bool:
        assert self._hear is not None
        try:
            receipt = await self._hear(frame)
        except Exception:
            self._count("unrecorded")
            log.exception("a frame of %s could not be recorded", frame.address)
            return False
        if not receipt.accepted:
            self._count("unrecorded")
        if receipt.error:
            self._count("unreadable")
        if self._overflown and len(self._recording) < MOST_UNRECORDED // 2:
            self._overflown = False
            self._look()
        return receipt.accepted

    # -- how it is

    def _look(self) -> None:
        """Work out the state anew from the adapters and the queue."""
        hearing = [ear for ear in self._ears if ear.state in {"up", "degraded"}]
        wrong = "; ".join(ear.reason for ear in self._ears if ear.reason)
        if not hearing:
            down = any(ear.state == "down" for ear in self._ears)
            self._become("down" if down else "opening", wrong)
        elif self._overflown:
            self._become("degraded", "frames come faster than they can be written down, and some were lost")
        elif wrong:
            self._become("degraded", wrong)
        else:
            self._become("up", "")

    def _become(self, state: LinkState, reason: str) -> None:
        if (state, reason) == (self._state, self._reason):
            return
        if state != self._state:
            self._since = self._now()
        self._state, self._reason = state, reason
        if self._on_change is not None:
            self._on_change(self.health())

    def _count(self, what: str) -> None:
        self._counters[what] = self._counters.get(what, 0) + 1


def channel_of(uuid: str) -> str:
    """The channel of service data: short for the 16-bit UUIDs of the Bluetooth base, else the full UUID."""
    short = uuid.startswith("0000") and uuid.endswith(BASE_TAIL)
    return f"adv:{uuid[4:8] if short else uuid}"


def _at_once(work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
    """A task whose first part runs before this returns, so that a frame has its place in the journal's line.

    Python 3.11 cannot: there it runs in the loop's next turn, some tens of microseconds later and in the same order.
    """
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
    return asyncio.create_task(work)
