"""Pairing with a device that must be given a key: done once, when it is installed."""

from __future__ import annotations

import asyncio

from bleak import BleakScanner
from bleak.exc import BleakError
from bleak_retry_connector import BleakClientWithServiceCache, establish_connection

from drivers.links.ble.radio import Radio
from drivers.protocols.nuki_pairing import PAIRING, Pairing, PairingError

FIND_WITHIN = 20.0
PAIR_WITHIN = 30.0
ANSWER_WITHIN = 10.0


async def pair_nuki(radio: Radio, address: str, name: str, app_id: int = 1) -> bytes:
    """Pair with a Nuki lock whose button is being held; returns the secret to register for it.

    radio: open already. Raises PairingError with a sentence; nothing is left connected.
    """
    device = await BleakScanner.find_device_by_address(address.upper(), timeout=FIND_WITHIN, **radio.scanner)
    if device is None:
        raise PairingError(f"no device at {address} was heard within {FIND_WITHIN:g} s")
    client: BleakClientWithServiceCache | None = None
    try:
        async with asyncio.timeout(PAIR_WITHIN):
            client = await establish_connection(
                BleakClientWithServiceCache, device, address, max_attempts=2, **radio.client
            )
            return await _talk(client, Pairing(name, app_id))
    except (BleakError, TimeoutError, EOFError, OSError) as wrong:
        raise PairingError(f"pairing with {address} broke off: {wrong or type(wrong).__name__}") from wrong
    finally:
        if client is not None:
            await client.disconnect()


async def _talk(client: BleakClientWithServiceCache, pairing: Pairing) -> bytes:
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    await client.start_notify(PAIRING, lambda _from, value: pieces.put_nowait(bytes(value)))
    writes = pairing.begin()
    while not pairing.done:
        for one in writes:
            await client.write_gatt_char(one.channel, one.payload, response=True)
        async with asyncio.timeout(ANSWER_WITHIN):
            writes = pairing.heard(await pieces.get())
    return pairing.secret
