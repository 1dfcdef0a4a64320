"""No event that was acknowledged is lost, and no alert missed or raised twice, however processes end.

Real broker, gateway and centre processes; forty native devices that say 200 events a second and repeat each until
it is acknowledged; each process is ended by SIGKILL again and again, while it boots and while it works.
TRYGGHUB_CRASH_KILLS sets how often; 20 unless said otherwise.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from typing import Any

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.broker, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("TRYGGHUB_CRASH_KILLS", "20"))


async def torment(process: Any, devices: Any, draw: random.Random) -> None:
    """End a process and start it again: now and then as soon as it boots, else when it has worked for a while."""
    for _ in range(KILLS):
        if draw.random() < 0.6:
            ready = asyncio.create_task(asyncio.to_thread(process.is_ready))
            while not await ready:
                await devices.until_said(len(devices.said) + 10)
                ready = asyncio.create_task(asyncio.to_thread(process.is_ready))
        await devices.until_said(len(devices.said) + draw.randint(20, 300))
        process.kill()
        process.start()


async def test_what_was_acknowledged_is_kept_exactly_once(
    installation: Any, devices: Any, until: Any
) -> None:
    """After every process was killed again and again, each acknowledged event stands in the journal once."""
    await installation.ready("centre", "gateway")
    devices.start()
    draws = {name: random.Random(name) for name in installation.processes}
    await asyncio.gather(
        *(torment(one, devices, draws[name]) for name, one in installation.processes.items())
    )
    await devices.until_said(60 * 42)  # so that every incident has happened
    devices.talking = False
    await until(lambda: devices.acknowledged == devices.said, "every event is acknowledged in the end")
    await until(
        lambda: devices.said <= installation.journal().keys(), "every acknowledged event reaches the centre"
    )

    journal = installation.journal()
    assert {one: times for one, times in journal.items() if times > 1} == {}
    await until(lambda: devices.expected <= installation.alerts().keys(), "every expected alert is raised")
    raised = Counter({key: times for key, times in installation.alerts().items() if key in devices.expected})
    assert raised == Counter(devices.expected)
    assert (
        installation.rows(
            "SELECT rule, key, count FROM alert WHERE rule IN ('smoke','fall','nurse-call') AND count <> 1"
        )
        == []
    )
    assert {one.kills for one in installation.processes.values()} == {KILLS}
