"""One long-lived scan, and the ladder that is climbed while it hears nothing.

bleak's scan dies silently when bluetoothd restarts and when an adapter hangs; only missing advertisements show
it. First a new scanner takes over, then the adapter is switched off and on, then it is reset as a device. An adapter
that hears nothing after that is called deaf. While a connection through it is up the adapter itself is alive, so that
nothing more than the scanner is renewed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.links.ble.radio import Radio

log = logging.getLogger(__name__)

START_WITHIN, STOP_WITHIN = 20.0, 5.0
NEW_SCANNER, POWER_CYCLE, RESET = 1, 2, 3
"""Rungs of the ladder."""
RAREST = 40
"""In a house where nothing ever advertises, the adapter is reset at most once in so many times the usual silence."""

Detected = Callable[[BLEDevice, AdvertisementData], None]


@dataclass(slots=True)
class Scan:
    """Scans until cancelled. silence: seconds without any advertisement after which the next rung is climbed.

    busy: whether a connection through this adapter is up. rung: the last one climbed since something was heard.
    trouble: why a reset failed, empty when none did.
    """

    radio: Radio
    detected: Detected
    silence: float
    on_change: Callable[[], None]
    busy: Callable[[], bool] = lambda: False
    restarts: int = 0
    resets: int = 0
    rung: int = 0
    running: bool = False
    trouble: str = ""
    _heard_at: float = 0.0

    @property
    def quiet(self) -> bool:
        """Whether a scanner heard nothing and its successor has not either."""
        return self.rung >= NEW_SCANNER

    @property
    def deaf(self) -> bool:
        """Whether even switching the adapter off and on has not helped."""
        return self.rung >= RESET

    async def run(self) -> None:
        """Scan for ever; raises BleakError or OSError when the adapter refuses to."""
        while True:
            scanner = BleakScanner(self._on_advertisement, **self.radio.scanner)
            async with asyncio.timeout(START_WITHIN):
                await scanner.start()
            self.running = True
            self.on_change()
            try:
                await self._until_silent()
            finally:
                self.running = False
                await self._stop(scanner)
            self.restarts += 1
            await self._climb()

    async def reset(self, *, hard: bool) -> None:
        """Reset the adapter; what goes wrong is remembered in `trouble`, and listening goes on."""
        self.resets += 1
        try:
            await self.radio.reset(hard=hard)
            self.trouble = ""
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            self.trouble = str(error) or type(error).__name__
            log.warning("%s: not reset: %s", self.radio.name, self.trouble)

    async def _climb(self) -> None:
        heard_nothing = "%s: nothing heard for %g s; %s"
        if self.busy():
            self.rung = NEW_SCANNER
            log.info(heard_nothing, self.radio.name, self.silence, "scanning anew")
            return
        self.rung += 1
        if self.rung == NEW_SCANNER:
            log.warning(heard_nothing, self.radio.name, self.silence, "scanning anew")
            return
        hard = self.rung >= RESET
        what = "resetting the adapter" if hard else "switching the adapter off and on"
        log.warning(heard_nothing, self.radio.name, self._patience(), what)
        await self.reset(hard=hard)

    def _patience(self) -> float:
        return self.silence * min(RAREST, 1 << max(0, min(self.rung, 10) - RESET))

    def _on_advertisement(self, device: BLEDevice, data: AdvertisementData) -> None:
        if not self.radio.is_advertisement(data):
            return
        self._heard_at = asyncio.get_running_loop().time()
        if self.rung:
            self.rung = 0
            self.trouble = ""
            self.on_change()
        self.detected(device, data)

    async def _until_silent(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        while True:
            left = max(started, self._heard_at) + self._patience() - loop.time()
            if left <= 0:
                return
            await asyncio.sleep(left)  # every advertisement heard meanwhile has moved the end

    @staticmethod
    async def _stop(scanner: BleakScanner) -> None:
        # A dead scan answers "No discovery started", which is what we wanted anyway.
        with contextlib.suppress(BleakError, TimeoutError, EOFError, OSError):
            async with asyncio.timeout(STOP_WITHIN):
                await scanner.stop()
