"""A bumble device on the air: on an ether in this process, or on a hub over TCP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

from bumble import hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import KeyStore, MemoryKeyStore
from bumble.transport.common import AsyncPipeSink, Transport
from bumble.transport.tcp_client import open_tcp_client_transport

from simulators.radio.controller import RadioController
from simulators.radio.ether import Ether

Air: TypeAlias = Ether | str
"""Where to join: an `Ether` of this process, or the address of a hub, `tcp:HOST:PORT`."""


@dataclass
class Station:
    """A bumble device that is on the air. address: lower case, as Frames carry it."""

    device: Device
    address: str
    controller: RadioController | None = None
    transport: Transport | None = None

    async def vanish(self) -> None:
        """Lose power: links end with a supervision timeout, advertising stops."""
        if self.controller is not None:
            self.controller.vanish()
        if self.transport is not None:
            await self.transport.close()
        self.device.host.emit("flush")
        await asyncio.sleep(0)


async def join(
    air: Air, *, name: str, address: str, max_connections: int = 16, bonds: KeyStore | None = None
) -> Station:
    """Put a device on the air and power it on.

    address: a static random address, whose first byte is C0 or higher (Core 5.4, vol 6, part B, 1.3.2.1).
    bonds: pairing keys that outlive this time on the air.
    Raises OSError when the hub cannot be reached, ValueError for an address or place that is none.
    """
    if int(address[:2], 16) < 0xC0:
        raise ValueError(f"a static random address begins with C0 or higher, not {address}")
    config = DeviceConfiguration(
        name=name,
        address=hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS),
        identity_address_type=hci.Address.RANDOM_DEVICE_ADDRESS,
        irk=bytes(16),
    )
    station = await _connect(air, config, max_connections)
    station.device.keystore = bonds or MemoryKeyStore()
    await station.device.power_on()
    return station


async def _connect(air: Air, config: DeviceConfiguration, max_connections: int) -> Station:
    address = str(config.address).partition("/")[0].lower()
    if isinstance(air, Ether):
        controller = RadioController(config.name, air, max_connections=max_connections)
        host = Host(controller_source=controller, controller_sink=AsyncPipeSink(controller))
        return Station(Device(config=config, host=host), address, controller=controller)
    scheme, _, place = air.partition(":")
    if scheme != "tcp" or ":" not in place:
        raise ValueError(f"a radio is an Ether or written tcp:HOST:PORT, not {air!r}")
    transport = await open_tcp_client_transport(place)
    device = Device.from_config_with_hci(config, transport.source, transport.sink)
    return Station(device, address, transport=transport)
