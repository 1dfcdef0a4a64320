"""One Bluetooth adapter driven by bumble's host stack, as bleak backends (route A).

It lets the gateway run bleak's API where the kernel has no Bluetooth: on the virtual radio in tests and
demonstrations (`tcp:HOST:PORT`), or on any HCI controller. A radio makes a scanner class and a client class
bound to itself, for bleak's `backend=`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from bleak.exc import BleakError
from bumble import core, hci
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import JsonKeyStore, KeyStore, MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import Transport

log = logging.getLogger(__name__)

OpenHci = Callable[[], Awaitable[Transport]]
"""Opens the way to a controller: a TCP connection, a USB dongle, or a virtual controller of this process."""
Report = hci.HCI_LE_Advertising_Report_Event.Report
SCAN_TIME = 60.0  # ms; window = interval, since a virtual radio has nothing else to do
CANCEL_WAIT = 2.0  # seconds a controller may take to end a cancelled connection attempt


class BumbleRadio:
    """An adapter: powered on by `open`, dead when `gone` is set (the transport was lost).

    address: our own static random address. bonds: file of pairing keys, None keeps them in memory.
    passkeys: six-digit number by device address (lower case), from commissioning.
    """

    def __init__(
        self,
        open_hci: OpenHci,
        *,
        address: str = "F0:7A:10:00:00:01",
        bonds: Path | None = None,
        passkeys: Mapping[str, int] | None = None,
    ) -> None:
        self.address = address
        self.bonds = bonds
        self.passkeys = dict(passkeys or {})
        self.gone = asyncio.Event()
        self.connecting = asyncio.Lock()
        self.listeners: dict[object, Callable[[Report], None]] = {}
        self._open_hci = open_hci
        self._transport: Transport | None = None
        self._device: Device | None = None

    @property
    def device(self) -> Device:
        """The bumble device; raises BleakError when the radio is not open."""
        if self._device is None or self.gone.is_set():
            raise BleakError("the Bluetooth adapter is not there")
        return self._device

    async def open(self) -> None:
        """Open the transport and power the adapter on; raises OSError or BleakError."""
        self.gone.clear()
        self._transport = transport = await self._open_hci()
        host = Host(controller_source=transport.source, controller_sink=transport.sink)
        self._device = device = Device(config=self._configuration(), host=host)
        device.keystore = self._key_store()
        device.pairing_config_factory = self._pairing
        host.on("flush", self.gone.set)
        host.on("advertising_report", self._on_report)
        try:
            await device.power_on()
        except (core.BaseBumbleError, asyncio.CancelledError) as error:
            await self.close()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise BleakError(f"the Bluetooth adapter does not start: {error}") from error

    async def close(self) -> None:
        """Leave the air; links end as by a lost adapter."""
        self.gone.set()
        self.listeners.clear()
        transport, self._transport = self._transport, None
        device, self._device = self._device, None
        if device is not None:
            device.host.emit("flush")  # every client learns that its link is gone
        if transport is not None:
            await transport.close()

    async def listen(self, who: object, hear: Callable[[Report], None], *, active: bool) -> None:
        """Let a scanner hear advertisements; the first one starts the controller's scan."""
        device = self.device
        if not self.listeners:
            await device.start_scanning(
                legacy=True, active=active, scan_interval=SCAN_TIME, scan_window=SCAN_TIME
            )
        self.listeners[who] = hear

    async def deafen(self, who: object) -> None:
        """End a scanner's hearing; the last one stops the controller's scan."""
        if self.listeners.pop(who, None) is not None and not self.listeners and not self.gone.is_set():
            await self.device.stop_scanning(legacy=True)

    async def reach(self, peer: hci.Address, within: float) -> Connection:
        """Connect to a device within so many seconds. Attempts queue: a controller makes one connection at a time.

        Raises TimeoutError when it does not answer, BleakError for everything else.
        """
        async with self.connecting:
            attempt = asyncio.ensure_future(self.device.connect_le(peer, timeout=within))
            try:
                return await asyncio.shield(attempt)
            except core.TimeoutError:
                raise TimeoutError(f"{peer} did not answer within {within:g} s") from None
            except core.BaseBumbleError as error:
                raise BleakError(explain(error)) from error
            except asyncio.CancelledError:
                await self._give_up(attempt)
                if attempt.cancelled() and self.gone.is_set():
                    raise BleakError("the Bluetooth adapter went away while connecting") from None
                raise

    async def _give_up(self, attempt: asyncio.Future[Connection]) -> None:
        """Free the controller after a cancelled attempt: without this it stays connecting for ever."""
        if not attempt.done() and not self.gone.is_set():
            cancel = hci.HCI_LE_Create_Connection_Cancel_Command()
            try:
                await self.device.send_sync_command(cancel)
            except core.BaseBumbleError as error:
                log.debug("nothing to cancel: %s", error)
        await asyncio.wait({attempt}, timeout=CANCEL_WAIT)
        if attempt.done() and not attempt.cancelled() and attempt.exception() is None:
            await attempt.result().disconnect()
        attempt.cancel()

    def _on_report(self, report: Report) -> None:
        for hear in list(self.listeners.values()):
            hear(report)

    def _configuration(self) -> DeviceConfiguration:
        return DeviceConfiguration(
            name="trygghub gateway",
            address=hci.Address(self.address, hci.Address.RANDOM_DEVICE_ADDRESS),
            identity_address_type=hci.Address.RANDOM_DEVICE_ADDRESS,
            gatt_service_enabled=False,
        )

    def _key_store(self) -> KeyStore:
        return MemoryKeyStore() if self.bonds is None else JsonKeyStore(self.address, str(self.bonds))

    def _pairing(self, connection: Connection) -> PairingConfig:
        passkey = self.passkeys.get(lower(connection.peer_address))
        return PairingConfig(
            sc=True,
            mitm=passkey is not None,
            bonding=True,
            delegate=Commissioned(passkey),
            # Without this the bond is filed under the adapter's public address.
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )


class Commissioned(PairingDelegate):
    """Answers pairing from commissioning data: a passkey where one is known, else "just works"."""

    def __init__(self, passkey: int | None) -> None:
        capability = PairingDelegate.IoCapability
        super().__init__(capability.NO_OUTPUT_NO_INPUT if passkey is None else capability.KEYBOARD_INPUT_ONLY)
        self.passkey = passkey

    async def get_number(self) -> int | None:
        """The passkey the device shows or has printed on it."""
        return self.passkey


def lower(address: hci.Address | str) -> str:
    """An address as Frames carry it: lower case, without bumble's type suffix."""
    return str(address).partition("/")[0].lower()


def explain(error: BaseException) -> str:
    """A bumble error as a sentence; "connection slot" is the phrase bleak-retry-connector backs off on."""
    if getattr(error, "error_code", None) == hci.HCI_ErrorCode.CONNECTION_LIMIT_EXCEEDED_ERROR:
        return "the adapter has no free connection slot"
    return f"Bluetooth: {error or type(error).__name__}"


def scanner_class(radio: BumbleRadio) -> type[Any]:
    """A bleak scanner backend bound to this radio."""
    from drivers.links.ble.bumble_scanner import BumbleScanner  # noqa: PLC0415 - the two know each other

    return type("BumbleScanner", (BumbleScanner,), {"radio": radio})


def client_class(radio: BumbleRadio) -> type[Any]:
    """A bleak client backend bound to this radio."""
    from drivers.links.ble.bumble_client import BumbleClient  # noqa: PLC0415 - the two know each other

    return type("BumbleClient", (BumbleClient,), {"radio": radio})
