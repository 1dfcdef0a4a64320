"""Through which adapter a device is connected to: where it is heard best, among those that have a slot free."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from typing import cast

from bleak.backends.device import BLEDevice

from drivers.links.ble.ear import Ear
from drivers.links.ble.sightings import Sightings

LOOK_AGAIN = 2.0
"""Seconds a device waits at one full adapter before it looks whether another that hears it has a slot."""


class Routes:
    """What sessions know of the adapters. several: whether there is more than one, and looking again makes sense."""

    def __init__(self, sightings: Sightings, *, several: bool) -> None:
        self._sightings = sightings
        self._several = several

    async def heard(self, address: str) -> None:
        """Wait until a device has been heard since `used`."""
        await self._sightings.heard(address)

    def used(self, address: str) -> None:
        """The newest sighting is being acted on."""
        self._sightings.used(address)

    def newest(self, address: str, ear: Ear) -> BLEDevice | None:
        """The newest handle of a device at an adapter."""
        return self._sightings.newest(address, ear)

    async def slot(self, address: str, held: AsyncExitStack, *, urgent: bool) -> Ear | None:
        """Take a slot for as long as `held` lasts; the adapter it is at, or None when nobody hears the device."""
        while (ear := self.best(address, urgent=urgent)) is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN if self._several else None):
                    await held.enter_async_context(ear.slots.one(urgent=urgent))
                return ear
        return None

    def best(self, address: str, *, urgent: bool) -> Ear | None:
        """The adapter to go through, or to wait at where all are full; None: nobody hears the device."""
        now = asyncio.get_running_loop().time()
        ears = cast("list[Ear]", self._sightings.by_strength(address, now))
        return next((one for one in ears if one.slots.free(urgent=urgent)), ears[0] if ears else None)
