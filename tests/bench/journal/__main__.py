"""The gateway's journal under load: 1,000 events a second, each durable before its device is answered.

Open loop: events arrive at seeded random (Poisson) moments whether or not the last one is done, and the wait is
counted from the planned arrival, so a stall is not hidden. The reference is this disk's own fsync, measured in
the same run; the goal is p99 ≤ the larger of 20 ms and 5 fsyncs, and is printed as a ratio.

    python tests/bench/journal [SECONDS]
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog
import uvloop

from drivers.events import Frame
from drivers.registry import DEVICE_TYPES
from hub.clock import SystemClock
from hub.gateway.__main__ import SWITCH_INTERVAL
from hub.gateway.hearing import Hearing
from hub.gateway.roll import call_the_roll
from hub.gateway.storage import Storage, open_storage
from hub.registry.models import GatewayPart

RATE = 1000.0
SECONDS = 10.0
DEVICES = 20
GOAL_MS, GOAL_FSYNCS = 20.0, 5.0
SEED = 20260115


@dataclass(frozen=True)
class Waits:
    """Sorted waits in ms."""

    name: str
    ms: list[float]

    def at(self, share: float) -> float:
        """The wait below which this share lies."""
        return self.ms[min(len(self.ms) - 1, int(share * len(self.ms)))]


def fsync_ms(folder: Path, rounds: int = 200) -> float:
    """Median of writing 4 kB and syncing it, in ms."""
    waits = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(rounds):
            begun = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            waits.append((time.perf_counter() - begun) * 1000)
    return statistics.median(waits)


def resident_mb() -> float:
    """Memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def part() -> GatewayPart:
    """One home with native locks."""
    since = "2026-01-01T00:00:00Z"
    lock = {"home": "h1", "class": "lock", "type": "native_lock", "link": "mqtt", "since": since}
    return GatewayPart.model_validate(
        {
            "gateway": "gw1",
            "homes": {"h1": {"address": "Storgata 1", "zone": "north"}},
            "residents": {},
            "devices": {f"lock-{n}": lock | {"address": f"h1/lock-{n}"} for n in range(DEVICES)},
        }
    )


async def open_loop(name: str, seconds: float, one: Callable[[int], Awaitable[None]]) -> Waits:
    """Let events arrive at their planned moments and note how long each took."""
    draw = random.Random(SEED)
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    tasks: set[asyncio.Task[None]] = set()

    async def timed(number: int, planned: float) -> None:
        await one(number)
        waits.append((loop.time() - planned) * 1000)

    planned, number = loop.time() + 0.1, 0
    end = planned + seconds
    while planned < end:
        await asyncio.sleep(max(0.0, planned - loop.time()))
        task = asyncio.create_task(timed(number, planned))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        planned += draw.expovariate(RATE)
        number += 1
    await asyncio.gather(*tasks)
    return Waits(name, sorted(waits))


async def hearing_of(storage: Storage, folder: Path) -> Callable[[int], Awaitable[None]]:
    """The whole way from a device's frame to the receipt: decoded, checked, journaled with its bytes, numbered."""
    roll = call_the_roll(part(), DEVICE_TYPES, folder)
    hearing = Hearing(storage.writer, lambda: roll, lambda _committed: None, lambda _d, _f, _w: ())
    clock = SystemClock()

    async def hear(number: int) -> None:
        payload = orjson.dumps({"id": f"e{number}", "kind": "lock.locked" if number % 2 else "lock.unlocked"})
        frame = Frame("mqtt", f"h1/lock-{number % DEVICES}", payload, clock.now(), "event")
        receipt = await hearing.hear(frame)
        assert receipt.events, receipt

    return hear


async def nothing(_number: int) -> None:
    """What the event loop and the machine's other load cost by themselves."""


COLUMNS = ("events", "p50 ms", "p99 ms", "max ms", "p50/sync", "p99/sync", "p99/goal")
HEAD = " " * 28 + "".join(
    f"{name:>{width}}" for name, width in zip(COLUMNS, (8, 9, 9, 9, 10, 10, 10), strict=True)
)


def show(waits: Waits, fsync: float) -> None:
    """One line of the table."""
    goal = max(GOAL_MS, GOAL_FSYNCS * fsync)
    p50, p99 = waits.at(0.5), waits.at(0.99)
    print(
        f"{waits.name:28} {len(waits.ms):7} {p50:8.2f} {p99:8.2f} {waits.ms[-1]:8.1f}"
        f" {p50 / fsync:9.1f} {p99 / fsync:9.1f} {p99 / goal:9.2f}"
    )


async def main(seconds: float) -> None:
    """Measure and print."""
    structlog.configure(processors=[_drop])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fsync = fsync_ms(folder)
        storage = await open_storage(folder / "gateway.db", SystemClock().now())
        before = resident_mb()

        async def bare(number: int) -> None:
            await storage.writer.write(
                lambda db: (
                    db.execute("INSERT INTO store_note VALUES (?, ?)", (f"n{number}", "x" * 300)).rowcount
                )
            )

        print(f"fsync of this disk {fsync:.2f} ms; {RATE:.0f} events/s for {seconds:g} s")
        print(HEAD)
        show(await open_loop("no work (the machine's own)", seconds, nothing), fsync)
        show(await open_loop("one row, group commit", seconds, bare), fsync)
        show(await open_loop("frame to receipt", seconds, await hearing_of(storage, folder)), fsync)
        counters = storage.writer.counters
        fsync_after = fsync_ms(folder)
        group = counters.operations / counters.batches
        print(f"mean group {group:.1f}, longest commit {counters.longest * 1000:.1f} ms")
        print(
            f"fsync afterwards {fsync_after:.2f} ms; memory {before:.0f} MB before, {resident_mb():.0f} MB after"
        )
        await storage.writer.close()


def _drop(_logger: object, _method: str, _line: object) -> str:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_INTERVAL)
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
