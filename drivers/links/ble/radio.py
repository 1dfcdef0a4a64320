"""Which radio the BLE link drives: a setting, so that everything above it is the same code.

`off`, `bluez`, `bluez:hci1` or `bluez:hci0,hci1` (bleak's own backend on the system's BlueZ; a controller's address
serves as well as its name), `tcp:HOST:PORT` (the bumble backend on any HCI controller that listens there, such as the
virtual radio).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bleak import BleakAdapter
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from bumble.transport.tcp_client import open_tcp_client_transport

from drivers.links.ble import bluez_adapter
from drivers.links.ble.bluez_adapter import Adapter
from drivers.links.ble.bumble_radio import BumbleRadio, client_class, scanner_class

if TYPE_CHECKING:
    from drivers.links.ble.bluez_agent import Registration
    from drivers.links.ble.bluez_monitor import Unfiltered

log = logging.getLogger(__name__)

ASK_WITHIN = 10.0
MOST_DEVICES = 2000  # devices whose last advertisement is remembered
ADAPTER_NAME = r"(hci[0-9]{1,2}|([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})"
BLUEZ_SETTING = rf"bluez(:{ADAPTER_NAME}(,{ADAPTER_NAME}){{0,3}})?"


class Radio(Protocol):
    """A Bluetooth adapter as the link needs it.

    gone: set when the adapter has disappeared and must be opened anew.
    """

    name: str
    gone: asyncio.Event

    @property
    def caution(self) -> str:
        """What this adapter may miss although it hears, and why, in a sentence; empty where nothing is known."""
        ...

    @property
    def scanner(self) -> Mapping[str, Any]:
        """For `BleakScanner`, once the radio is open."""
        ...

    @property
    def client(self) -> Mapping[str, Any]:
        """For `BleakClient`, once the radio is open."""
        ...

    async def open(self) -> None:
        """Make the adapter ready; raises BleakError or OSError with the reason."""
        ...

    async def close(self) -> None:
        """Give the adapter back."""
        ...

    async def connected(self) -> list[BLEDevice]:
        """Devices whose link is up already, perhaps from before our own restart."""
        ...

    def is_advertisement(self, data: AdvertisementData) -> bool:
        """Whether what a scanner told was heard on the air just now."""
        ...

    async def reset(self, *, hard: bool) -> None:
        """Bring a hung adapter back; hard: by every means. Raises BleakError when it cannot be done."""
        ...


class BluezRadio:
    """The system's BlueZ, through bleak's own backend, and our agent there.

    adapter: `hci0` or a controller's address, or empty for the first one there is. passkeys: number by device
    address, from commissioning.
    """

    def __init__(self, adapter: str = "", passkeys: Mapping[str, int] | None = None) -> None:
        self.name = f"bluez:{adapter}" if adapter else "bluez"
        self.gone = asyncio.Event()
        self._wanted = adapter
        self._passkeys = dict(passkeys or {})
        self._bluez: Registration | None = None
        self._adapter: Adapter | None = None
        self._unfiltered: Unfiltered | None = None
        self._resetting = False
        self._said: OrderedDict[str, tuple[int, dict[int, bytes], dict[str, bytes]]] = OrderedDict()

    @property
    def caution(self) -> str:
        """That the kernel may hold advertisements back, and why, where it may."""
        return "" if self._unfiltered is None else self._unfiltered.caution

    @property
    def scanner(self) -> Mapping[str, Any]:
        """The adapter for bleak. The scan is active: a passive one hears no device again whose words stay the same."""
        return {} if self._adapter is None else {"bluez": {"adapter": self._adapter.name}}

    client = scanner

    async def open(self) -> None:
        """Register our agent, which also shows whether BlueZ is there; see to the adapter's power and our monitor."""
        self.gone.clear()
        bluez = self._registration()
        await bluez.register()
        self._adapter = adapter = bluez_adapter.chosen(await bluez_adapter.adapters(bluez), self._wanted)
        if not adapter.powered:
            log.warning("%s has no power; switching it on", adapter.name)
            await bluez_adapter.power(bluez, adapter, on=True)
        if self._unfiltered is None:
            # As the agent: for Linux only.
            from drivers.links.ble.bluez_monitor import Unfiltered  # noqa: PLC0415

            self._unfiltered = Unfiltered()
        await self._unfiltered.ask_for(bluez, adapter)

    async def close(self) -> None:
        """Take our agent away; BlueZ stays."""
        if self._bluez is not None:
            await self._bluez.unregister()

    async def connected(self) -> list[BLEDevice]:
        """Links that outlived our process; BlueZ keeps them up (bluez issue 89)."""
        try:
            async with asyncio.timeout(ASK_WITHIN):
                adapter = await BleakAdapter.get(**self.client)
                return await adapter.get_connected_devices()
        except (BleakError, NotImplementedError, EOFError, OSError, TimeoutError) as error:
            log.warning("cannot ask BlueZ for live links: %s", error)
            return []

    def is_advertisement(self, data: AdvertisementData) -> bool:
        """Tell advertisements from other changes of a device's object, which bleak reports alike.

        Else a meter that switched off would be called for the change of its connection, and tried in vain.
        """
        path, props = data.platform_data[0], data.platform_data[1]
        if "RSSI" not in props:
            return False
        said = (data.rssi, data.manufacturer_data, data.service_data)
        before = self._said.pop(path, None)
        self._said[path] = said
        if len(self._said) > MOST_DEVICES:
            self._said.popitem(last=False)
        return said != before

    async def reset(self, *, hard: bool) -> None:
        """Switch the adapter off and on through BlueZ; hard: reset it through the kernel, as a USB device too."""
        bluez = self._registration()
        self._resetting = True
        closed = not bluez.registered
        try:
            if closed:
                await bluez.register()
            adapter = bluez_adapter.chosen(await bluez_adapter.adapters(bluez), self._wanted)
            if hard:
                await bluez_adapter.reset_device(adapter)
                self.gone.set()  # it may have come back under another name: open it anew
            else:
                await bluez_adapter.power_cycle(bluez, adapter)
        finally:
            self._resetting = False
            if closed:
                await bluez.unregister()

    def _registration(self) -> Registration:
        if self._bluez is None:
            # Only Linux has a D-Bus, and only this radio needs it.
            from drivers.links.ble.bluez_agent import Registration  # noqa: PLC0415

            self._bluez = Registration(self._passkeys, self.gone.set, self._on_adapter_gone)
        return self._bluez

    def _on_adapter_gone(self, path: str) -> None:
        if self._adapter is not None and path == self._adapter.path and not self._resetting:
            self.gone.set()


