"""A device that speaks BTHome v2 by advertisement: bursts, packet ids, the encryption counter, faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bumble.device import AdvertisingType, Device

from simulators.ble import bthome_frame
from simulators.ble.peripheral import GONE, Peripheral, end

BURST = 0.5  # seconds of real time a message is repeated on the air
INTERVAL = 30.0  # ms between the repetitions
HOUR = 3600.0


class BthomeSender(Peripheral):
    """A connectionless BTHome device.

    key: 16 bytes, None sends unencrypted. counter: the next encryption counter. battery: percent.
    beacon: seconds between signs of life, None for a device that only ever reports. sleep: how to wait for
    them, so that a scenario's own time can be used. burst: seconds of real time a message is on the air.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        key: bytes | None = None,
        counter: int = 1,
        battery: int = 100,
        beacon: float | None = HOUR,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(name, address)
        self.key = key
        self.counter = counter
        self.packet_id = 0
        self.battery = battery
        self.beacon = beacon
        self.last_sent = b""
        self.burst = BURST
        self._sleep = sleep
        self._speaking = asyncio.Lock()
        self._beacons: asyncio.Task[None] | None = None

    async def say(self, objects: bytes = b"") -> None:
        """Send a packet id, the battery level and `objects`, in one burst."""
        await self.send(self.seal(self._head() + objects))

    async def send(self, service_data: bytes) -> None:
        """Put service data on the air as it is, right or wrong, for the length of a burst."""
        async with self._speaking:
            service_data = self.damage(service_data) if self.damage else service_data
            self.last_sent = service_data
            await self.device.start_advertising(
                AdvertisingType.UNDIRECTED_SCANNABLE,
                advertising_data=bthome_frame.advertisement(service_data),
                scan_response_data=bthome_frame.scan_response(self.name),
                advertising_interval_min=INTERVAL,
                advertising_interval_max=INTERVAL,
            )
            await asyncio.sleep(self.burst)
            if self.on_air:
                await self.device.stop_advertising()

    def seal(self, objects: bytes) -> bytes:
        """Encrypt objects under the next counter, if there is a key."""
        if self.key is None:
            return bthome_frame.plain(objects)
        counter, self.counter = self.counter, self.counter + 1
        return bthome_frame.encrypted(objects, key=self.key, address=self.address, counter=counter)

    async def set_battery(self, percent: int) -> None:
        """Change the battery level and say so."""
        self.battery = percent
        await self.say()

    async def replay(self) -> None:
        """Send the very last message again, as somebody with a recorder would."""
        await self.send(self.last_sent)

    async def send_truncated(self, length: int, objects: bytes = b"") -> None:
        """Send a message cut off after `length` bytes."""
        await self.send(self.seal(self._head() + objects)[:length])

    async def send_unencrypted(self, objects: bytes) -> None:
        """Send a message in the clear under the address of an encrypting device."""
        await self.send(bthome_frame.plain(self._head() + objects))

    def _head(self) -> bytes:
        self.packet_id = (self.packet_id + 1) % 256
        return bytes([0x00, self.packet_id, 0x01, self.battery])

    async def _come_on_air(self, device: Device) -> None:  # noqa: ARG002 - nothing is offered, only sent
        if self.beacon is not None:
            self._beacons = asyncio.create_task(self._be_heard(self.beacon))

    async def _off_air(self) -> None:
        await end(self._beacons)
        self._beacons = None

    async def _be_heard(self, every: float) -> None:
        while True:
            try:
                await self.say()
            except GONE:
                return
            await self._sleep(every)
