"""`trygghub gateway`, or `python -m hub.gateway`: one gateway process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from functools import partial

import structlog

from hub.clock import Clock, clock_from_environment
from hub.gateway.gateway import Gateway, always
from hub.gateway.http import serve
from hub.gateway.metrics import pages
from hub.gateway.storage import open_storage
from hub.process import run_process
from hub.settings import GatewaySettings, SettingError, read

SWITCH_INTERVAL = 0.0005
"""Seconds after which Python's threads take turns; the writer's thread must not wait 5 ms for the loop's."""

say = structlog.get_logger(__name__)


async def run_gateway(settings: GatewaySettings, clock: Clock) -> None:
    """Run one gateway until cancelled. Raises SettingError, PartError or StoreError with a sentence."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    storage = await open_storage(settings.folder / "gateway.db", clock.now())
    gateway = Gateway(settings, storage, clock)
    try:
        await gateway.boot()
        async with asyncio.TaskGroup() as tasks:
            if settings.http is not None:
                tasks.create_task(always("http", partial(serve, settings.http, pages(gateway))), name="http")
            await gateway.run()
    finally:
        await gateway.stop()


def main(argv: Sequence[str]) -> int:
    """Read the settings and run; the answer is the exit code."""
    try:
        settings = read(GatewaySettings, argv, prog="trygghub gateway")
    except SettingError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    return run_process("gateway", lambda: run_gateway(settings, clock_from_environment()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
