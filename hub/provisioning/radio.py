"""A radio for the time of one provisioning, with every way it can fail as a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bleak.exc import BleakError

from drivers.links.ble.radio import Radio, open_radios
from hub.provisioning.entry import NotProvisioned


@asynccontextmanager
async def radio_of(
    setting: str, bonds: Path, passkeys: Mapping[str, int] | None = None
) -> AsyncIterator[Radio]:
    """The first radio that a setting names, open. Raises NotProvisioned."""
    if setting == "off":
        raise NotProvisioned("Bluetooth is switched off (--ble off); say --ble bluez, or bluez:hci1")
    try:
        radio = open_radios(setting, bonds=bonds, passkeys=passkeys)[0]
    except ValueError as wrong:
        raise NotProvisioned(str(wrong)) from None
    try:
        await radio.open()
    except (BleakError, OSError, EOFError, TimeoutError) as wrong:
        raise NotProvisioned(
            f"the Bluetooth adapter {radio.name} cannot be used: {wrong or type(wrong).__name__};"
            " is one plugged in and switched on (bluetoothctl show)?"
        ) from None
    try:
        yield radio
    finally:
        await radio.close()
