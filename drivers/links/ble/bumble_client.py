"""bleak's client on bumble: connect, discover, read, write, subscribe, pair.

bumble cancels the pending answer when the link is lost, so that a caller would see its own task cancelled;
every request is therefore raced against "the link is gone" and ends in a BleakError.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ClassVar, TypeVar

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import att, core, gatt_client, hci
from bumble.device import Connection, Peer

from drivers.links.ble.advertising import uuid_text
from drivers.links.ble.bumble_radio import BumbleRadio, explain, lower

log = logging.getLogger(__name__)
T = TypeVar("T")

MTU = 517  # the largest a GATT client may ask for (Core 5.4, vol 3, part F, 3.4.2.1)
CONNECT_WAIT = 8.0  # seconds a device that advertises a moment ago may take to answer
WRITTEN_WITHIN = (
    25.0  # seconds for our commit; after 30 the device gives the link up (Core 5.4, vol 3, part F, 3.3.3)
)
DISCONNECT_WAIT = 5.0  # seconds until a link that will not close is called closed
SERVICE_CHANGED = "00002a05-0000-1000-8000-00805f9b34fb"


class BumbleClient(BaseBleakClient):
    """A client; `radio` is set in the class that `BumbleRadio` makes of it."""

    radio: ClassVar[BumbleRadio]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._known = address_or_ble_device if isinstance(address_or_ble_device, BLEDevice) else None
        self._peer: Peer | None = None
        self._gone: asyncio.Future[None] | None = None
        self._forget_flush: Callable[[], None] = lambda: None
        self._subscribed: dict[int, Callable[[bytes], object]] = {}
        self._confirming: set[asyncio.Future[None]] = set()

    @property
    def name(self) -> str:
        """The advertised name, or the address with dashes."""
        return (self._known and self._known.name) or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """The MTU both sides agreed on, 23 when not connected."""
        return self._peer.gatt_client.mtu if self._peer is not None else att.ATT_DEFAULT_MTU

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self._gone is not None and not self._gone.done()

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect and discover all services. timeout: seconds for the whole of it.

        Raises TimeoutError, BleakDeviceNotFoundError for a device no scanner has seen, else BleakError.
        """
        if self.is_connected:
            return
        timeout = float(kwargs.get("timeout", self._timeout))
        try:
            async with asyncio.timeout(timeout):
                # A little less than the whole, so that the controller is freed before our own deadline.
                await self._reach(min(timeout * 0.8, CONNECT_WAIT))
                await self._settle(pair)
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        """Close the link; harmless when it is gone already."""
        peer, gone = self._peer, self._gone
        self._peer = None
        if peer is None or gone is None or gone.done():
            return
        try:
            async with asyncio.timeout(DISCONNECT_WAIT):
                await peer.connection.disconnect()
        except (core.BaseBumbleError, TimeoutError, asyncio.InvalidStateError) as error:
            log.debug("disconnect from %s: %s", self.address, explain(error))
        self._on_gone()

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        """Pair and bond; does nothing when the link is encrypted already."""
        peer = self._connected()
        if not peer.connection.is_encrypted:
            await self._answered(peer.connection.pair())

    async def unpair(self) -> None:
        """Forget the bond."""
        store = self.radio.device.keystore
        if store is not None:
            try:
                await store.delete(str(self._address()))
            except KeyError:
                raise BleakError(f"{self.address} is not paired") from None

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_: Any
    ) -> bytearray:
        """Read a characteristic."""
        del use_cached
        return bytearray(await self._answered(self._connected().gatt_client.read_value(characteristic.obj)))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_: Any
    ) -> bytearray:
        """Read a descriptor."""
        del use_cached
        return bytearray(await self._answered(self._connected().gatt_client.read_value(descriptor.obj)))

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        """Write a characteristic, with or without the device's response."""
        client = self._connected().gatt_client
        await self._answered(client.write_value(characteristic.obj, bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor."""
        client = self._connected().gatt_client
        await self._answered(client.write_value(descriptor.obj, bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_: Any
    ) -> None:
        """Subscribe; the callback gets a bytearray per notification or indication.

        An indication is confirmed when the future that the callback returns, if it returns one, is done and true.
        """
        told: Callable[[bytearray], object] = callback

        def tell(value: bytes) -> object:
            return told(bytearray(value))

        client = self._connected().gatt_client
        self._subscribed[characteristic.handle] = tell
        await self._answered(client.subscribe(characteristic.obj, tell))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """End a subscription."""
        tell = self._subscribed.pop(characteristic.handle, None)
        await self._answered(self._connected().gatt_client.unsubscribe(characteristic.obj, tell))

    def _address(self) -> hci.Address:
        if self._known is not None and "address" in self._known.details:
            known: hci.Address = self._known.details["address"]
            return known
        raise BleakDeviceNotFoundError(self.address, f"device {self.address} was not found by a scan")

    async def _reach(self, within: float) -> None:
        connection = await self.radio.reach(self._address(), within)
        self._gone = asyncio.get_running_loop().create_future()
        self._peer = Peer(connection)
        client = self._peer.gatt_client
        confirm_later = partial(self._on_indication, client)
        client.on_att_handle_value_indication = confirm_later  # type: ignore[method-assign]
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._on_gone())
        self._forget_flush = partial(self.radio.device.host.remove_listener, "flush", self._on_gone)
        self.radio.device.host.on("flush", self._on_gone)

    async def _settle(self, pair: bool) -> None:
        peer = self._connected()
        store = self.radio.device.keystore
        bonded = store is not None and await store.get(str(peer.connection.peer_address)) is not None
        if bonded:
            await self._answered(peer.connection.encrypt())
        await self._answered(peer.request_mtu(MTU))
        self.services = await self._answered(self._discover(peer.gatt_client))
        if pair and not bonded:
            await self.pair()
        changed = self.services.get_characteristic(SERVICE_CHANGED)
        if changed is not None:
            await self.start_notify(changed, self._on_services_changed)

    async def _discover(self, client: gatt_client.Client) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        for theirs in await client.discover_services():
            service = BleakGATTService(theirs, theirs.handle, _uuid(theirs.uuid))
            found.add_service(service)
            for one in await client.discover_characteristics((), theirs):
                await self._add(found, service, one, client)
        return found

    async def _add(
        self,
        found: BleakGATTServiceCollection,
        service: BleakGATTService,
        one: gatt_client.CharacteristicProxy[bytes],
        client: gatt_client.Client,
    ) -> None:
        characteristic = BleakGATTCharacteristic(
            one,
            one.handle - 1,  # bumble speaks of the value's handle, BlueZ of the declaration before it
            _uuid(one.uuid),
            list(gatt_char_props_to_strs(int(one.properties))),
            lambda: self.mtu_size - 3,
            service,
        )
        found.add_characteristic(characteristic)
        for descriptor in await client.discover_descriptors(one):
            found.add_descriptor(
                BleakGATTDescriptor(descriptor, descriptor.handle, _uuid(descriptor.type), characteristic)
            )

    def _connected(self) -> Peer:
        if self._peer is None or not self.is_connected:
            raise BleakError(f"not connected to {self.address}")
        return self._peer

    async def _answered(self, request: Coroutine[Any, Any, T]) -> T:
        """Await an answer, or BleakError as soon as the link is gone."""
        task = asyncio.ensure_future(request)
        gone = self._gone
        if gone is None:
            task.cancel()
            raise BleakError(f"not connected to {self.address}")
        try:
            waited: set[asyncio.Future[Any]] = {task, gone}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.done() or task.cancelled():
            task.cancel()
            raise BleakError(f"the link to {self.address} was lost before the answer came")
        return _result(task)

    def _on_indication(self, client: gatt_client.Client, indication: att.ATT_Handle_Value_Indication) -> None:
        """Hand an indication over as bumble does, but confirm it only when it is written down."""
        value = indication.attribute_value
        client.cache_value(indication.attribute_handle, value)
        told = [
            one(value) if callable(one) else one.emit(one.EVENT_UPDATE, value)
            for one in client.indication_subscribers.get(indication.attribute_handle, ())
        ]
        waiting = [one for one in told if isinstance(one, asyncio.Future)]
        if not waiting:
            client.send_confirmation(att.ATT_Handle_Value_Confirmation())
            return
        task = asyncio.ensure_future(self._confirm(client, waiting))
        self._confirming.add(task)
        task.add_done_callback(self._confirming.discard)

    async def _confirm(self, client: gatt_client.Client, written: list[asyncio.Future[bool]]) -> None:
        """Confirm once everything is written down; else end the link, and the device keeps what it has."""
        try:
            async with asyncio.timeout(WRITTEN_WITHIN):
                accepted = all(await asyncio.gather(*written))
        except TimeoutError:
            accepted = False
        if not self.is_connected:
            return
        if accepted:
            client.send_confirmation(att.ATT_Handle_Value_Confirmation())
            return
        log.warning(
            "%s: an indication was not written down; ending the link without confirming it", self.address
        )
        await self.disconnect()

    def _on_gone(self) -> None:
        if self._gone is None or self._gone.done():
            return
        self._gone.set_result(None)
        self._forget_flush()
        self._subscribed.clear()
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    def _on_services_changed(self, _value: bytearray) -> None:
        """Drop the link: the next connection discovers afresh, and nothing is read from a stale table."""
        log.info("%s changed its services; connecting anew", lower(self.address))
        task = asyncio.ensure_future(self.disconnect())
        _closing.add(task)
        task.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()


def _uuid(uuid: core.UUID) -> str:
    return uuid_text(bytes(uuid.uuid_bytes))


def _result(task: asyncio.Future[T]) -> T:
    try:
        return task.result()
    except att.ATT_Error as error:
        raise BleakGATTProtocolError(error.error_code) from error
    except core.BaseBumbleError as error:
        raise BleakError(explain(error)) from error
