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

from simulators.bluez import FakeBluez, PrivateBus
from simulators.bluez.bus import BusMissing


async def serve(radio: str) -> None:
    """Run until a signal comes."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    bus = PrivateBus()
    await bus.start()
    bluez = FakeBluez(radio, bus.address)
    try:
        await bluez.start()
        sys.stdout.write(f"DBUS_SYSTEM_BUS_ADDRESS={bus.address}\n")
        sys.stdout.flush()
        await ended.wait()
    finally:
        await bluez.stop()
        await bus.stop()


def main() -> int:
    """Parse arguments and run; 1 with one sentence when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m simulators.bluez", description=__doc__)
    parser.add_argument("--radio", required=True, metavar="tcp:HOST:PORT", help="the virtual radio to join")
    arguments = parser.parse_args()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(arguments.radio))
    except (OSError, ValueError, BusMissing) as wrong:
        sys.stderr.write(f"BlueZ's stand-in cannot start: {wrong}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
