"""The adapters BlueZ knows: which there are, whether they have power, and how a hung one is brought back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bleak.exc import BleakError

if TYPE_CHECKING:
    from drivers.links.ble.bluez_agent import Registration

log = logging.getLogger(__name__)

ADAPTER = "org.bluez.Adapter1"
MONITORS = "org.bluez.AdvertisementMonitorManager1"
OFF_FOR = 0.5
"""Seconds without power; controllers forget their state at once, their firmware wants a moment."""
RESET_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Adapter:
    """name: `hci0`. address: of the controller, lower case. monitors: whether it takes advertisement monitors."""

    name: str
    path: str
    address: str
    powered: bool
    monitors: bool = False


async def adapters(bluez: Registration) -> list[Adapter]:
    """All adapters, by name. Raises BleakError."""
    reply = await bluez.ask(
        "GetManagedObjects", "", [], ("org.bluez", "/", "org.freedesktop.DBus.ObjectManager")
    )
    found = []
    for path, interfaces in reply.body[0].items():
        if (about := interfaces.get(ADAPTER)) is not None:
            address = str(about["Address"].value).lower()
            name, powered = path.rpartition("/")[2], bool(about["Powered"].value)
            found.append(Adapter(name, path, address, powered, MONITORS in interfaces))
    return sorted(found, key=lambda one: one.name)


def chosen(found: Sequence[Adapter], wanted: str) -> Adapter:
    """The adapter called or addressed so; the first one for an empty text. Raises BleakError with what there is."""
    for one in found:
        if wanted in {"", one.name} or wanted.lower() == one.address:
            return one
    there = ", ".join(f"{one.name} ({one.address})" for one in found) or "none"
    raise BleakError(f"BlueZ has no adapter{' ' if wanted else ''}{wanted}; there is {there}")


async def power(bluez: Registration, adapter: Adapter, *, on: bool) -> None:
    """Switch an adapter on or off. Raises BleakError with what may be in the way."""
    # dbus-fast is for Linux only.
    from dbus_fast import Variant  # noqa: PLC0415

    to = ("org.bluez", adapter.path, "org.freedesktop.DBus.Properties")
    try:
        await bluez.ask("Set", "ssv", [ADAPTER, "Powered", Variant("b", on)], to)
    except BleakError as error:
        word = "on" if on else "off"
        raise BleakError(
            f"{adapter.name} cannot be switched {word} (is it blocked, see rfkill list?): {error}"
        ) from error


async def power_cycle(bluez: Registration, adapter: Adapter) -> None:
    """Switch off and on again, which needs no privilege beyond the use of Bluetooth."""
    if adapter.powered:
        await power(bluez, adapter, on=False)
        await asyncio.sleep(OFF_FOR)
    await power(bluez, adapter, on=True)


async def reset_device(adapter: Adapter) -> None:
    """Reset the controller through the kernel's management socket, and its USB device. Raises BleakError.

    It needs the capabilities NET_ADMIN and NET_RAW, and for USB write access to the device under /dev/bus/usb.
    """
    # Only Linux has these sockets.
    from bluetooth_auto_recovery import recover_adapter  # noqa: PLC0415

    async with asyncio.timeout(RESET_WITHIN):
        done = await recover_adapter(int(adapter.name.removeprefix("hci")), adapter.address, gone_silent=True)
    if not done:
        raise BleakError(
            f"{adapter.name} could not be reset (that needs the capabilities NET_ADMIN and NET_RAW, and a Python with"
            " Bluetooth sockets)"
        )
