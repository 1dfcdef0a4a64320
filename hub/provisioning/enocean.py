"""An EnOcean device: its sender id, heard when it is pressed, opened, or told to teach itself in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from drivers.events import DecodeError
from drivers.links.link import LinkDown
from drivers.links.serial_port import SerialPort, open_port
from drivers.links.serial_settings import LineSettings, port_url
from drivers.protocols import esp3
from hub.provisioning.entry import Entry, NotProvisioned, Place

Say = Callable[[str], None]

LINE = "57600 8N1"
TYPES = {
    esp3.RPS: ("enocean_pendant", "enocean_button", "enocean_key_card", "enocean_leak", "enocean_smoke"),
    esp3.ONE_BYTE: ("enocean_contact",),
    esp3.FOUR_BYTES: ("enocean_motion",),
}
"""Kind of telegram → device types that send such; the first is taken unless another is asked for."""


async def provision(port: str, root: Path, place: Place, wanted: str, say: Say, within: float) -> Entry:
    """Hear one device. Raises NotProvisioned."""
    try:
        opened = await open_port(port, port_url(port, root), LineSettings.parse(LINE))
    except (LinkDown, ValueError) as wrong:
        held = (
            "; a running gateway holds its ports, so stop it first" if "not there" not in str(wrong) else ""
        )
        raise NotProvisioned(f"{wrong}{held}") from None
    say(f"listening on {port}; press the button, open and close, or press LRN on the device")
    try:
        async with asyncio.timeout(within):
            telegram = await _first(opened)
    except TimeoutError:
        raise NotProvisioned(f"no EnOcean device was heard on {port} within {within:g} s") from None
    except LinkDown as down:
        raise NotProvisioned(down.reason) from None
    finally:
        await opened.close()
    strength = "" if telegram.dbm is None else f" at {telegram.dbm} dBm"
    say(f"heard the device {telegram.sender}{strength}")
    return Entry(place, _type(telegram.rorg, wanted), f"{port}#{telegram.sender}", settings={"line": LINE})


async def _first(port: SerialPort) -> esp3.Telegram:
    scanner = esp3.Scanner()
    while True:
        for packet in scanner.feed(await port.read()):
            try:
                telegram = esp3.telegram_of(packet)
            except DecodeError:
                continue
            if telegram.rorg in TYPES:
                return telegram


def _type(rorg: int, wanted: str) -> str:
    possible = TYPES[rorg]
    if wanted and wanted not in possible:
        raise NotProvisioned(f"what was heard comes from a {' or '.join(possible)}, not from a {wanted}")
    return wanted or possible[0]
