"""Through which adapter a device is connected to: where it is heard best, among those that have a slot free."""

from __future__ import annotations

import asyncio
from typing import cast

from bleak.backends.device import BLEDevice

from drivers.links.ble.ear import Ear
from drivers.links.ble.sightings import Sightings


class Routes:
    """What sessions know of the adapters."""

    def __init__(self, sightings: Sightings) -> None:
        self._sightings = sightings

    async def heard(self, address: str) -> None:
        """Wait until a device has been heard since `used`."""
        await self._sightings.heard(address)

    def used(self, address: str) -> None:
        """The newest sighting is being acted on."""
        self._sightings.used(address)

    def newest(self, address: str, ear: Ear) -> BLEDevice | None:
        """The newest handle of a device at an adapter."""
        return self._sightings.newest(address, ear)

    def best(self, address: str, *, urgent: bool) -> Ear | None:
        """The adapter to go through, or to wait at where all are full; None: nobody hears the device."""
        now = asyncio.get_running_loop().time()
        ears = cast("list[Ear]", self._sightings.by_strength(address, now))
        return next((one for one in ears if one.slots.free(urgent=urgent)), ears[0] if ears else None)
