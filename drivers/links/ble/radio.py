"""Which radio the BLE link drives: a setting, so that everything above it is the same code.

`off`, `bluez` or `bluez:hci1` (bleak's own backend on the system's BlueZ), `tcp:HOST:PORT` (the bumble backend
on any HCI controller that listens there, such as the virtual radio).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bleak import BleakAdapter
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError
from bumble.transport.tcp_client import open_tcp_client_transport

from drivers.links.ble.bumble_radio import BumbleRadio, client_class, scanner_class

if TYPE_CHECKING:
    from drivers.links.ble.bluez_agent import Registration

log = logging.getLogger(__name__)


class Radio(Protocol):
    """A Bluetooth adapter as the link needs it.

    gone: set when the adapter has disappeared and must be opened anew.
    scanner, client: keyword arguments for `BleakScanner` and `BleakClient`.
    """

    name: str
    gone: asyncio.Event
    scanner: Mapping[str, Any]
    client: Mapping[str, Any]

    async def open(self) -> None:
        """Make the adapter ready; raises BleakError or OSError with the reason."""
        ...

    async def close(self) -> None:
        """Give the adapter back."""
        ...

    async def connected(self) -> list[BLEDevice]:
        """Devices whose link is up already, perhaps from before our own restart."""
        ...


class BluezRadio:
    """The system's BlueZ, through bleak's own backend, and our agent there.

    adapter: `hci0`, or empty for the default one. passkeys: number by device address, from commissioning.
    """

    def __init__(self, adapter: str = "", passkeys: Mapping[str, int] | None = None) -> None:
        self.name = f"bluez:{adapter}" if adapter else "bluez"
        self.gone = asyncio.Event()
        self._passkeys = dict(passkeys or {})
        self._agent: Registration | None = None
        options = {"bluez": {"adapter": adapter}} if adapter else {}
        self.scanner: Mapping[str, Any] = options
        self.client: Mapping[str, Any] = options

    async def open(self) -> None:
        """Register our agent, which also shows whether BlueZ is there; `gone` is set when it leaves the bus."""
        # Only Linux has a D-Bus, and only this radio needs it.
        from drivers.links.ble.bluez_agent import Registration  # noqa: PLC0415

        self.gone.clear()
        if self._agent is None:
            self._agent = Registration(self._passkeys, self.gone.set)
        await self._agent.register()

    async def close(self) -> None:
        """Take our agent away; BlueZ stays."""
        if self._agent is not None:
            await self._agent.unregister()

    async def connected(self) -> list[BLEDevice]:
        """Links that outlived our process; BlueZ keeps them up (bluez issue 89)."""
        try:
            adapter = await BleakAdapter.get(**self.scanner)
            return await adapter.get_connected_devices()
        except (BleakError, NotImplementedError, EOFError, OSError) as error:
            log.debug("cannot ask BlueZ for live links: %s", error)
            return []


class BumblePort:
    """A controller driven by bumble in this process."""

    def __init__(self, name: str, radio: BumbleRadio) -> None:
        self.name = name
        self.radio = radio
        self.gone = radio.gone
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


def open_radio(
    setting: str, *, bonds: Path | None = None, passkeys: Mapping[str, int] | None = None
) -> Radio | None:
    """The radio a setting names; None for `off`.

    bonds: file of pairing keys. passkeys: number by device address. Raises ValueError with a sentence.
    """
    scheme, _, place = setting.partition(":")
    if setting == "off":
        return None
    if scheme == "bluez":
        return BluezRadio(place, passkeys)
    host, _, port = place.rpartition(":")
    if scheme != "tcp" or not host or not port.isdigit():
        raise ValueError(f"the ble setting is off, bluez, bluez:ADAPTER or tcp:HOST:PORT, not {setting!r}")
    opened = partial(open_tcp_client_transport, place)
    return BumblePort(setting, BumbleRadio(opened, bonds=bonds, passkeys=passkeys))
