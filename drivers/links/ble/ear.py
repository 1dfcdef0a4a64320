"""One adapter of the link: opened, listened on, recovered, for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.links.back_off import BackOff
from drivers.links.ble.radio import Radio
from drivers.links.ble.scan import Scan
from drivers.links.ble.slots import Slots
from drivers.links.link import LinkState

SOFT_RESET_AFTER, HARD_RESET_AFTER = 3, 4
"""Openings in a row that came to nothing, after which the adapter is switched off and on, and reset."""


@dataclass(slots=True, eq=False)
class Ear:
    """An adapter with its scan and its connection slots.

    detected: what it heard. opened: it is there, with the devices whose links are up already. closed: it is gone, and
    everything that went through it must be let go. changed: its state is another. busy: a connection goes through it.
    """

    radio: Radio
    slots: Slots
    silence: float
    back_off: BackOff
    detected: Callable[[Ear, BLEDevice, AdvertisementData], None]
    opened: Callable[[Ear, list[BLEDevice]], None]
    closed: Callable[[Ear], Awaitable[None]]
    changed: Callable[[], None]
    busy: Callable[[Ear], bool]
    state: LinkState = "configured"
    reason: str = ""
    scan: Scan = field(init=False)
    is_open: bool = False
    _fruitless: int = 0

    def __post_init__(self) -> None:
        """Make its scan."""
        self.scan = Scan(
            self.radio, self._on_advertisement, self.silence, self._look, busy=lambda: self.busy(self)
        )

    async def run(self) -> None:
        """Open, listen, recover, for ever; ends only by cancellation."""
        try:
            while True:
                self._become("opening", "")
                self._fruitless += 1
                reason = await self._once()
                self._become("down", reason)
                await asyncio.sleep(self.back_off.wait())
                await self._reset_if_it_never_works()
        finally:
            self._become("configured", "")

    async def _once(self) -> str:
        """One opening of the adapter; returns why it ended."""
        try:
            await self.radio.open()
            self.is_open = True
            self.opened(self, await self.radio.connected())
            return await self._listen()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            return f"{self.radio.name}: {error or type(error).__name__}"
        finally:
            self.is_open = False
            await self.closed(self)
            await self.radio.close()

    async def _listen(self) -> str:
        """Scan until the adapter goes away; returns why it ended."""
        scan = asyncio.create_task(self.scan.run(), name=f"ble scan {self.radio.name}")
        gone = asyncio.create_task(self.radio.gone.wait(), name=f"ble adapter gone {self.radio.name}")
        try:
            await asyncio.wait({scan, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return f"{self.radio.name}: the adapter went away"
            await scan
            return f"{self.radio.name}: the scan ended"
        finally:
            await settle({scan, gone})

    async def _reset_if_it_never_works(self) -> None:
        """An adapter that refuses to scan again and again may need what a deaf one needs."""
        failed = self._fruitless
        if failed == SOFT_RESET_AFTER or (failed >= HARD_RESET_AFTER and failed & (failed - 1) == 0):
            await self.scan.reset(hard=failed >= HARD_RESET_AFTER)

    def _on_advertisement(self, device: BLEDevice, data: AdvertisementData) -> None:
        self.back_off.reset()
        self._fruitless = 0
        self.detected(self, device, data)

    def _look(self) -> None:
        """Work out the state anew from what the scan says."""
        if not self.scan.running:
            return
        self._fruitless = 0
        tried = f"; the adapter was reset {self.scan.resets} times" if self.scan.resets else ""
        trouble = f"; not reset: {self.scan.trouble}" if self.scan.trouble else ""
        if self.scan.deaf:
            self._become("down", f"{self.radio.name}: nothing is heard any more{tried}{trouble}")
        elif self.scan.quiet:
            self._become("degraded", f"{self.radio.name}: nothing heard for {self.silence:g} s{trouble}")
        elif caution := self.radio.caution:
            self._become("degraded", f"{self.radio.name}: {caution}")
        else:
            self._become("up", "")

    def _become(self, state: LinkState, reason: str) -> None:
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason = state, reason
            self.changed()


async def settle(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """End tasks and wait until they have cleaned up."""
    ended = list(tasks)
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)
