"""Simulated devices on an ether, and an independent central to listen to them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from bumble import core
from bumble.device import Peer

from simulators.radio import Ether, Station, join


@pytest.fixture
def ether() -> Ether:
    """A quiet ether."""
    return Ether(seed=1)


@pytest.fixture
async def central(ether: Ether) -> AsyncIterator[Station]:
    """A plain bumble central: nothing of ours is between it and the device."""
    station = await join(ether, name="central", address="C0:00:00:00:00:EE")
    yield station
    await station.vanish()


class Listener:
    """Collects what a characteristic notifies or indicates."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[bytes] = asyncio.Queue()

    def __call__(self, value: bytes) -> None:
        """Take a value, as a subscriber."""
        self.values.put_nowait(bytes(value))

    async def next(self) -> bytes:
        """The next value."""
        return await asyncio.wait_for(self.values.get(), 30)


@pytest.fixture
def subscribe():
    """Connect to a device and subscribe to one of its characteristics."""

    async def to(central: Station, address: str, uuid: str) -> tuple[Peer, Listener]:
        connection = await central.device.connect(address.upper(), timeout=30)
        peer = Peer(connection)
        await peer.discover_services()
        await peer.discover_characteristics()
        listener = Listener()
        await peer.subscribe(peer.get_characteristics_by_uuid(core.UUID(uuid))[0], listener)
        return peer, listener

    return to
