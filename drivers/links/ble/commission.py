"""Meeting a device once, when it is installed: find it, pair or bond with it, ask how it is.

The radio is open already. Everything that can go wrong is a CommissionError with a sentence for the person who
stands before the device, and nothing is left connected.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from bleak_retry_connector import BleakClientWithServiceCache, establish_connection

from drivers.links.ble.radio import Radio
from drivers.protocols import gatt_racp
from drivers.protocols.nuki_pairing import PAIRING, Pairing, PairingError

FIND_WITHIN = 20.0
CONNECT_WITHIN = 30.0
ANSWER_WITHIN = 10.0
WEAK = -85
"""dBm below which a device is heard today and not on a wet day."""

Broken = (BleakError, TimeoutError, EOFError, OSError)
T = TypeVar("T")


class CommissionError(Exception):
    """It did not work; the sentence says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """A device that was heard. rssi: dBm. services: UUIDs it advertises; data, makers: by UUID and by company."""

    device: BLEDevice
    name: str
    rssi: int
    services: frozenset[str]
    data: Mapping[str, bytes]
    makers: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """In lower case, as the registry has it."""
        return self.device.address.lower()


@asynccontextmanager
async def listening(radio: Radio) -> AsyncIterator[asyncio.Queue[Found]]:
    """Everything that advertises, as long as the block lasts. Raises CommissionError."""
    heard: asyncio.Queue[Found] = asyncio.Queue()

    def take(device: BLEDevice, data: AdvertisementData) -> None:
        services = frozenset(data.service_uuids)
        said = dict(data.service_data), dict(data.manufacturer_data)
        heard.put_nowait(Found(device, data.local_name or "", data.rssi, services, *said))

    scanner = BleakScanner(take, **radio.scanner)
    try:
        await scanner.start()
    except Broken as wrong:
        raise CommissionError(f"{radio.name} cannot listen: {wrong or type(wrong).__name__}") from wrong
    try:
        yield heard
    finally:
        await _quietly(scanner.stop)


async def find(
    radio: Radio,
    address: str,
    within: float = FIND_WITHIN,
    wanted: Callable[[Found], bool] = lambda _found: True,
) -> Found:
    """The device at this address, when it says what is wanted. Raises CommissionError when it is not heard."""
    async with listening(radio) as heard:
        try:
            async with asyncio.timeout(within):
                while True:
                    one = await heard.get()
                    if one.address == address.lower() and wanted(one):
                        return one
        except TimeoutError:
            pass
    raise CommissionError(
        f"no device at {address.lower()} was heard within {within:g} s; go nearer, wake it, and check the address"
    )


async def nearby(radio: Radio, within: float) -> list[Found]:
    """Everything heard in this many seconds, each device once with all it said, the strongest first."""
    found: dict[str, Found] = {}
    async with listening(radio) as heard:
        try:
            async with asyncio.timeout(within):
                while True:
                    one = await heard.get()
                    found[one.address] = _both(found.get(one.address, one), one)
        except TimeoutError:
            pass
    return sorted(found.values(), key=lambda one: -one.rssi)


def _both(before: Found, now: Found) -> Found:
    """What a device said in several advertisements, and how strong the best of them was."""
    return Found(
        now.device,
        now.name or before.name,
        max(now.rssi, before.rssi),
        now.services | before.services,
        {**before.data, **now.data},
        {**before.makers, **now.makers},
    )


@dataclass(slots=True)
class Meeting:
    """A connection to a device. gone: set when the link is lost."""

    client: BleakClientWithServiceCache
    gone: asyncio.Event

    async def answer(self, queue: asyncio.Queue[T]) -> T:
        """The next thing the device says. Raises BleakError or TimeoutError when it will not."""
        said, lost = asyncio.ensure_future(queue.get()), asyncio.ensure_future(self.gone.wait())
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await asyncio.wait({said, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not said.done():
                raise BleakError("the link was lost")
            return said.result()
        finally:
            said.cancel()
            lost.cancel()


@asynccontextmanager
async def connected(radio: Radio, found: Found, doing: str) -> AsyncIterator[Meeting]:
    """A connection to the device, and its end. Raises CommissionError that names what was being done."""
    client: BleakClientWithServiceCache | None = None
    gone = asyncio.Event()
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            client = await establish_connection(
                BleakClientWithServiceCache,
                found.device,
                found.address,
                disconnected_callback=lambda _client: gone.set(),
                max_attempts=2,
                **radio.client,
            )
        yield Meeting(client, gone)
    except Broken as wrong:
        raise CommissionError(
            f"{doing} {found.address} broke off: {wrong or type(wrong).__name__}; stay near and try again"
        ) from wrong
    finally:
        if client is not None:
            await _quietly(client.disconnect)


async def pair_nuki(radio: Radio, found: Found, name: str, app_id: int = 1) -> bytes:
    """Pair with a Nuki lock whose button is being held; returns the secret to register for it."""
    async with connected(radio, found, "pairing with") as meeting:
        if meeting.client.services.get_characteristic(PAIRING) is None:
            raise CommissionError(
                f"{found.address} is no Nuki lock: it does not offer Nuki's pairing service"
            )
        try:
            return await _pair(meeting, Pairing(name, app_id))
        except PairingError as wrong:
            raise CommissionError(str(wrong)) from None


async def bond(radio: Radio, found: Found, wanted: Sequence[str]) -> None:
    """Bond with a meter; its passkey, if it has one, was given to the radio.

    wanted: what it will be subscribed to. A bond without the passkey may come about and open nothing, so it is tried.
    """
    async with connected(radio, found, "bonding with") as meeting, asyncio.timeout(CONNECT_WITHIN):
        client = meeting.client
        there = [one for uuid in wanted if (one := client.services.get_characteristic(uuid)) is not None]
        if not there:
            raise CommissionError(
                f"{found.address} is another kind of device: it offers nothing of what is wanted"
            )
        await client.pair()
        for one in there:
            await client.start_notify(one, lambda _from, _value: None)
            if one.uuid == gatt_racp.CONTROL_POINT:
                await client.write_gatt_char(one, gatt_racp.question("count"), response=True)


async def _pair(meeting: Meeting, pairing: Pairing) -> bytes:
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    await meeting.client.start_notify(PAIRING, lambda _from, value: pieces.put_nowait(bytes(value)))
    writes = pairing.begin()
    while not pairing.done:
        for one in writes:
            await meeting.client.write_gatt_char(one.channel, one.payload, response=True)
        writes = pairing.heard(await meeting.answer(pieces))
    return pairing.secret


async def _quietly(end: Callable[[], Any]) -> None:
    """End something that may have ended by itself."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await end()
    except Broken:
        return
