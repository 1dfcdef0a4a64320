"""One remote device as BlueZ keeps it: connected or not, bonded or not, its GATT objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from bumble import att, core, gatt_client, hci
from bumble.device import Connection, Peer
from dbus_fast import Variant

from simulators.bluez.tree import DBusFault

if TYPE_CHECKING:
    from simulators.bluez.bluez import FakeBluez

DEVICE = "org.bluez.Device1"
SERVICE, CHARACTERISTIC, DESCRIPTOR = (
    "org.bluez.GattService1",
    "org.bluez.GattCharacteristic1",
    "org.bluez.GattDescriptor1",
)
FLAGS = (
    (0x01, "broadcast"),
    (0x02, "read"),
    (0x04, "write-without-response"),
    (0x08, "write"),
    (0x10, "notify"),
    (0x20, "indicate"),
)
"""Bits of the characteristic's properties and BlueZ's words for them."""
NEEDS_PAIRING = {0x05, 0x0F}  # insufficient authentication, insufficient encryption
CONNECT_WITHIN = 5.0
BASE = "-0000-1000-8000-00805f9b34fb"

T = TypeVar("T")


class Remote:
    """A device heard on the air. path: its object."""

    def __init__(self, bluez: FakeBluez, address: hci.Address, path: str) -> None:
        self.bluez = bluez
        self.address = address
        self.path = path
        self.connection: Connection | None = None
        self._peer: Peer | None = None
        self._gone = asyncio.Event()
        self._values: dict[str, Any] = {}
        self._listening: dict[str, Callable[[bytes], None]] = {}

    @property
    def paired(self) -> bool:
        """Whether there is a bond."""
        return bool(self.bluez.tree.value(self.path, DEVICE, "Paired"))

    async def connect(self) -> None:
        """Connect and resolve the services; as with BlueZ a failed attempt removes a device without a bond."""
        if self.connection is not None:
            return
        try:
            async with self.bluez.connecting:
                connection = await self.bluez.device.connect(self.address, timeout=CONNECT_WITHIN)
        except core.BaseBumbleError as error:
            # bleak waits for this edge before it believes that the attempt is over.
            self._set(Connected=Variant("b", True))
            self._set(Connected=Variant("b", False))
            if not self.paired:
                self.bluez.forget(self)
            raise DBusFault("org.bluez.Error.Failed", "le-connection-abort-by-local") from error
        self.connection, self._peer = connection, Peer(connection)
        self._gone = asyncio.Event()
        connection.on(Connection.EVENT_DISCONNECTION, self._on_gone)
        self._set(Connected=Variant("b", True))
        await self._answered(self._resolve())

    async def disconnect(self) -> None:
        """Close the link."""
        if self.connection is None:
            return
        try:
            async with asyncio.timeout(2):
                await self.connection.disconnect()
        except (core.BaseBumbleError, TimeoutError):
            self._on_gone(0)

    async def pair(self) -> None:
        """Bond; without an agent BlueZ refuses at once."""
        if self.bluez.agent is None:
            raise DBusFault("org.bluez.Error.AuthenticationFailed", "Authentication Failed")
        if self.paired:
            raise DBusFault("org.bluez.Error.AlreadyExists", "Already Exists")
        await self.connect()
        await self._bond()

    async def read(self, path: str) -> bytes:
        """Read a characteristic or descriptor."""
        value = self._values.get(path)
        if value is None:
            raise DBusFault("org.freedesktop.DBus.Error.UnknownObject", "no such object")
        return bytes(await self._secured(lambda: self._client().read_value(value)))

    async def write(self, path: str, data: bytes, *, response: bool) -> None:
        """Write a characteristic or descriptor."""
        value = self._values.get(path)
        if value is None:
            raise DBusFault("org.freedesktop.DBus.Error.UnknownObject", "no such object")
        await self._secured(lambda: self._client().write_value(value, data, with_response=response))

    async def start_notify(self, path: str) -> None:
        """Subscribe; values arrive as changes of the property Value."""
        if path in self._listening:
            raise DBusFault("org.bluez.Error.InProgress", "Notify in progress")

        def on_value(value: bytes) -> None:
            self.bluez.tree.change(path, CHARACTERISTIC, Value=Variant("ay", bytes(value)))

        self._listening[path] = on_value
        await self._secured(lambda: self._client().subscribe(self._values[path], on_value))
        self.bluez.tree.change(path, CHARACTERISTIC, Notifying=Variant("b", True))

    async def stop_notify(self, path: str) -> None:
        """End a subscription."""
        on_value = self._listening.pop(path, None)
        if on_value is None:
            raise DBusFault("org.bluez.Error.Failed", "No notify session started")
        await self._secured(lambda: self._client().unsubscribe(self._values[path], on_value))
        self.bluez.tree.change(path, CHARACTERISTIC, Notifying=Variant("b", False))

    # -- inside

    def _client(self) -> gatt_client.Client:
        if self._peer is None:
            raise DBusFault("org.bluez.Error.Failed", "Not connected")
        return self._peer.gatt_client

    async def _secured(self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Make a request; on a security error BlueZ bonds by itself, if there is an agent, else waits for ever."""
        try:
            return await self._answered(request())
        except att.ATT_Error as error:
            if error.error_code not in NEEDS_PAIRING:
                raise DBusFault(
                    "org.bluez.Error.Failed", f"Operation failed with ATT error: 0x{error.error_code:02x}"
                ) from error
        if self.bluez.agent is None:
            await self._gone.wait()
            raise DBusFault("org.bluez.Error.Failed", "Not connected")
        await self._bond()
        try:
            return await self._answered(request())
        except att.ATT_Error as error:
            raise DBusFault("org.bluez.Error.NotPermitted", str(error)) from error

    async def _bond(self) -> None:
        assert self.connection is not None
        try:
            await self._answered(self.connection.pair())
        except core.BaseBumbleError as error:
            raise DBusFault("org.bluez.Error.AuthenticationFailed", str(error)) from error
        self._set(Paired=Variant("b", True), Bonded=Variant("b", True))

    async def _answered(self, request: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(request)
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            waiting: set[asyncio.Future[Any]] = {task, gone}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() or task.cancelled():
                raise DBusFault("org.bluez.Error.Failed", "Not connected")
            return task.result()
        finally:
            gone.cancel()
            task.cancel()

    async def _resolve(self) -> None:
        assert self._peer is not None and self.connection is not None  # noqa: PT018 - one thought
        if self.paired:
            await self.connection.encrypt()
        await self._peer.request_mtu(517)
        client = self._peer.gatt_client
        uuids: list[str] = []
        for service in await client.discover_services():
            uuids.append(_uuid(service.uuid))
            await self._add_service(client, service)
        self._set(UUIDs=Variant("as", uuids), ServicesResolved=Variant("b", True))

    async def _add_service(self, client: gatt_client.Client, service: gatt_client.ServiceProxy) -> None:
        path = f"{self.path}/service{service.handle:04x}"
        about = {
            "UUID": Variant("s", _uuid(service.uuid)),
            "Primary": Variant("b", True),
            "Device": Variant("o", self.path),
        }
        self.bluez.tree.add(path, {SERVICE: about})
        for one in await client.discover_characteristics((), service):
            await self._add_characteristic(client, path, one)

    async def _add_characteristic(
        self, client: gatt_client.Client, service: str, one: gatt_client.CharacteristicProxy[bytes]
    ) -> None:
        path = f"{service}/char{one.handle - 1:04x}"
        flags = [word for bit, word in FLAGS if int(one.properties) & bit]
        about = {
            "UUID": Variant("s", _uuid(one.uuid)),
            "Service": Variant("o", service),
            "Flags": Variant("as", flags),
            "Notifying": Variant("b", False),
            "MTU": Variant("q", client.mtu),
            "Value": Variant("ay", b""),
        }
        self._values[path] = one
        self.bluez.tree.add(path, {CHARACTERISTIC: about})
        for descriptor in await client.discover_descriptors(one):
            place = f"{path}/desc{descriptor.handle:04x}"
            self._values[place] = descriptor
            said = {"UUID": Variant("s", _uuid(descriptor.type)), "Characteristic": Variant("o", path)}
            self.bluez.tree.add(place, {DESCRIPTOR: said})

    def _on_gone(self, _reason: int) -> None:
        if self.connection is None:
            return
        self.connection = self._peer = None
        self._gone.set()
        self._values.clear()
        self._listening.clear()
        for path in self.bluez.tree.under(self.path):
            self.bluez.tree.remove(path)
        self._set(ServicesResolved=Variant("b", False))
        self._set(Connected=Variant("b", False))

    def _set(self, **values: Variant) -> None:
        self.bluez.tree.change(self.path, DEVICE, **values)


def _uuid(uuid: core.UUID) -> str:
    raw = bytes(uuid.uuid_bytes)[::-1].hex()
    if len(raw) <= 8:
        return raw.rjust(8, "0") + BASE
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
