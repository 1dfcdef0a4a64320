"""`trygghub centre`, or `python -m hub.centre`: one centre process."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from functools import partial

import structlog

from hub.centre.centre import Centre
from hub.clock import Clock, clock_from_environment
from hub.life_sign import LifeSign
from hub.process import opening, run_process
from hub.settings import CentreSettings, SettingError, read
from hub.store.engine import open_store

say = structlog.get_logger(__name__)


async def run_centre(settings: CentreSettings, clock: Clock, sign: LifeSign) -> None:
    """Run one centre until cancelled. Raises CannotStartError with a sentence when the database cannot be opened."""
    with opening():
        store = await open_store(settings.database_url, "centre")
    worker = f"{socket.gethostname()}:{settings.folder.absolute()}"
    try:
        centre = Centre(store, clock, settings.broker, rules=settings.rules, worker=worker)
        sign.ready()
        say.info("centre is at work", worker=worker)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sign.keep(centre.looked), name="life sign")
            await centre.run(settings.http)
    finally:
        await store.close()


def main(argv: Sequence[str]) -> int:
    """Read the settings and run; the answer is the exit code."""
    try:
        settings = read(CentreSettings, argv, prog="trygghub centre")
    except SettingError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    return run_process("centre", partial(run_centre, settings, clock_from_environment()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
