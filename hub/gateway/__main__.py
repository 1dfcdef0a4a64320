"""`trygghub gateway`, or `python -m hub.gateway`: one gateway process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import structlog

from hub.clock import Clock, clock_from_environment
from hub.gateway.gateway import Gateway
from hub.gateway.metrics import pages
from hub.gateway.registry_copy import PartError
from hub.gateway.storage import Storage, open_storage
from hub.life_sign import LifeSign
from hub.pages import serve_always
from hub.process import CannotStartError, opening, run_process
from hub.settings import GatewaySettings, SettingError, read
from hub.store.errors import StoreError

SWITCH_INTERVAL = 0.0005
"""Seconds after which Python's threads take turns; the writer's thread must not wait 5 ms for the loop's."""

say = structlog.get_logger(__name__)


async def run_gateway(settings: GatewaySettings, clock: Clock, sign: LifeSign) -> None:
    """Run one gateway until cancelled. Raises CannotStartError with a sentence, StoreError when it must start anew."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    with opening():
        storage = await open_storage(settings.folder / "gateway.db", clock.now())
    gateway = Gateway(settings, storage, clock)
    try:
        await _boot(gateway)
        sign.ready()
        async with asyncio.TaskGroup() as tasks:
            if settings.http is not None:
                tasks.create_task(serve_always(settings.http, pages(gateway)), name="http")
            tasks.create_task(sign.keep(partial(_writer_answers, storage)), name="life sign")
            await gateway.run()
    finally:
        await gateway.stop()


async def _boot(gateway: Gateway) -> None:
    try:
        await gateway.boot()
    except PartError as wrong:
        raise CannotStartError(str(wrong)) from None


async def _writer_answers(storage: Storage) -> None:
    """Come back as soon as the writer's thread says anything: a full disk is no reason to start anew."""
    with suppress(StoreError):
        await storage.writer.write(lambda _db: None)


def main(argv: Sequence[str]) -> int:
    """Read the settings and run; the answer is the exit code."""
    try:
        settings = read(GatewaySettings, argv, prog="trygghub gateway")
    except SettingError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    return run_process("gateway", partial(run_gateway, settings, clock_from_environment()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
