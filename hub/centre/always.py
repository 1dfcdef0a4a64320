"""Parts of the process that run for ever: one that breaks is said and started again, and the others go on (TR-15)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

FIRST, LONGEST = 0.2, 10.0
"""Seconds before a part that broke is started again, growing while it keeps breaking."""

STEADY = 60.0
"""Seconds that a part must run before its next break counts as the first."""

log = structlog.get_logger()


async def always(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a part until cancelled."""
    breaks = 0
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await run()
        except Exception:
            log.exception("a part of the centre broke and is started again", part=name)
        steady = asyncio.get_running_loop().time() - began > STEADY
        breaks = 0 if steady else min(breaks + 1, 10)
        await asyncio.sleep(min(LONGEST, FIRST * 2**breaks) * random.uniform(0.5, 1.0))