class BumblePort:
    """A controller driven by bumble in this process."""

    def __init__(self, name: str, radio: BumbleRadio) -> None:
        self.name = name
        self.radio = radio
        self.gone = radio.gone
        self.caution = ""
        self.scanner: Mapping[str, Any] = {"backend": scanner_class(radio)}
        self.client: Mapping[str, Any] = {"backend": client_class(radio)}

    async def open(self) -> None:
        """Open the transport and power the controller on."""
        await self.radio.open()

    async def close(self) -> None:
        """Leave the air."""
        await self.radio.close()

    async def connected(self) -> list[BLEDevice]:
        """None: this host stack lives and dies with the process, and its links with it."""
        return []

    def is_advertisement(self, data: AdvertisementData) -> bool:  # noqa: ARG002  our scanner tells nothing else
        """Always."""
        return True

    async def reset(self, *, hard: bool) -> None:  # noqa: ARG002  one way serves for both
        """Open the controller anew, which resets it by HCI."""
        self.gone.set()


def open_radios(
    setting: str, *, bonds: Path | None = None, passkeys: Mapping[str, int] | None = None
) -> list[Radio]:
    """The radios a setting names; none for `off`.

    bonds: file of pairing keys. passkeys: number by device address. Raises ValueError with a sentence.
    """
    scheme, _, place = setting.partition(":")
    if setting == "off":
        return []
    if re.fullmatch(BLUEZ_SETTING, setting):
        names = list(dict.fromkeys(place.split(",")))
        return [BluezRadio(name, passkeys) for name in names]
    host, _, port = place.rpartition(":")
    if scheme != "tcp" or not host or not port.isdigit():
        raise ValueError(
            "the ble setting is off, bluez, bluez:ADAPTER, bluez:ADAPTER,ADAPTER or tcp:HOST:PORT, where an ADAPTER"
            f" is hci0 or the controller's address; not {setting!r:.80}"
        )
    opened = partial(open_tcp_client_transport, place)
    return [BumblePort(setting, BumbleRadio(opened, bonds=bonds, passkeys=passkeys))]
