"""Run BlueZ's stand-in beside a virtual radio: `python -m simulators.bluez --radio tcp:127.0.0.1:9100`.

Prints one line, `DBUS_SYSTEM_BUS_ADDRESS=…`; a gateway started with that variable and `--ble bluez` runs exactly
as on a box with a dongle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from bumble import core
from bumble.transport.common import TransportLostError

from simulators.bluez import FakeBluez, PrivateBus
from simulators.bluez.bus import BusMissing

AGAIN_AFTER, JOIN_WITHIN = 0.3, 3.0
"""Seconds between two attempts to join the radio, and for one of them."""
GONE = (OSError, TimeoutError, core.BaseBumbleError, TransportLostError)
"""What it looks like when the radio is not there, or goes in the middle of joining."""


async def serve(radio: str, socket: Path | None, *, stay: bool) -> None:
    """Run until a signal comes. stay: wait for a radio that is not there yet, and join again when it goes."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    bus = PrivateBus(socket)
    await bus.start()
    bluez = FakeBluez(radio, bus.address)
    try:
        if not stay:
            await bluez.start()
        sys.stdout.write(f"DBUS_SYSTEM_BUS_ADDRESS={bus.address}\n")
        sys.stdout.flush()
        if stay:
            await _until(ended, _joined_for_ever(bluez))
        await ended.wait()
    finally:
        await bluez.stop()
        await bus.stop()


async def _joined_for_ever(bluez: FakeBluez) -> None:
    while True:
        try:
            async with asyncio.timeout(JOIN_WITHIN):
                await bluez.start()
            await bluez.radio_gone.wait()
        except GONE:
            await asyncio.sleep(AGAIN_AFTER)
        await bluez.stop()


async def _until(ended: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    task, end = asyncio.ensure_future(work), asyncio.ensure_future(ended.wait())
    await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
    end.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> int:
    """Parse arguments and run; 1 with one sentence when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m simulators.bluez", description=__doc__)
    parser.add_argument("--radio", required=True, metavar="tcp:HOST:PORT", help="the virtual radio to join")
    parser.add_argument("--socket", type=Path, help="where its bus listens; a temporary place if not said")
    parser.add_argument("--stay", action="store_true", help="wait for the radio, and join again when it goes")
    arguments = parser.parse_args()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(arguments.radio, arguments.socket, stay=arguments.stay))
    except (OSError, ValueError, BusMissing) as wrong:
        sys.stderr.write(f"BlueZ's stand-in cannot start: {wrong}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
