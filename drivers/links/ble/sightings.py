"""Who is on the air: the newest handle of each registered device, and how many strangers there are.

bleak wants a `BLEDevice` from a running scan, never an address: an address makes it scan a second time, and
BlueZ forgets devices it has not heard for a while.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from bleak.backends.device import BLEDevice

MOST_STRANGERS = 1024
"""Strange addresses remembered for counting; phones change theirs every quarter of an hour."""


@dataclass(slots=True)
class _Seen:
    device: BLEDevice | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Sightings:
    """The devices heard, by lower-case address."""

    strangers: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def saw(self, device: BLEDevice) -> None:
        """A registered device was heard; whoever waits for it wakes."""
        seen = self._seen.setdefault(device.address.lower(), _Seen())
        seen.device = device
        seen.heard.set()

    def saw_stranger(self, address: str) -> None:
        """A device nobody registered was heard; it is only counted."""
        self.strangers[address] = None
        self.strangers.move_to_end(address)
        if len(self.strangers) > MOST_STRANGERS:
            self.strangers.popitem(last=False)

    def newest(self, address: str) -> BLEDevice | None:
        """The newest handle of a device."""
        seen = self._seen.get(address)
        return None if seen is None else seen.device

    async def heard(self, address: str) -> None:
        """Wait until a device has been heard since `used`."""
        await self._seen.setdefault(address, _Seen()).heard.wait()

    def used(self, address: str) -> None:
        """The newest sighting is being acted on; only a later one counts again."""
        self._seen.setdefault(address, _Seen()).heard.clear()

    def forget_all(self) -> None:
        """The adapter went away and its handles with it; those who wait go on waiting."""
        for seen in self._seen.values():
            seen.device = None
            seen.heard.clear()
