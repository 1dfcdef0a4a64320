"""One long-lived scan with a watchdog.

bleak's scan dies silently when bluetoothd restarts and when an adapter hangs; only missing advertisements show
it. The cure is a new scanner object, and patience with errors while stopping the old one.
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

STOP_WITHIN = 5.0

Detected = Callable[[BLEDevice, AdvertisementData], None]


@dataclass(slots=True)
class Scan:
    """Scans until cancelled. silence: seconds without any advertisement after which the scan is begun anew.

    quiet: whether the last scanner ended that way and its successor has heard nothing either.
    """

    radio: Radio
    detected: Detected
    silence: float
    on_change: Callable[[], None]
    restarts: int = 0
    quiet: bool = False
    running: bool = False
    _heard_at: float = 0.0

    async def run(self) -> None:
        """Scan for ever; raises BleakError or OSError when the adapter refuses to."""
        while True:
            scanner = BleakScanner(self._on_advertisement, **self.radio.scanner)
            await scanner.start()
            self.running = True
            self.on_change()
            try:
                await self._until_silent()
            finally:
                self.running = False
                await self._stop(scanner)
            self.quiet = True
            self.restarts += 1
            log.warning("%s: nothing heard for %g s; scanning anew", self.radio.name, self.silence)

    def _on_advertisement(self, device: BLEDevice, data: AdvertisementData) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if self.quiet:
            self.quiet = False
            self.on_change()
        self.detected(device, data)

    async def _until_silent(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        while True:
            left = max(started, self._heard_at) + self.silence - loop.time()
            if left <= 0:
                return
            await asyncio.sleep(left)  # every advertisement heard meanwhile has moved the end

    @staticmethod
    async def _stop(scanner: BleakScanner) -> None:
        # A dead scan answers "No discovery started", which is what we wanted anyway.
        with contextlib.suppress(BleakError, TimeoutError, EOFError, OSError):
            async with asyncio.timeout(STOP_WITHIN):
                await scanner.stop()
