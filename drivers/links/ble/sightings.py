"""Who is on the air and where they are heard best: the newest handle of each registered device at each adapter.

bleak wants a `BLEDevice` from a running scan, never an address: an address makes it scan a second time, and
BlueZ forgets devices it has not heard for a while.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

from bleak.backends.device import BLEDevice

MOST_STRANGERS = 1024
"""Strange addresses remembered for counting; phones change theirs every quarter of an hour."""
FRESH = 30.0
"""Seconds for which a sighting outweighs every older one, however strong that was."""
NO_STRENGTH = -127


@dataclass(frozen=True, slots=True)
class Sighting:
    """A device as one adapter heard it last. rssi: dBm. at: monotonic seconds."""

    device: BLEDevice
    rssi: int
    at: float


@dataclass(slots=True)
class _Seen:
    by: dict[Hashable, Sighting] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Sightings:
    """The devices heard, by lower-case address; adapters are told apart by whatever object stands for them."""

    strangers: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def saw(self, device: BLEDevice, adapter: Hashable, rssi: int, now: float) -> None:
        """A registered device was heard; whoever waits for it wakes."""
        seen = self._seen.setdefault(device.address.lower(), _Seen())
        seen.by[adapter] = Sighting(device, rssi, now)
        seen.heard.set()

    def saw_stranger(self, address: str) -> None:
        """A device nobody registered was heard; it is only counted."""
        self.strangers[address] = None
        self.strangers.move_to_end(address)
        if len(self.strangers) > MOST_STRANGERS:
            self.strangers.popitem(last=False)

    def newest(self, address: str, adapter: Hashable) -> BLEDevice | None:
        """The newest handle of a device at one adapter."""
        seen = self._seen.get(address)
        sighting = None if seen is None else seen.by.get(adapter)
        return None if sighting is None else sighting.device

    def by_strength(self, address: str, now: float) -> list[Hashable]:
        """The adapters that have heard a device: lately before long ago, strong before weak."""
        by = self._seen[address].by if address in self._seen else {}
        return sorted(by, key=lambda one: (now - by[one].at > FRESH, -by[one].rssi))

    async def heard(self, address: str) -> None:
        """Wait until a device has been heard since `used`."""
        await self._seen.setdefault(address, _Seen()).heard.wait()

    def used(self, address: str) -> None:
        """The newest sighting is being acted on; only a later one counts again."""
        self._seen.setdefault(address, _Seen()).heard.clear()

    def forget(self, adapter: Hashable) -> None:
        """An adapter went away and its handles with it; those who wait go on waiting."""
        for seen in self._seen.values():
            seen.by.pop(adapter, None)
            if not seen.by:
                seen.heard.clear()
