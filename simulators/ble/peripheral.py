"""What every simulated Bluetooth device can do: come on the air, go silent, lose its link, come back.

A device is an object that outlives its radio: batteries are taken out and put back, its memory stays.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable

from bumble import core
from bumble.device import Device
from bumble.keys import MemoryKeyStore
from bumble.transport.common import TransportLostError

from simulators.radio import Air, Station, join

GONE = (core.BaseBumbleError, TransportLostError, asyncio.InvalidStateError, OSError)
"""What bumble raises when the radio is pulled away underneath."""


class Peripheral(ABC):
    """A device at a static random address. name: what it advertises. damage: what becomes of bytes it sends."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address.lower()
        self.bonds = MemoryKeyStore()
        self.damage: Callable[[bytes], bytes] | None = None
        self._air: Air | None = None
        self._station: Station | None = None

    @property
    def on_air(self) -> bool:
        """Whether it has power and is in range."""
        return self._station is not None

    @property
    def device(self) -> Device:
        """Its bumble device; raises RuntimeError while it is off the air."""
        if self._station is None:
            raise RuntimeError(f"{self.name} ({self.address}) is off the air")
        return self._station.device

    async def start(self, air: Air) -> None:
        """Come on the air: an `Ether` of this process or a hub's address, `tcp:HOST:PORT`."""
        self._air = air
        await self.wake()

    async def stop(self) -> None:
        """Leave for good."""
        await self.silence()
        self._air = None

    async def silence(self) -> None:
        """Go out of range or lose the battery: no farewell, links end by supervision timeout."""
        station, self._station = self._station, None
        if station is not None:
            await self._off_air()
            await station.vanish()

    async def wake(self) -> None:
        """Come back after `silence`, with the same memory."""
        if self._air is None:
            raise RuntimeError(f"{self.name} was never started")
        if self._station is None:
            self._station = await join(self._air, name=self.name, address=self.address, bonds=self.bonds)
            await self._come_on_air(self._station.device)

    async def lose_bonds(self) -> None:
        """Forget who it was paired with, as after a factory reset, and be there again."""
        await self.silence()
        self.bonds = MemoryKeyStore()
        await self.wake()

    async def lose_link(self) -> None:
        """Lose every connection at once, as by interference, and be there again."""
        await self.silence()
        await self.wake()

    @abstractmethod
    async def _come_on_air(self, device: Device) -> None:
        """Offer services, begin to advertise."""

    @abstractmethod
    async def _off_air(self) -> None:
        """End what runs while on the air."""


async def end(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and wait until it has ended."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, *GONE):
            await task
