"""A device with a GATT server: advertises its services, keeps what nobody has fetched yet.

Indications are confirmed by the receiver, and a meter deletes a reading only then; a link lost in the middle
leaves the reading in its store.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from datetime import datetime

from bumble import gatt
from bumble.device import Connection, Device

from simulators.ble.bthome_frame import FLAGS, scan_response
from simulators.ble.peripheral import GONE, Peripheral, end

INTERVAL = 30.0  # ms between advertisements
FAREWELL = 2.0  # seconds of real time that a disconnection may take
READ, NOTIFY, INDICATE, WRITE = (
    gatt.Characteristic.Properties.READ,
    gatt.Characteristic.Properties.NOTIFY,
    gatt.Characteristic.Properties.INDICATE,
    gatt.Characteristic.Properties.WRITE,
)
READABLE, WRITEABLE = gatt.Characteristic.READABLE, gatt.Characteristic.WRITEABLE


class GattPeripheral(Peripheral):
    """A connectable device. service: the 16-bit UUID it advertises. battery: percent.

    clock: its own local time where it has a Current Time Service, None while it is not set; tells_clock: others
    may read it.
    newest_first: stored readings come in the wrong order. break_link: the link is lost with the next
    reading on its way.
    """

    service = 0x0000
    manufacturer = "Trygghub Simulated Devices"
    model = "none"

    def __init__(self, name: str, address: str, *, battery: int = 100) -> None:
        super().__init__(name, address)
        self.battery = battery
        self.stored: deque[tuple[str, bytes]] = deque()
        self.clock_writes: list[bytes] = []
        self.clock: datetime | None = None
        self.tells_clock = True
        self.newest_first = False
        self.break_link = False
        self._characteristics: dict[str, gatt.Characteristic[bytes]] = {}
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._pushing: asyncio.Task[None] | None = None
        self._breaking: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether a central is connected."""
        return self._station is not None and bool(self._station.device.connections)

    def store(self, uuid: str, value: bytes) -> None:
        """Keep a reading until a subscriber has confirmed it."""
        value = self.damage(value) if self.damage else value
        (self.stored.appendleft if self.newest_first else self.stored.append)((uuid, value))
        self._news.set()

    async def notify(self, uuid: str, value: bytes) -> bool:
        """Notify whoever has subscribed; False when nobody has, and the value is gone."""
        heard = self._subscribers(uuid, 1)
        if heard:
            await self.device.notify_subscribers(self._characteristics[uuid], value)
        return bool(heard)

    async def set_battery(self, percent: int) -> None:
        """Change the battery level and notify it."""
        self.battery = percent
        if self.on_air:
            self._characteristics["2A19"].value = bytes([percent])
            await self.notify("2A19", bytes([percent]))

    async def switch_off(self) -> None:
        """Say farewell and leave the air, as a meter does when it is done."""
        if self.on_air:
            with contextlib.suppress(TimeoutError, *GONE):
                async with asyncio.timeout(FAREWELL):
                    for connection in tuple(self.device.connections.values()):
                        # bumble would begin to advertise again
                        connection.remove_all_listeners(connection.EVENT_DISCONNECTION)
                        await connection.disconnect()
        await self.silence()

    async def until_stored_is_empty(self) -> None:
        """Wait until every stored reading has been confirmed."""
        while self.stored:
            self._news.clear()
            await self._news.wait()

    def _services(self) -> Sequence[gatt.Service]:
        """The services beside battery and device information."""
        return ()

    def _offer(
        self,
        uuid: str,
        properties: gatt.Characteristic.Properties,
        value: bytes = b"",
        permissions: gatt.Characteristic.Permissions = READABLE,
    ) -> gatt.Characteristic[bytes]:
        one: gatt.Characteristic[bytes] = gatt.Characteristic(uuid, properties, permissions, value)
        self._characteristics[uuid] = one
        one.on(one.EVENT_SUBSCRIPTION, self._on_subscription)
        return one

    async def _come_on_air(self, device: Device) -> None:
        self._gone.clear()
        device.add_services([*self._services(), self._battery_service(), self._information_service()])
        device.on("connection", self._on_connection)
        self._pushing = asyncio.create_task(self._push())
        await self._advertise(device)

    async def _advertise(self, device: Device) -> None:
        service = bytes([3, 0x03]) + self.service.to_bytes(2, "little")
        await device.start_advertising(
            auto_restart=True,
            advertising_data=FLAGS + service,
            scan_response_data=scan_response(self.name),
            advertising_interval_min=INTERVAL,
            advertising_interval_max=INTERVAL,
        )

    async def _off_air(self) -> None:
        self._gone.set()
        await end(self._pushing)
        self._pushing = None

    def _time_service(self) -> gatt.Service:
        """Current Time (0x1805): a central may set the clock; what it wrote stands in `clock_writes`."""
        day = date_time(self.clock) if self.clock is not None else bytes(7)
        readable = READABLE if self.tells_clock else gatt.Characteristic.Permissions(0)
        clock = self._offer("2A2B", WRITE | READ, day + bytes(3), readable | WRITEABLE)
        clock.on(clock.EVENT_WRITE, lambda _connection, value: self._set_clock(bytes(value)))
        return gatt.Service("1805", [clock])

    def _set_clock(self, value: bytes) -> None:
        self.clock_writes.append(value)
        year, month, day, hour, minute, second = int.from_bytes(value[:2], "little"), *value[2:7]
        self.clock = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  local time, as meters keep it

    def _battery_service(self) -> gatt.Service:
        return gatt.Service("180F", [self._offer("2A19", READ | NOTIFY, bytes([self.battery]))])

    def _information_service(self) -> gatt.Service:
        return gatt.Service(
            "180A",
            [
                self._offer("2A29", READ, self.manufacturer.encode()),
                self._offer("2A24", READ, self.model.encode()),
            ],
        )

    def _on_connection(self, connection: Connection) -> None:
        self._gone.clear()
        connection.on(connection.EVENT_DISCONNECTION, lambda _reason: self._gone.set())

    def _on_subscription(self, *_: object) -> None:
        self._news.set()

    def _subscribers(self, uuid: str, bit: int) -> list[Connection]:
        """Connections whose client characteristic configuration has the bit: 1 notify, 2 indicate."""
        handle = self._characteristics[uuid].handle
        asked = self.device.gatt_server.subscribers
        return [
            one
            for one in self.device.connections.values()
            if len(cccd := asked.get(one, {}).get(handle, b"")) == 2 and cccd[0] & bit
        ]

    async def _push(self) -> None:
        """Send stored readings to subscribers, oldest first; delete each when it is confirmed."""
        while True:
            while self.stored and await self._deliver(*(reading := self.stored[0])):
                self.stored.remove(reading)
                self._news.set()
                await asyncio.sleep(0)
            self._news.clear()
            await self._news.wait()

    async def _deliver(self, uuid: str, value: bytes) -> bool:
        if not self._subscribers(uuid, 2):
            return False
        if self.break_link:
            self.break_link = False
            self._breaking = asyncio.create_task(self.lose_link())
            await self._gone.wait()
            return False
        sending = asyncio.ensure_future(self.device.indicate_subscribers(self._characteristics[uuid], value))
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            return sending.done() and not sending.cancelled() and sending.exception() is None
        except GONE:
            return False
        finally:
            sending.cancel()
            gone.cancel()


def date_time(at: datetime) -> bytes:
    """The Date Time characteristic's seven bytes (0x2A08)."""
    return at.year.to_bytes(2, "little") + bytes([at.month, at.day, at.hour, at.minute, at.second])
