"""The Bluetooth LE link: one adapter, one scan, the registered devices behind it.

Advertisements of registered devices become frames (`adv:fcd2`), connectable ones are connected to and what
they notify, indicate and answer becomes frames (channel: the characteristic's UUID). Strangers are counted,
not journaled. Bluetooth cannot wait for our commit: a frame is handed over at once and the receipt only counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.device_type import BleUse, Outgoing
from drivers.events import Frame, Millis
from drivers.links.back_off import BackOff
from drivers.links.ble.radio import Radio
from drivers.links.ble.repeats import Repeats
from drivers.links.ble.scan import Scan
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

    units: how each registered device is listened to, by lower-case address. now: world time for frames.
    slots: connections the adapter keeps at a time.
    """

    def __init__(
        self,
        name: str,
        radio: Radio,
        units: Mapping[str, BleUse],
        now: Callable[[], Millis],
        *,
        slots: int = 5,
        patience: Patience | None = None,
        back_off: BackOff | None = None,
        on_change: Callable[[LinkHealth], None] | None = None,
    ) -> None:
        self.name = name
        self._radio = radio
        self._units = {address.lower(): use for address, use in units.items()}
        self._now = now
        self._patience = patience or Patience()
        self._back_off = back_off or BackOff()
        self._on_change = on_change
        # A lock must not wait behind meters that stay connected: one slot is for devices visited by reason.
        by_reason = any(use.calls is not None for use in units.values())
        self._slots = Slots(slots, kept=1 if by_reason else 0)
        self._sightings = Sightings()
        self._repeats = Repeats()
        self._scan = Scan(radio, self._on_advertisement, self._patience.silence, self._look)
        self._sessions: dict[str, Session] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._recording: set[asyncio.Task[None]] = set()
        self._hear: Hear | None = None
        self._overflown = False
        self._state: LinkState = "configured"
        self._reason = ""
        self._since = now()
        self._counters: dict[str, int] = {}

    async def run(self, hear: Hear) -> None:
        """Open the adapter, listen, recover, for ever; ends only by cancellation."""
        self._hear = hear
        try:
            while True:
                self._become("opening", "")
                reason = await self._once()
                self._become("down", reason)
                await asyncio.sleep(self._back_off.wait())
        finally:
            if self._recording:
                await asyncio.wait(self._recording, timeout=RECORD_WITHIN)
            self._become("configured", "")

    async def send(self, address: str, outgoing: Outgoing) -> None:
        """Write to a connected device; waits for its connection as long as `outgoing.wait` allows."""
        use = self._units.get(address.lower())
        if use is None or not use.subscribe:
            raise LinkDown(f"{address} is no device that this gateway connects to")
        session = self._sessions.get(address.lower())
        if session is None:
            raise LinkDown(f"Bluetooth is not open: {self._reason or 'not yet opened'}")
        await session.send(outgoing)

    def health(self) -> LinkHealth:
        """State and counters; `strangers` is the number of unregistered devices heard lately."""
        counters = {
            **self._counters,
            "strangers": len(self._sightings.strangers),
            "scan_restarts": self._scan.restarts,
            "connected": sum(session.connected for session in self._sessions.values()),
            "failing": sum(session.failing for session in self._sessions.values()),
            "waiting_for_a_slot": self._slots.waiting,
        }
        return LinkHealth(self._state, counters, self._since, self._reason)

    def set_units(self, units: Mapping[str, BleUse]) -> None:
        """Change which devices are listened to, as the registry changes; the others go on undisturbed."""
        fresh = {address.lower(): use for address, use in units.items()}
        for address in [known for known, use in self._units.items() if fresh.get(known) != use]:
            self._repeats.forget(address)
            self._end(address)
        self._units = fresh
        if self._scan.running:
            self._begin_sessions()

    # -- one opening of the adapter

    async def _once(self) -> str:
        try:
            await self._radio.open()
            for device in await self._radio.connected():
                self._take_over(device)
            self._begin_sessions()
            return await self._listen()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            return f"{self._radio.name}: {error or type(error).__name__}"
        finally:
            await _settle({task for address in list(self._running) if (task := self._end(address))})
            self._sightings.forget_all()
            await self._radio.close()

    async def _listen(self) -> str:
        """Scan until the adapter goes away; returns why it ended."""
        scan = asyncio.create_task(self._scan.run(), name=f"{self.name} scan")
        gone = asyncio.create_task(self._radio.gone.wait(), name=f"{self.name} adapter gone")
        try:
            await asyncio.wait({scan, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return f"{self._radio.name}: the adapter went away"
            await scan
            return f"{self._radio.name}: the scan ended"
        finally:
            await _settle({scan, gone})

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
            radio=self._radio,
            sightings=self._sightings,
            slots=self._slots,
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

    def _on_advertisement(self, device: BLEDevice, data: AdvertisementData) -> None:
        self._back_off.reset()
        address = device.address.lower()
        use = self._units.get(address)
        if use is None:
            self._sightings.saw_stranger(address)
            self._count("strange_advertisements")
            return
        self._sightings.saw(device)
        if (session := self._sessions.get(address)) is not None:
            session.called(data.manufacturer_data)
        now = asyncio.get_running_loop().time()
        for uuid, payload in data.service_data.items():
            channel = channel_of(uuid)
            if channel not in use.adverts:
                continue
            if self._repeats.is_news(address, channel, payload, now):
                self._tell(address, channel, payload)
            else:
                self._count("repeats")

    def _take_over(self, device: BLEDevice) -> None:
        """A link outlived our restart: its device does not advertise, so it must be taken up from here."""
        if device.address.lower() in self._units:
            self._sightings.saw(device)

    def _tell(self, address: str, channel: str, payload: bytes) -> None:
        if len(self._recording) >= MOST_UNRECORDED:
            self._count("lost")
            self._overflown = True
            self._look()
            return
        self._count("frames")
        frame = Frame(link=self.name, address=address, payload=payload, heard=self._now(), channel=channel)
        task = asyncio.create_task(self._record(frame))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    async def _record(self, frame: Frame) -> None:
        assert self._hear is not None
        try:
            receipt = await self._hear(frame)
        except Exception:
            self._count("unrecorded")
            log.exception("a frame of %s could not be recorded", frame.address)
            return
        if not receipt.accepted:
            self._count("unrecorded")
        if receipt.error:
            self._count("unreadable")
        if self._overflown and len(self._recording) < MOST_UNRECORDED // 2:
            self._overflown = False
            self._look()

    # -- how it is

    def _look(self) -> None:
        """Work out the state anew from what the scan and the queue say."""
        if not self._scan.running:
            return
        if self._overflown:
            self._become("degraded", "frames come faster than they can be written down, and some were lost")
        elif self._scan.quiet:
            self._become("degraded", f"nothing heard for {self._patience.silence:g} s")
        else:
            self._become("up", "")

    def _become(self, state: LinkState, reason: str) -> None:
        if (state, reason) == (self._state, self._reason):
            return
        self._state, self._reason, self._since = state, reason, self._now()
        if self._on_change is not None:
            self._on_change(self.health())

    def _count(self, what: str) -> None:
        self._counters[what] = self._counters.get(what, 0) + 1


def channel_of(uuid: str) -> str:
    """The channel of service data: short for the 16-bit UUIDs of the Bluetooth base, else the full UUID."""
    short = uuid.startswith("0000") and uuid.endswith(BASE_TAIL)
    return f"adv:{uuid[4:8] if short else uuid}"


async def _settle(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """End tasks and wait until they have cleaned up."""
    ended = list(tasks)
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)
